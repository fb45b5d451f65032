"""Names and numbers as the text of a C program; hostile names are escaped."""

import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_WIDTH = 100


def identifier(name: str, otherwise: str) -> str:
    """Return a name in letters, digits and single underscores: the part of a C identifier that follows a prefix.

    Parameters
    ----------
    name : str
    otherwise : str
        What a name without letters and digits becomes.

    Examples
    --------
    >>> identifier("Größe (m²)", "x0"), identifier("§", "x0"), identifier("class", "x0")
    ('Grosse_m2', 'x0', 'class')
    """
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_") or otherwise


def identifiers(names: Sequence[str], prefix: str) -> list[str]:
    """Return an identifier for each name; valid names stay, others get a number where the identifier is taken.

    Parameters
    ----------
    names : sequence of str
    prefix : str
        Each identifier starts with it, so that a digit or a keyword may follow.

    Examples
    --------
    >>> identifiers(["a b", "a_b", "int"], "X_")
    ['X_a_b_2', 'X_a_b', 'X_int']
    """
    wanted = [identifier(name, f"{i}") for i, name in enumerate(names)]
    taken = {each for each, name in zip(wanted, names, strict=True) if each == name}
    found = []
    for each, name in zip(wanted, names, strict=True):
        free, count = each, 1
        while free != name and free in taken:
            count += 1
            free = f"{each}_{count}"
        taken.add(free)
        found.append(prefix + free)
    return found


def quoted(name: str) -> str:
    """Return a name for a comment, as a JSON string in ASCII that neither ends the comment nor begins another.

    Examples
    --------
    >>> print(quoted("a*/ ??/ é"))
    "a*\\/ ?\\u003f/ \\u00e9"
    """
    text = json.dumps(name).replace("\x7f", "\\u007f").replace("??", "?\\u003f")
    return text.replace("*/", "*\\/").replace("/*", "/\\u002a")


def comment(*lines: str) -> str:
    """Return a block comment."""
    return "\n".join(["/*", *(f" * {line}".rstrip() for line in lines), " */"])


def double(value: float) -> str:
    """Return the literal that is read back as the same float64."""
    return repr(float(value))


def single(value: float) -> str:
    """Return the literal that is read back as the same float32."""
    return f"{np.float32(value)!s}f"


# The C type of each NumPy type, and the function that writes its numbers.
_TYPES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "float64": ("double", double),
    "float32": ("float", single),
    "uint8": ("uint8_t", str),
    "int32": ("int32_t", str),
    "uint64": ("uint64_t", hex),
}


def table(name: str, values: NDArray[Any], *lengths: str) -> str:
    """Return the definition of a constant array with one or two lengths.

    Examples
    --------
    >>> print(table("steps", np.array([[1, 2], [3, 4]], np.uint8), "2", "2"))
    static const uint8_t steps[2][2] = {
        {1, 2},
        {3, 4}
    };
    """
    values = np.atleast_1d(values)
    type, literal = _TYPES[values.dtype.name]
    rows = [_wrapped(list(map(literal, row))) for row in values.reshape(-1, values.shape[-1]).tolist()]
    inner = ",\n    ".join(rows if len(lengths) == 1 else [f"{{{row}}}" for row in rows])
    brackets = "".join(f"[{length}]" for length in lengths)
    return f"static const {type} {name}{brackets} = {{\n    {inner}\n}};"


def _wrapped(literals: Sequence[str]) -> str:
    lines = [""]
    for each in literals:
        if lines[-1] and len(lines[-1]) + len(each) > _WIDTH:
            lines.append("")
        lines[-1] += f"{', ' if lines[-1] else ''}{each}"
    return ",\n    ".join(lines)
