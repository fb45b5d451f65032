"""Cells as numbers: a number as it stands, the level of a category as its position, NaN for what is missing."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks.arrays import Floats, inexact, rounded_by_float64
from ..errors import TableError, listed, quoted, remedy
from . import numbers
from .columns import MISSING, Columns

UNKNOWN = np.inf  # stands for a level that is not known
_VALUE = re.compile(r"[+-]?\d+(\.0+)?|true|false", re.IGNORECASE)
_FEW = 30  # levels that are compared with an unknown one
_growing = Lock()


class UnknownLevelError(TableError):
    """A cell has a level that the model does not know."""

    def after(self, place: str, advice: str = "") -> TableError:
        return UnknownLevelError(f"{place}{self}{advice}", self.column)


@dataclass(eq=False)
class Cells:
    """How the cells of one column are read.

    Examples
    --------
    >>> sea = Cells("sea", {"far": 0, "near": 1})
    >>> sea.of_text(" near"), Cells("age", takes_missing=True).of_text("NA")
    (1.0, nan)
    """

    name: str  # of the column
    levels: dict[str, int] | None = None  # the positions of a category's levels; None for a column of numbers
    takes_missing: bool = False  # whether a missing cell is NaN, and not an error
    most: int = 0  # up to so many levels, a new one gets the next position; further ones are `UNKNOWN` and no error
    is_full: bool = field(default=False, init=False)  # whether there were more levels than `most`

    @property
    def is_plain(self) -> bool:
        """Whether only numbers are taken."""
        return self.levels is None and not self.takes_missing

    def of_text(self, text: str, decimal: str = ".") -> float:
        """Return a cell of text as a number; the message of a TableError continues one with the row."""
        text = text.strip()
        if self.levels is not None:
            return self.of_level(text)
        if self.takes_missing and text.lower() in numbers.MISSING:
            return np.nan
        try:
            return numbers.of_text(text, decimal)
        except TableError as error:
            raise self._named(error) from None

    def of_texts(self, texts: Sequence[str], decimal: str = ".") -> Floats:
        """Return a column of cells of text as numbers; raise as `of_text` does."""
        if self.levels is not None:
            return self.codes(map(str.strip, texts))
        found = numbers.of_plain(texts, decimal)
        return np.array([self.of_text(text, decimal) for text in texts] if found is None else found, np.float64)

    def of_json(self, value: Any) -> float:
        """Return a value of JSON, or any of Python's, as a number; raise as `of_text` does."""
        if self.levels is not None:
            return self.of_level(as_level(value))
        if self.takes_missing and is_missing(value):
            return np.nan
        try:
            return numbers.of_json(value)
        except TableError as error:
            raise self._named(error) from None

    def of_level(self, text: str | None) -> float:
        """Return the position of a level, None for a missing cell; raise as `of_text` does."""
        assert self.levels is not None
        found = self.levels.get(text) if text is not None else None
        return self._new(text) if found is None else float(found)

    def codes(self, texts: Iterable[str]) -> Floats:
        """Return the positions of levels, whose texts are stripped; raise as `of_text` does."""
        assert self.levels is not None
        known, texts = self.levels, list(texts)
        codes = {text: known[text] if text in known else self._new(text) for text in dict.fromkeys(texts)}
        return np.array([codes[text] for text in texts], np.float64)

    def of_array(self, column: Any) -> tuple[Floats, NDArray[np.bool_]]:
        """Return a column (n,) as numbers, and which of them are bad; masked entries are missing."""
        if self.levels is not None:
            levels = _levels(column)
            known = {level: self._code_or_none(level) for level in dict.fromkeys(levels)}
            codes = np.array([known[level] for level in levels], np.float64)
            return codes, np.array([known[level] is None for level in levels], np.bool_)
        values = np.ma.filled(column, 0)
        found = values.astype(np.float64)
        rounded = rounded_by_float64(values)
        bad = ~np.isfinite(found) if rounded is None else rounded | ~np.isfinite(found)
        is_missing = np.ma.getmaskarray(column) | np.isnan(found)
        if self.takes_missing:
            found[is_missing] = np.nan
            return found, bad & ~is_missing
        return found, bad | is_missing

    def problem(self, value: Any) -> TableError:
        """Return what is wrong with a bad value of an array; the message continues one with the row."""
        if self.levels is not None:
            try:
                self.of_level(as_level(value))
            except TableError as error:
                return error
        if value is np.ma.masked or value is None:
            text = "the value is missing (null); fill it in"
        elif isinstance(value, int | np.integer):
            text = f"{inexact(value)}{self._ignore_hint()}"
        else:
            text = f"{value} is not a finite number; fill it in"
        return TableError(f", column {quoted(self.name)}: {text}", self.name)

    def _code_or_none(self, value: Any) -> float | None:
        try:
            return self.of_level(as_level(value))
        except TableError:
            return None

    def _new(self, text: str | None) -> float:
        """Return what stands for a text that is none of the known levels."""
        assert self.levels is not None
        if text is None or text.lower() in numbers.MISSING:
            if self.takes_missing:
                return np.nan
            raise self._named(f": {numbers.advice(text or '')}")
        if self.most:
            with _growing:
                if text not in self.levels and len(self.levels) >= self.most:
                    self.is_full = True
                    same = same_level(text, self.levels)
                    return UNKNOWN if same is None else self.levels[same]
                return self.levels.setdefault(text, len(self.levels))
        if (same := same_level(text, self.levels)) is not None:
            return self.levels[same]
        raise UnknownLevelError(
            f": {self.name} is {quoted(text)}, none of the {len(self.levels):,} that the model knows: "
            f"{listed(self.levels)}{self._look_alike(text)}",
            self.name,
        )

    def _look_alike(self, text: str) -> str:
        """Return the hint at a level that looks like this text; few are looked at, as each bad row comes here."""
        known = list(self.levels or ())[:_FEW]
        if all(map(str.isascii, (text, *known))):
            return ""
        from ..checks.look_alikes import look_alike_hint  # imported here because most levels need it not

        return look_alike_hint([text], known)

    def _named(self, problem: object) -> TableError:
        """Return what is wrong with a cell, after the name of the column."""
        hint = self._ignore_hint() if isinstance(problem, numbers.InexactError) else ""
        return TableError(f", column {quoted(self.name)}{problem}{hint}", self.name)

    def _ignore_hint(self) -> str:
        identifier = remedy("train with {ignore} if it is an identifier, else ", ignore=[self.name])
        return f"; {identifier}give it as a decimal to round it"


def renamed(wanted: Sequence[Cells], names: Mapping[str, str]) -> list[Cells]:
    """Return the wanted cells under other names of their columns; those that keep theirs are not copied."""
    others = {name: other for name, other in names.items() if other != name}
    return [replace(each, name=others[each.name]) if each.name in others else each for each in wanted]


def cells_of(columns: Columns) -> list[Cells]:
    """Return how the cells of a model's columns are read."""
    return [
        Cells(name, {level: i for i, level in enumerate(levels)}, MISSING in levels)
        if (levels := columns.levels.get(name))
        else Cells(name, None, name in columns.fills)
        for name in columns.names
    ]


def same_level(text: str, levels: Collection[str]) -> str | None:
    """Return the level that a text is, maybe in another form, as files have 1 or 1.0, true or True; None if none is.

    >>> same_level("1", ["1.0", "2.0"]), same_level("TRUE", ["True"]), same_level("NORTH", ["north"])
    ('1.0', 'True', None)
    """
    if text in levels:
        return text
    whole = text.partition(".")[0]
    forms = (whole, f"{whole}.0", text.lower(), text.capitalize(), text.upper()) if _VALUE.fullmatch(text) else ()
    return next((form for form in forms if form in levels), None)


def is_missing(value: Any) -> bool:
    """Whether a value of JSON, or of Python, stands for a missing cell."""
    return value is None or value is np.ma.masked or (isinstance(value, float) and value != value)


def as_level(value: Any) -> str | None:
    """Return a value as the name of a level; None for what is missing.

    >>> as_level(" near "), as_level(True), as_level(3.0), as_level(None)
    ('near', 'true', '3', None)
    """
    if isinstance(value, str):
        return value.strip()
    if is_missing(value) or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value.decode(errors="replace") if isinstance(value, bytes) else value).strip()


def _levels(column: Any) -> list[Any]:
    """Return the values of an array, text for what has no place in a set; None for what is missing."""
    values = [None if value is np.ma.masked else value for value in column.tolist()]
    return [value if getattr(value, "__hash__", None) else str(value) for value in values]
