"""From the headers and the query of a request to the form of its body and of its answer."""

import re
from functools import lru_cache
from typing import NamedTuple

from ..errors import HousingError
from ..rows import FORMATS
from ..rows.formats import ANSWER_FORMATS
from ..rows.source import UTF8, require_encoding

# The formats of bodies by their type; None: by their magic bytes.
TYPES: dict[str, str | None] = {kind: name for name, each in FORMATS.items() for kind in each.media_types}
TYPES |= {"application/octet-stream": None}
# The types of answers; those of other bodies are answered in JSON.
ANSWERS = {name: FORMATS[name].answer_type for name in ANSWER_FORMATS}
_FORM = "application/x-www-form-urlencoded"  # of what curl -d sends, unless it is told the type
_HEADER = {"present": True, "absent": False}
_QUALITY = re.compile(r"\d*\.?\d*")


class RefusedError(Exception):
    """A request is refused: the HTTP status, and one line that says why.

    ``is_for_rows`` is whether the reason is a bad row or body.
    """

    def __init__(self, status: int, message: str, is_for_rows: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.is_for_rows = is_for_rows


class Wanted(NamedTuple):
    """The form of a request, and the form that its answer should have.

    Attributes
    ----------
    format : str or None
        Of the body; its first bytes come before it.
    header : bool
        Whether CSV has a line of names.
    encoding : str
        Of text.
    answer : str
        One of `ANSWERS`.
    answer_header : bool
        Whether an answer in CSV has a line of names.
    bounds : bool
    tensors : bool
        Whether the answer is that of the Open Inference Protocol, whatever the request is.
    """

    format: str | None
    header: bool = True
    encoding: str = UTF8
    answer: str = "json"
    answer_header: bool = True
    bounds: bool = False
    tensors: bool = False

    @property
    def type(self) -> str:
        """The type of the answer."""
        return ANSWERS[self.answer] + ("; header=absent" if self.answer == "csv" and not self.answer_header else "")


@lru_cache(64)  # clients repeat themselves
def wanted(content_type: str, accept: str, bounds: str, tensors: bool) -> Wanted:
    """Return the forms that the headers and the query of a request ask for.

    Examples
    --------
    >>> wanted("text/csv; header=absent", "*/*", "", False)[:5]
    ('csv', False, 'utf-8', 'csv', False)
    """
    kind, given = _parsed(content_type)
    # The protocol is JSON, and its clients do not say so.
    kind = "application/json" if tensors and kind in ("", _FORM) else kind
    if kind not in TYPES:
        known = ", ".join(TYPES)
        told = f"Content-Type is {kind[:80]!r}: expected one of {known}"
        told += "; curl -d sends this one unless -H 'Content-Type: …' names another" if kind == _FORM else ""
        raise RefusedError(415, told if kind else f"no Content-Type: say which of {known} the body is")
    if (header := given.get("header", "present").lower()) not in _HEADER:
        raise RefusedError(400, f"header is {header[:80]!r} in Content-Type: expected present or absent")
    if bounds.lower() not in ("", "0", "1", "false", "true"):
        raise RefusedError(400, f"bounds is {bounds[:80]!r}: expected true or false")
    format = TYPES[kind]
    answer, answer_header = _accepted(accept, format if format in ANSWERS else "json")
    return Wanted(
        format,
        _HEADER[header],
        _encoding(given.get("charset", "")),
        "json" if tensors else answer,
        _HEADER.get(answer_header, _HEADER[header]),
        bounds.lower() in ("1", "true"),
        tensors,
    )


def _accepted(accept: str, default: str) -> tuple[str, str]:
    """Return the format of the answer that a client likes best, and its parameter ``header``.

    The most specific range counts for a type, as RFC 9110 has it; of two types that are liked as much, the one that is
    named, and named first. Where no answer is acceptable, it has a format that is not excluded.
    """
    found: dict[str, tuple[float, int, int, bool, str]] = {}
    for place, each in enumerate(_split(accept, ",")):
        kind, given = _parsed(each)
        for name, answer_type in ANSWERS.items():
            ranges = ("*/*", f"{answer_type.partition('/')[0]}/*", *FORMATS[name].media_types)
            depth = min(ranges.index(kind), 2) if kind in ranges else -1
            if depth > (found[name][1] if name in found else -1):
                header = given.get("header", "").lower()
                found[name] = (_quality(given.get("q", "")), depth, -place, name == default, header)
    best = max(found, key=found.__getitem__, default=default)
    if best not in found or found[best][0] > 0:
        return best, found[best][-1] if best in found else ""
    return next((name for name in (default, "json", *ANSWERS) if name not in found), default), ""


def _quality(text: str) -> float:
    return min(float(text), 1.0) if text.strip(".") and _QUALITY.fullmatch(text) else 1.0


def _split(text: str, mark: str) -> list[str]:
    """Return the parts of a header between marks that are not within quotes."""
    return re.findall(rf'(?:[^{mark}"]|"(?:[^"\\]|\\.?)*+"?)++', text, re.DOTALL)


def _parsed(text: str) -> tuple[str, dict[str, str]]:
    """Return a type and its parameters, without their quotes.

    >>> _parsed('Text/CSV; Header="absent"')
    ('text/csv', {'header': 'absent'})
    """
    kind, *parameters = _split(text, ";") or [""]
    found = (each.partition("=") for each in parameters)
    return kind.strip().lower(), {name.strip().lower(): _unquoted(value.strip()) for name, _, value in found}


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value[:1] == '"' == value[-1:] and len(value) > 1 else value


def _encoding(charset: str) -> str:
    """Return the encoding that a request names; raise RefusedError for one that is not known."""
    encoding = charset.strip("'").lower() or UTF8
    try:
        require_encoding(encoding)
    except HousingError as error:
        raise RefusedError(415, f"charset: {error}") from None
    return encoding
