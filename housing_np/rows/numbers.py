"""A number from a cell of text or of JSON, or what is wrong with it and what to write instead."""

import re
from collections.abc import Sequence
from math import hypot, isfinite
from typing import Any

from ..checks.arrays import inexact_integer
from ..errors import TableError, cut, quoted

MISSING = frozenset({"", "na", "n/a", "#n/a", "<na>", "null", "none", "nan", "nat", "-", "--", "?"})
_INTEGER = re.compile(r"[+-]?[0-9]+")
_TRUTH = {"true": 1, "yes": 1, "t": 1, "y": 1, "false": 0, "no": 0, "f": 0, "n": 0}
_CURRENCY = "$€£¥₹"
_SPACES = " \u00a0\u202f'’"
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?")
_UNIT = re.compile(r"[+-]?[\d.,]+([eE][+-]?\d+)?\s*\W?\s?[^\W\d_]{1,3}\W?")  # a number with its unit
_EXPONENT = re.compile(r"[+-]?[\d.,]+[eE][+-]?\d+")
_GROUPED = re.compile(rf"[+-]?\d{{1,3}}(?:(,\d{{3}})+(\.\d*)?|(\.\d{{3}})+(,\d*)?|([{_SPACES}]\d{{3}})+([.,]\d*)?)")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
_OR_DECIMAL = ", or say --decimal , if it is a decimal comma"


def of_text(text: str, decimal: str = ".") -> float:
    """Return the number that a cell of text holds.

    Raises
    ------
    TableError
        What is wrong, to stand after the name of the column: no number, or none that float64 can hold.

    Examples
    --------
    >>> of_text(" 1e3 "), of_text("1,5", decimal=",")
    (1000.0, 1.5)
    """
    text = text.strip()
    try:
        # float() takes 1_000 and the digits of other scripts; a table of numbers that holds them is a mistake.
        value = float(_pointed(text, decimal)) if text.isascii() and "_" not in text else None
    except ValueError:
        value = None
    if value is None or value != value:
        raise TableError(f": {_advice(text, decimal)}")
    if not isfinite(value):
        raise TableError(f": {value} is not a finite number; fill it in")
    if abs(value) >= 2**53 and _INTEGER.fullmatch(text):
        return of_integer(int(text.lstrip("+-0")) * (-1 if text.startswith("-") else 1))
    return value


def of_plain(cells: Sequence[str], decimal: str = ".") -> list[float] | None:
    """Return the numbers of cells that `of_text` all takes, at once; None where there may be any that it does not.

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
    # One look at all of them: what is not finite, or may be an integer that was rounded, makes the norm so large.
    return found if hypot(*found) < 2**52 else None


def of_json(value: Any) -> float:
    """Return the number that a value of JSON is; raise as `of_text` does."""
    if isinstance(value, int) and not isinstance(value, bool):
        return of_integer(value)
    if isinstance(value, float):
        if not isfinite(value):
            raise TableError(f": {value} is not a finite number; fill it in")
        return value
    raise TableError(f": {_json_advice(value)}")


def of_integer(value: int) -> float:
    """Return an integer as float64 holds it; raise as `of_text` does where it cannot."""
    try:
        number = float(value)
    except OverflowError:
        raise TableError(f": {quoted(value)} does not fit a 64-bit float; rescale the column") from None
    if number != value:
        raise TableError(f": {inexact_integer(value)}")
    return number


def is_words(text: str) -> bool:
    """Whether a cell is text that no correction makes a number: what a whole column of text holds.

    >>> is_words("NEAR BAY"), is_words("NA"), is_words("3 km"), is_words("TRUE")
    (True, False, False, False)
    """
    text = text.strip()
    known = text.lower() in MISSING or text.lower() in _TRUTH or text.lower().lstrip("+-") in ("inf", "infinity")
    is_near = any(form.fullmatch(text) for form in (_UNIT, _DATE, _EXPONENT))
    return not known and not is_near and bool(re.search(r"[^\W\d_]", text))


def text_columns(rows: Sequence[Sequence[Any]], names: Sequence[str]) -> dict[str, str]:
    """Return the columns in which the first rows hold nothing but words and missing cells, and such a word.

    >>> text_columns([["1", "INLAND"], ["2", ""], ["x", "<1H OCEAN"]], ["age", "place"])
    {'place': 'INLAND'}
    """
    found = {}
    for name, column in zip(names, zip(*rows, strict=True), strict=bool(rows)):
        cells = [cell for cell in column if cell is not None and str(cell).strip().lower() not in MISSING]
        texts = [cell for cell in cells if isinstance(cell, str) and (is_words(cell) or cell.strip().lower() in _TRUTH)]
        if len(texts) == len(cells) and (words := [cell.strip() for cell in texts if is_words(cell)]):
            found[name] = words[0]
    return found


def _pointed(text: str, decimal: str) -> str:
    if decimal == ".":
        return text
    return text.replace(decimal, ".") if "." not in text else "a point where the decimal mark is another"


def _advice(text: str, decimal: str) -> str:
    """Return what a cell is that is no number, and what to write instead."""
    other = {".": _DECIMAL_COMMA, ",": _DECIMAL_POINT}[decimal]
    if text.lower() in MISSING:
        return f"{quoted(text) + ' stands for a missing number' if text else 'the cell is empty'}; fill it in"
    cell = quoted(text)
    if text.lower() in _TRUTH:
        return f"{cell} is a truth value, not a number; write {_TRUTH[text.lower()]}"
    if _DATE.fullmatch(text):
        return f"{cell} is a date, not a number; write a number, such as the days since a first day"
    if _GROUPED.fullmatch(text):
        group = text.lstrip("+-0123456789")[0]
        number = text.replace(group, "").replace(",", ".")
        return (
            f"{cell} is not a number: it has a thousands separator; write {cut(number)}{_OR_DECIMAL * (group == ',')}"
        )
    if other.fullmatch(text):
        if decimal == ".":
            number = cut(text.replace(",", "."))
            return f"{cell} is not a number: it has a decimal comma; say --decimal , or write {number}"
        return f"{cell} is not a number: it has a decimal point where --decimal , was said"
    bare = re.sub(rf"[{_CURRENCY} ]", "", text)
    if any(sign in text for sign in _CURRENCY) and _is_number(bare):
        bare = bare.replace(bare.lstrip("+-0123456789")[:1], "") if _GROUPED.fullmatch(bare) else bare
        return f"{cell} is not a number: it has a currency sign; write {cut(bare)}"
    if text.endswith("%") and _is_number(text[:-1].strip()):
        return f"{cell} is not a number: it has a percent sign; write {cut(text[:-1].strip())} in every row"
    if set(text) <= {'"', "'"}:
        return f"{cell} is a quote alone, not a number; remove it"
    return f"{cell} is not a number; correct it"


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[+-]?[\d.,]*\d[\d.,]*([eE][+-]?\d+)?", text))


def _json_advice(value: Any) -> str:
    import json

    try:
        text = cut(json.dumps(value, default=repr))
    except RecursionError:
        text = quoted(value)
    if value is None:
        return "null stands for a missing number; fill it in"
    if isinstance(value, bool):
        return f"{text} is a truth value, not a number; write {int(value)}"
    if isinstance(value, str) and value.strip().lower() in MISSING:
        return f"{text} stands for a missing number; fill it in"
    if isinstance(value, str) and re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", value.strip()):
        return f"{text} is not a number but text; write it without quotes"
    return f"{text} is not a number; correct it"
