"""Names that look the same and are not: other scripts, invisible characters, composed and decomposed letters."""

import unicodedata
from collections.abc import Iterable, Sequence

from ..errors import quoted

# Letters of Cyrillic and Greek, dashes and quotes, and what each looks like.
_LOOKS = str.maketrans(
    "аеорсухіјѕԁһԛԝАВЕКМНОРСТУХІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧονιıɑ‐‑‒–—−‘’“”",
    "aeopcyxijsdhqwABEKMHOPCTYXIJSABEZHIKMNOPTYXoviia------''\"\"",
)
_SEARCHED, _COMPARED = 20, 1000  # names, as a comparison takes long


def look_alike_hint(names: Sequence[str], known: Sequence[str]) -> str:
    """Return the hint at a known name that looks like one of the first of these, with the code points that differ.

    >>> look_alike_hint(["age", "rooms"], ["r\u043eoms"]).partition("? ")[2]
    'character 2 of it is U+043E, not U+006F)'
    """
    for name in names[:_SEARCHED]:
        if other := look_alike(name, known[-_COMPARED:]):
            return f" (did you mean {quoted(other)}? {difference(name, other)})"
    return ""


def look_alike(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that looks like this one and differs, None if there is none."""
    look = _look(name)
    return next((each for each in known if each != name and _look(each) == look), None)


def difference(name: str, other: str) -> str:
    """Return the code points in which two names first differ.

    >>> difference("rooms", "r\\u043eoms"), difference("age", "age\\u200b")
    ('character 2 of it is U+043E, not U+006F', 'character 4 of it is U+200B')
    """
    place = next((i for i, pair in enumerate(zip(name, other, strict=False)) if pair[0] != pair[1]), None)
    place = min(len(name), len(other)) if place is None else place
    if place >= len(other):
        return f"character {place + 1} of {quoted(name)} is {_code(name[place])}"
    instead = f", not {_code(name[place])}" if place < len(name) else ""
    return f"character {place + 1} of it is {_code(other[place])}{instead}"


def _look(name: str) -> str:
    """Return what a name looks like: without invisible characters, in letters of one script."""
    visible = (c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) not in ("Cf", "Cc", "Mn"))
    return " ".join("".join(visible).translate(_LOOKS).split())


def _code(character: str) -> str:
    return f"U+{ord(character):04X}"
