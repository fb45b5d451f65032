"""The columns that a model is fed: numbers, categories, and what stands for a missing cell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate
from math import isfinite
from typing import Self

import numpy as np

from ..checks.arrays import Floats
from ..checks.names import as_names, composed, is_storable
from ..errors import HousingError, listed, quoted

MISSING = "(missing)"  # the level of a category that missing cells have


@dataclass(frozen=True)
class Columns:
    """The columns of a table, and what a model makes of each.

    A number is one feature. A category is a feature of 0 and 1, ``name=level``, for each of its levels but the first,
    the baseline.

    Attributes
    ----------
    names : tuple of str
    named : bool
        Whether the names are the user's; False for made-up ones: x0, x1, ….
    levels : mapping of str to tuple of str
        The levels of each category by its name, the baseline first; missing cells have the level ``(missing)``.
    fills : mapping of str to float
        The number that a missing cell of a column of numbers stands for.

    Raises
    ------
    HousingError
        For levels or fills of a column that is not there, or of both kinds for one; for levels that are fewer than
        two, empty, not apart, or not UTF-8 without NUL; for a fill that is not finite.

    Examples
    --------
    >>> columns = Columns(("age", "sea"), levels={"sea": ("far", "near", "(missing)")}, fills={"age": 30.0})
    >>> columns.feature_names
    ('age', 'sea=near', 'sea=(missing)')
    >>> columns.encode(np.array([[10.0, 1.0], [np.nan, 0.0], [20.0, np.nan]]))
    array([[10.,  1.,  0.],
           [30.,  0.,  0.],
           [20.,  0.,  1.]])
    """

    names: tuple[str, ...]
    named: bool = True
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fills: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = set(self.names)
        for name in (*self.levels, *self.fills):
            if name not in known:
                raise HousingError(f"{quoted(name)} has levels or a fill and is no column; name a column")
        for name, given in self.levels.items():
            levels = as_names(given, f"levels of {quoted(name)}")
            if len(levels) < 2 or len(set(levels)) < len(levels) or not all(levels):
                raise HousingError(f"{quoted(name)} has the levels {quoted(levels)}: expected two or more, all apart")
            for level in levels:
                if not is_storable(level):
                    raise HousingError(f"{quoted(name)} has the level {quoted(level)}: expected UTF-8, without NUL")
        for name, fill in self.fills.items():
            if name in self.levels or isinstance(fill, str) or not isfinite(fill):
                raise HousingError(f"{quoted(name)} has the fill {quoted(fill)}: expected a number, for a number")

    @cached_property
    def is_plain(self) -> bool:
        """Whether all columns are numbers without a fill: each is a feature as it stands."""
        return not self.levels and not self.fills

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the features, in the order of the columns and of their levels."""
        return tuple(feature for name in self.names for feature in self.features_of(name))

    @cached_property
    def places(self) -> dict[str, slice]:
        """The place of each column's features among all features."""
        ends = list(accumulate((len(self.features_of(name)) for name in self.names), initial=0))
        return dict(zip(self.names, map(slice, ends, ends[1:]), strict=True))

    def features_of(self, name: str) -> tuple[str, ...]:
        """Return the names of a column's features."""
        if name not in self.levels:
            return (name,)
        return tuple(f"{name}={level}" for level in self.levels[name][1:])

    def encode(self, cells: Floats) -> Floats:
        """Return rows of features (n, p) for rows of cells (n, columns).

        A cell is a number, or the position of a category's level; NaN where it is missing.

        Raises
        ------
        HousingError
            For a missing cell of a category without the level ``(missing)``.
        """
        if self.is_plain:
            return cells
        X = np.zeros((len(cells), len(self.feature_names)))
        place = 0
        for name, column in zip(self.names, cells.T, strict=True):
            if name in self.levels:
                codes = self._codes(name, column)
                rows = np.flatnonzero(codes)
                X[rows, place - 1 + codes[rows]] = 1
            else:
                X[:, place] = column
                if name in self.fills:
                    X[np.isnan(column), place] = self.fills[name]
            place += len(self.features_of(name))
        return X

    def _codes(self, name: str, column: Floats) -> np.ndarray:
        is_missing = np.isnan(column)
        levels = self.levels[name]
        if is_missing.any():
            if MISSING not in levels:
                row = int(np.argmax(is_missing))
                raise HousingError(f"{name} is missing in row {row}, and the model has no level {MISSING} for it")
            column = np.where(is_missing, levels.index(MISSING), column)
        return column.astype(np.intp)

    def missing(self, wanted: Sequence[str]) -> list[str]:
        """Return the wanted names that no column has."""
        known = set(self.names)
        return [name for name in wanted if name not in known]

    def positions(self, wanted: Sequence[str]) -> list[int] | None:
        """Return the positions of the wanted columns, None if there are others.

        Names are looked up. If they are made up, as many wanted columns as there are go by position.

        Examples
        --------
        >>> Columns(("age", "rooms")).positions(["rooms"])
        [1]
        >>> Columns(("x0", "x1"), named=False).positions(["age", "rooms"])
        [0, 1]
        """
        if not self.missing(wanted):
            places = {name: position for position, name in enumerate(self.names)}
            return [places[name] for name in wanted]
        if self.named or len(wanted) != len(self.names):
            return None
        return list(range(len(wanted)))

    def as_in(self, found: "Columns") -> Self:
        """Return these columns as they are in a table: encoded are categories that it has as features of 0 and 1.

        Examples
        --------
        >>> columns = Columns(("age", "sea"), levels={"sea": ("far", "near")})
        >>> columns.as_in(Columns(("sea=near", "age"))).names
        ('age', 'sea=near')
        """
        known = set(found.names)
        encoded = [
            name
            for name in self.levels
            if (name not in known and known.issuperset(self.features_of(name)))
            or (not found.named and len(found.names) == len(self.feature_names) != len(self.names))
        ]
        columns = self._renamed(found.spelling(self.names))
        if not encoded:
            return columns
        names = (self.features_of(name) if name in encoded else (name,) for name in columns.names)
        levels = {name: levels for name, levels in columns.levels.items() if name not in encoded}
        return replace(columns, names=tuple(feature for each in names for feature in each), levels=levels)

    def spelling(self, wanted: Sequence[str]) -> dict[str, str]:
        """Return the names of these columns that wanted ones have another spelling of, by these.

        They are equal in Unicode's normal form C, or but for a number sign before them. The names that pandas gives to
        the columns of a frame without names, 0, 1, …, stand for x0, x1, ….

        Examples
        --------
        >>> Columns(("Gro\\u0308ße", "age")).spelling(["Größe", "age"]) == {"Größe": "Gro\\u0308ße"}
        True
        >>> Columns(("0", "1")).spelling(["x0", "x1"])
        {'x0': '0', 'x1': '1'}
        """
        missing = self.missing(wanted)
        if not missing:
            return {}
        if tuple(wanted) == positional_names(len(self.names)) and self.names == tuple(map(str, range(len(self.names)))):
            return dict(zip(wanted, self.names, strict=True))
        if all(name.isascii() and not name.startswith("#") for name in missing):
            return {}
        spellings: dict[str, list[str]] = {}
        for name in self.names:
            spellings.setdefault(composed(name), []).append(name)
        found: dict[str, str] = {}
        taken = set(wanted)
        for name in missing:
            for form in (composed(name), composed(name).lstrip("# ")):
                same = [each for each in spellings.get(form, ()) if each not in taken]
                if len(same) == 1 and name not in found:
                    found[name] = same[0]
                    taken.add(same[0])
        return found

    def spelled(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return names as these columns spell them."""
        spelling = self.spelling(names)
        return tuple(spelling.get(name, name) for name in names)

    def _renamed(self, spelling: Mapping[str, str]) -> Self:
        if not spelling:
            return self
        levels = {spelling.get(name, name): levels for name, levels in self.levels.items()}
        fills = {spelling.get(name, name): fill for name, fill in self.fills.items()}
        return replace(self, names=tuple(spelling.get(name, name) for name in self.names), levels=levels, fills=fills)


def require_columns(columns: object, features: Sequence[str]) -> Columns:
    """Return columns; refuse what is none, and columns that make other features than these."""
    if not isinstance(columns, Columns):
        raise HousingError(f"columns is {quoted(columns)}: expected Columns, as read_table gives them")
    if columns.feature_names != tuple(features):
        raise HousingError(
            f"the columns make the features {listed(columns.feature_names)}: expected {listed(features)}"
        )
    return columns


def as_columns(columns: Columns | Sequence[str]) -> Columns:
    """Return columns, or those of numbers with these names.

    >>> as_columns(["age"])
    Columns(names=('age',), named=True, levels={}, fills={})
    """
    return columns if isinstance(columns, Columns) else Columns(tuple(columns))


def positional_names(width: int) -> tuple[str, ...]:
    """Return the names of columns that have none.

    >>> positional_names(2)
    ('x0', 'x1')
    """
    return tuple(f"x{i}" for i in range(width))
