"""What the columns of a user's table hold, judged by the first values: numbers, a category, or neither."""

import datetime
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..errors import cut, quoted, remedy
from .cells import as_level
from .numbers import AMOUNT, DATE, DECIMAL_COMMA, MISSING, TRUTH

FEW_LEVELS = 30  # of a column of text, for it to be a category unasked
MOST_LEVELS = 1000  # of a category
_TEXT = 0.95  # the share of a column's cells that are no numbers, if it is one of text
_MIXED = 0.2  # the share above which they are no mistakes in a column of numbers
_MOST_OWN = 0.5  # levels for each cell, above which a category tells nothing
_FEW_CELLS = 20  # which tell a column of numbers and text from a mistake

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_TIME = re.compile(
    rf"\d{{1,2}}:\d{{2}}(:\d{{2}}.*)?( ?[ap]m)?|{_MONTH}[ -]\d{{1,2}},?([ -]\d{{2,4}})?.*"
    rf"|\d{{1,2}}[ -]?{_MONTH}([ -]?\d{{2,4}}.*)?|{_MONTH},?[ -]?\d{{4}}|\d{{4}}-\d{{2}}|\d{{4}}[- ]?q[1-4]",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_TYPES_OF_TIME = (datetime.date, datetime.time, datetime.timedelta)


class Kind(NamedTuple):
    """What a column holds; by default numbers."""

    is_category: bool = False  # text of few levels
    left_out: str = ""  # why it is neither a number nor a category, with what to do
    advice: str = ""  # what else to do where it is left out
    mixed: str = ""  # what it holds if many cells are numbers and many are not, with what to do


def kind_of(name: str, values: Sequence[Any], has_types: bool = True) -> Kind:
    """Return what a column holds, from its first values: numbers, text, objects of dates, and None for a missing one.

    With ``has_types``, numbers are no text.

    >>> kind_of("sea", ["near", "far", None])
    Kind(is_category=True, left_out='', advice='', mixed='')
    >>> kind_of("day", ["2012-01-01"]).left_out
    "dates or times, such as '2012-01-01'; write a number, such as the days since a first day"
    """
    cells = [value for value in values if value is not None and not _is_missing_text(value)]
    if not cells:  # text without any tells that the others are none either, where there are types
        return Kind(has_types and any(isinstance(value, str) for value in values))
    others = [value for value in cells if not isinstance(value, int | float)]
    forms = Counter(map(_form, others))
    if not others or (not has_types and forms["number"] and forms["number"] + forms["amount"] >= _TEXT * len(others)):
        return Kind()
    form, count = forms.most_common(1)[0]
    example = next(quoted(str(value).strip()) for value in others if _form(value) == form)
    levels = len({as_level(value) for value in cells})
    if len(others) < _TEXT * len(cells):
        if form == "number" or len(cells) < _FEW_CELLS or len(others) <= _MIXED * len(cells):
            return Kind()
        return Kind(mixed=_mixed(name, form, example, len(others) / len(cells), levels / len(cells)))
    if form != "text" and count >= _TEXT * len(others):
        reason = _REASONS[form].format(example=example)
        is_category = form == "number" and levels <= _MOST_OWN * len(cells)
        return Kind(left_out=reason, advice=_as_category("; ", name) if is_category else "")
    if levels <= FEW_LEVELS:
        return Kind(True)
    if levels > _MOST_OWN * len(cells):
        return Kind(left_out=f"text that differs in most rows, such as {cut(example)}")
    return Kind(left_out=_too_many_levels(example), advice=up_to_most(name))


def _is_missing_text(value: Any) -> bool:
    return isinstance(value, str) and value.strip().lower() in MISSING


def target_problem(values: Sequence[Any], has_types: bool) -> str:
    """Return what a target holds that is not a column of numbers, from its first values; empty if it is one.

    >>> target_problem(["$350,000", "$1,250,000"], False)
    "amounts, such as '$350,000'; write plain numbers; the target has to be a column of numbers"
    """
    kind = kind_of("", values, has_types)
    text = next((quoted(str(value).strip()) for value in values if isinstance(value, str | bytes)), "")
    is_truth = all(value is None or str(value).strip().lower() in TRUTH for value in values)
    how = f"truth values ({text}); write 1 and 0" if is_truth else f"text ({text}), not numbers"
    problem = how if kind.is_category else kind.left_out
    return f"{problem}; the target has to be a column of numbers" if problem else ""


def too_many_levels(name: str, example: str) -> str:
    """Return why a column of text is left out, and what makes it a category."""
    return _too_many_levels(example) + up_to_most(name)


def _too_many_levels(example: str) -> str:
    return f"text of more than {FEW_LEVELS} levels, such as {cut(example)}"


def up_to_most(name: str) -> str:
    """Return what makes a category of a column of many levels."""
    return remedy(f"; {{categories}} takes up to {MOST_LEVELS:,}", categories=[name])


def _mixed(name: str, form: str, example: str, share: float, levels: float) -> str:
    without = remedy(", or {ignore} leaves it out", ignore=[name])
    category = _as_category(", or ", name) if levels <= _MOST_OWN else ""
    return (
        f"{_FORMS[form]} in {share:.0%} of its first cells, such as {example}; write numbers in all{without}{category}"
    )


def _as_category(before: str, name: str) -> str:
    return remedy(before + "{categories} makes a category of it", categories=[name])


_FORMS = {"text": "text", "time": "dates or times", "amount": "amounts", "nested": "lists or objects"}
_REASONS = {
    "number": "numbers written as text, such as {example}; write them as numbers",
    "time": "dates or times, such as {example}; write a number, such as the days since a first day",
    "amount": "amounts, such as {example}; write plain numbers",
    "nested": "lists or objects, such as {example}; write a column for each of their values",
}


def _form(value: Any) -> str:
    if isinstance(value, _TYPES_OF_TIME):
        return "time"
    if not isinstance(value, str | bytes):
        return "nested" if isinstance(value, list | dict | tuple) else "text"
    text = str(value).strip()
    if DATE.fullmatch(text) or _TIME.fullmatch(text):
        return "time"
    if any(pattern.fullmatch(text) for pattern in AMOUNT):
        return "amount"
    # Numbers that are written in another way: the error of the first says how they are read.
    return "number" if DECIMAL_COMMA.fullmatch(text) or _NUMBER.fullmatch(text) else "text"
