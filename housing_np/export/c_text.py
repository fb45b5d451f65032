"""Names and numbers as the text of a C program; hostile names are escaped."""

import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_WIDTH = 100
_LONGEST_STRING = 4095  # C99, 5.2.4.1
_IN_STRINGS = frozenset(map(chr, range(32, 127))) - frozenset('"\\?@*')
# The keywords of C and C++ of all years; then macros that systems define in lower case, and those of usual headers.
_RESERVED = """
    alignas alignof and and_eq asm atomic_cancel atomic_commit atomic_noexcept auto bitand bitor bool break case catch
    char char16_t char32_t char8_t class co_await co_return co_yield compl concept const const_cast consteval constexpr
    constinit continue contract_assert decltype default delete do double dynamic_cast else enum explicit export extern
    false float for friend goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq
    private protected public reflexpr register reinterpret_cast requires restrict return short signed sizeof static
    static_assert static_cast struct switch synchronized template this thread_local throw true try typedef typeid
    typename typeof typeof_unqual union unsigned using virtual void volatile wchar_t while xor xor_eq
    complex errno far fortran huge i386 imaginary interface interrupt linux mips near small stderr stdin stdout unix
    AVR EOF FALSE HUGE_VAL I INFINITY NAN NULL TRUE
"""
_LIMIT = re.compile("(U?INT[A-Z0-9_]*|FLT|DBL|LDBL|SIZE|PTRDIFF|WCHAR|WINT|SIG_ATOMIC|DECIMAL)_[A-Z0-9_]+")


def identifier(name: str, otherwise: str) -> str:
    """Return a name in letters, digits and single underscores: the part of a C identifier that follows a prefix.

    A name without letters and digits becomes ``otherwise``.

    >>> identifier("Größe (m²)", "x0"), identifier("§", "x0"), identifier("class", "x0")
    ('Grosse_m2', 'x0', 'class')
    """
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_") or otherwise


def identifiers(names: Sequence[str], prefix: str) -> list[str]:
    """Return an identifier for each name; valid names stay, others get a number where the identifier is taken.

    Each starts with the prefix, so that a digit or a keyword may follow.

    >>> identifiers(["a b", "a_b", "int"], "X_")
    ['X_a_b_2', 'X_a_b', 'X_int']
    """
    wanted = [identifier(name, f"{i}") for i, name in enumerate(names)]
    stay = [each == name for each, name in zip(wanted, names, strict=True)]
    return [prefix + each for each in apart(wanted, stay)]


def apart(wanted: Sequence[str], stay: Sequence[bool]) -> list[str]:
    """Return identifiers, each with a number where it is taken: by an earlier one, or by one that has to stay.

    >>> apart(["a", "a", "b"], [False, True, True])
    ['a_2', 'a', 'b']
    """
    owners: dict[str, int] = {}
    for i, (each, stays) in enumerate(zip(wanted, stay, strict=True)):
        if stays:
            owners.setdefault(each, i)
    found = []
    for i, each in enumerate(wanted):
        free, count = each, 1
        while owners.setdefault(free, i) != i:
            count += 1
            free = f"{each.rstrip('_')}_{count}"
        found.append(free)
    return found


def fields(names: Sequence[str], macros: str) -> list[str]:
    """Return the name of a struct's field for each name; keywords and the names of macros get an underscore.

    The macros of the program begin with ``macros``.

    >>> fields(["age", "int", "1st floor", "X_SCALE"], "X_")
    ['age', 'int_', 'x1st_floor', 'X_SCALE_']
    """
    wanted = [_field(identifier(name, f"{i}"), macros) for i, name in enumerate(names)]
    return apart(wanted, [each == name for each, name in zip(wanted, names, strict=True)])


def _field(plain: str, macros: str) -> str:
    plain = f"x{plain}" if plain[0].isdigit() else plain
    is_taken = plain in _RESERVED.split() or _LIMIT.fullmatch(plain) or plain.startswith(macros)
    return f"{plain}_" if is_taken else plain


def literal(text: str) -> str:
    """Return a text in UTF-8 as a C string; 0 for one that no string holds: with a zero, or beyond C99's length.

    >>> print(literal('5" é??'), literal("zero\\0"))
    "5\\042 \\303\\251\\077\\077" 0
    """
    content = text.encode()
    if 0 in content or len(content) > _LONGEST_STRING:
        return "0"
    # Octal: a digit that follows does not belong to it. No @, which stands for the model's name.
    signs = (chr(byte) if chr(byte) in _IN_STRINGS else f"\\{byte:03o}" for byte in content)
    return f'"{"".join(signs)}"'


def quoted(name: str) -> str:
    """Return a name for a comment, as a JSON string in ASCII that neither ends the comment nor begins another.

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

    >>> print(table("steps", np.array([[1, 2], [3, 4]], np.uint8), "2", "2"))
    static const uint8_t steps[2][2] = {
        {1, 2},
        {3, 4}
    };
    """
    values = np.atleast_1d(values)
    type, literal = _TYPES[values.dtype.name]
    rows = [wrapped(list(map(literal, row))) for row in values.reshape(-1, values.shape[-1]).tolist()]
    inner = ",\n    ".join(rows if len(lengths) == 1 else [f"{{{row}}}" for row in rows])
    brackets = "".join(f"[{length}]" for length in lengths)
    return f"static const {type} {name}{brackets} = {{\n    {inner}\n}};"


def wrapped(literals: Sequence[str]) -> str:
    """Return what stands between commas, in lines of an array's definition."""
    lines = [""]
    for each in literals:
        if lines[-1] and len(lines[-1]) + len(each) > _WIDTH:
            lines.append("")
        lines[-1] += f"{', ' if lines[-1] else ''}{each}"
    return ",\n    ".join(lines)
