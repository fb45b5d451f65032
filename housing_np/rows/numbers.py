"""Numbers from cells of text and values of JSON, with advice for what is not a number."""

import re
from collections.abc import Callable, Sequence
from math import hypot, isfinite
from typing import Any, NamedTuple

from ..checks.arrays import inexact
from ..errors import TableError, cut, quoted, remedy


class InexactError(TableError):
    """An integer that float64 would round; the message lacks the advice, which names the column."""


MISSING = frozenset({"", "na", "n/a", "#n/a", "<na>", "null", "none", "nan", "nat", "-", "--", "?"})
_DIGITS = 400  # no finite integer of float64 has as many, but for zeros before it
_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBERS = {"true": 1.0, "false": 0.0}
TRUTH = {"yes": 1, "t": 1, "y": 1, "no": 0, "f": 0, "n": 0}
_CURRENCY = "$€£¥₹"
_SPACES = " \u00a0\u202f'’"
DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?")
_UNIT = re.compile(r"[+-]?[\d.,]+([eE][+-]?\d+)?\s*\W?\s?[^\W\d_]{1,3}\W?")  # a number with its unit
_EXPONENT = re.compile(r"[+-]?[\d.,]+[eE][+-]?\d+")
_COMMA_GROUPS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
_OTHER_GROUPS = re.compile(rf"[+-]?\d{{1,3}}(?:(\.\d{{3}})+(,\d*)?|([{_SPACES}]\d{{3}})+([.,]\d*)?)")


def _ungrouped(text: str) -> str:
    """Return a number without its thousands separators, with a decimal point."""
    if not (_COMMA_GROUPS.fullmatch(text) or _OTHER_GROUPS.fullmatch(text)):
        return text
    return text.replace(text.lstrip("+-0123456789")[0], "").replace(",", ".")


class _Mistake(NamedTuple):
    """A way to write a number that is not read, and the advice for it."""

    pattern: re.Pattern[str]
    advice: str  # to stand after the cell
    number: Callable[[str], str] = str
    setting: str = ""  # a remedy


_CURRENCY_AMOUNT = re.compile(
    rf"(?=.*[{_CURRENCY}])(?=.*\d)[{_CURRENCY} ]*+[+-]?[{_CURRENCY} \d.,]*+([eE][+-]?\d++)?[{_CURRENCY} ]*+"
)
_PERCENT = re.compile(r"(?=.*\d)[+-]?[\d.,]*+([eE][+-]?\d++)?\s*+%")
AMOUNT = (_COMMA_GROUPS, _OTHER_GROUPS, _CURRENCY_AMOUNT, _PERCENT)
DECIMAL_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?")
_NOT = "is not a number: it has a"
_MISTAKES = (
    _Mistake(DATE, "is a date, not a number; write a number, such as the days since a first day"),
    _Mistake(
        _COMMA_GROUPS,
        f"{_NOT} thousands separator; write {{number}}{{setting}}",
        _ungrouped,
        ", or say {decimal} if it is a decimal comma",
    ),
    _Mistake(_OTHER_GROUPS, f"{_NOT} thousands separator; write {{number}}", _ungrouped),
    _Mistake(
        DECIMAL_COMMA,
        f"{_NOT} decimal comma; {{setting}}write {{number}}",
        lambda text: text.replace(",", "."),
        "say {decimal} or ",
    ),
    _Mistake(re.compile(r"[+-]?[0-9]*\.[0-9]+([eE][+-]?[0-9]+)?"), f"{_NOT} decimal point, where the mark is a comma"),
    _Mistake(
        _CURRENCY_AMOUNT,
        f"{_NOT} currency sign; write {{number}}",
        lambda text: _ungrouped(re.sub(rf"[{_CURRENCY} ]", "", text)),
    ),
    _Mistake(_PERCENT, f"{_NOT} percent sign; write {{number}} in every row", lambda text: text[:-1].strip()),
    _Mistake(re.compile("[\"']+"), "is a quote alone, not a number; remove it"),
)


def of_text(text: str, decimal: str = ".") -> float:
    """Return the number in a cell of text; true and false, in any case, are 1 and 0.

    Raises
    ------
    TableError
        For text that is not a number, or not exact in float64; the message continues one with the column.

    Examples
    --------
    >>> of_text(" 1e3 "), of_text("1,5", decimal=","), of_text("True")
    (1000.0, 1.5, 1.0)
    """
    text = text.strip()
    if (truth := _NUMBERS.get(text.lower())) is not None:
        return truth
    try:
        # float() also takes 1_000 and the digits of other scripts, which are mistakes in a table.
        value = float(_pointed(text, decimal)) if text.isascii() and "_" not in text else None
    except ValueError:
        value = None
    if value is None or value != value:
        raise TableError(f": {advice(text)}")
    if not isfinite(value):
        raise TableError(f": {value} is not a finite number; fill it in")
    if abs(value) >= 2**53 and _INTEGER.fullmatch(text):
        return of_integer(int(text.lstrip("+-0")) * (-1 if text.startswith("-") else 1))
    return value


def value_of(text: str, decimal: str = ".") -> float | str | None:
    """Return what a cell of text is: a number, text, or None where it is missing."""
    if text.strip().lower() in MISSING:
        return None
    try:
        return of_text(text, decimal)
    except TableError:
        return text


def of_plain(cells: Sequence[str], decimal: str = ".") -> list[float] | None:
    """Return the numbers in all cells at once; return None if `of_text` may refuse one of them.

    Examples
    --------
    >>> of_plain(["1", " 2.5"]), of_plain(["1", "NA"]), of_plain(["9007199254740993"])
    ([1.0, 2.5], None, None)
    """
    text = "".join(cells)
    if not text.isascii() or "_" in text or (decimal != "." and "." in text):
        return None
    if decimal != ".":
        cells = [cell.replace(decimal, ".") for cell in cells]
    try:
        found = list(map(float, cells))
    except ValueError:
        return None
    # One test for all: a value that is not finite, or may be a rounded integer, makes the norm this large.
    if hypot(*found) < 2**52:
        return found
    return found if all(map(_is_exact, cells, found)) else None


def _is_exact(text: str, value: float) -> bool:
    """Whether a number is finite, and the one that its text is where that is an integer."""
    if abs(value) < 2**53:
        return True
    # Python compares an integer with a float without rounding.
    return isfinite(value) and (not _INTEGER.fullmatch(text.strip()) or (len(text) < _DIGITS and value == int(text)))


def of_json(value: Any) -> float:
    """Return a value of JSON as a number; raise as `of_text` does."""
    if isinstance(value, int):
        return of_integer(value)
    if isinstance(value, float):
        if not isfinite(value):
            raise TableError(f": {value} is not a finite number; fill it in")
        return value
    raise TableError(f": {_json_advice(value)}")


def of_integer(value: int) -> float:
    """Return an integer as a float; raise as `of_text` does if float64 cannot represent it."""
    try:
        number = float(value)
    except OverflowError:
        raise TableError(f": {quoted(value)} does not fit a 64-bit float; rescale the column") from None
    if number != value:
        raise InexactError(f": {inexact(value)}")
    return number


def is_words(text: str) -> bool:
    """Whether a cell is text that no correction makes a number.

    >>> is_words("NEAR BAY"), is_words("NA"), is_words("3 km"), is_words("TRUE")
    (True, False, False, False)
    """
    text = text.strip()
    known = text.lower() in {*MISSING, *_NUMBERS, *TRUTH} or text.lower().lstrip("+-") in ("inf", "infinity")
    is_near = any(form.fullmatch(text) for form in (_UNIT, DATE, _EXPONENT))
    return not known and not is_near and bool(re.search(r"[^\W\d_]", text))


def text_columns(rows: Sequence[Sequence[Any]], names: Sequence[str]) -> dict[str, str]:
    """Return the columns with only words and missing cells in the first rows, and the first word of each.

    >>> text_columns([["1", "INLAND"], ["2", ""], ["x", "<1H OCEAN"]], ["age", "place"])
    {'place': 'INLAND'}
    """
    found = {}
    for name, column in zip(names, zip(*rows, strict=True), strict=bool(rows)):
        cells = [cell for cell in column if cell is not None and str(cell).strip().lower() not in MISSING]
        texts = [cell for cell in cells if isinstance(cell, str) and (is_words(cell) or cell.strip().lower() in TRUTH)]
        if len(texts) == len(cells) and (words := [cell.strip() for cell in texts if is_words(cell)]):
            found[name] = words[0]
    return found


def _pointed(text: str, decimal: str) -> str:
    if decimal == ".":
        return text
    return text.replace(decimal, ".") if "." not in text else "a point where the decimal mark is another"


def advice(text: str) -> str:
    """Return what is wrong with a cell that is not a number, and what to write instead."""
    if text.lower() in MISSING:
        return f"{quoted(text) + ' stands for a missing number' if text else 'the cell is empty'}; fill it in"
    if text.lower() in TRUTH:
        return f"{quoted(text)} is a truth value, not a number; write {TRUTH[text.lower()]}"
    for mistake in _MISTAKES:
        if mistake.pattern.fullmatch(text):
            setting = remedy(mistake.setting, decimal=",")
            return f"{quoted(text)} {mistake.advice.format(number=cut(mistake.number(text)), setting=setting)}"
    return f"{quoted(text)} is not a number; correct it"


def _json_advice(value: Any) -> str:
    import json

    try:
        text = cut(json.dumps(value, default=repr))
    except RecursionError:
        text = quoted(value)
    if value is None:
        return "null stands for a missing number; fill it in"
    if isinstance(value, str) and value.strip().lower() in MISSING:
        return f"{text} stands for a missing number; fill it in"
    if isinstance(value, str) and re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", value.strip()):
        return f"{text} is not a number but text; write it without quotes"
    return f"{text} is not a number; correct it"
