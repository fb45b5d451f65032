"""A column that is copied from rows into their answers: each cell as it stands."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks.arrays import Floats
from .cells import Cells, is_missing

Copy = str | int | float | None


@dataclass(eq=False)
class Copied(Cells):
    """The cells of one column as they stand, beside the numbers of a row: in their place is a code.

    Attributes
    ----------
    values : dict of int to str, int, float or None
        The cells whose codes are not taken yet.

    Examples
    --------
    >>> copied = Copied("id")
    >>> copied.taken(copied.of_texts([" A 1", "007"]))
    [' A 1', '007']
    """

    levels: dict[str, int] | None = field(default_factory=dict)
    takes_missing: bool = True
    values: dict[int, Copy] = field(default_factory=dict)
    codes_to_come: Iterator[int] = field(default_factory=count)

    def of_text(self, text: str, decimal: str = ".") -> float:
        return self.of_json(text)

    def of_texts(self, texts: Sequence[str], decimal: str = ".") -> Floats:
        return np.array([self.of_json(text) for text in texts], np.float64)

    def of_json(self, value: Any) -> float:
        code = next(self.codes_to_come)
        self.values[code] = _copy(value)
        return code

    def of_array(self, column: Any) -> tuple[Floats, NDArray[np.bool_]]:
        codes = np.array([self.of_json(value) for value in column.tolist()], np.float64)
        return codes, np.zeros(len(codes), np.bool_)

    def taken(self, codes: Floats) -> list[Copy]:
        """Return the cells of these codes, once; None for NaN."""
        return [None if code != code else self.values.pop(int(code)) for code in codes.tolist()]


def _copy(value: Any) -> Copy:
    """Return a cell as an answer has it: a number, or text for all else; None where it is missing.

    >>> _copy(7), _copy("7"), _copy(True), _copy(float("nan"))
    (7, '7', 'true', None)
    """
    if isinstance(value, str):
        return value if value.isascii() else value.encode(errors="replace").decode()  # half of a pair is no UTF-8
    if is_missing(value):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, float) and isfinite(value)):
        return value
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
