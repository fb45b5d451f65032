"""How models, tables and sums are shown, copied and pickled."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np


class Shown:
    """An object with a line for terminals and a table for notebooks; a class gives the facts and the columns."""

    def _facts(self) -> list[str]:
        """Return what the line says, and the title of the table."""
        raise NotImplementedError

    def _table(self) -> tuple[Sequence[Any], Mapping[str, Sequence[Any] | np.ndarray]]:
        """Return the names of the rows, and the columns by their heads."""
        raise NotImplementedError

    def __repr__(self) -> str:
        from .display import in_brackets  # imported here because predict must start fast

        return in_brackets(self, self._facts())

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        from .display import html_table, titled

        return html_table(titled(self, self._facts()), *self._table())


class Rebuilt:
    """A dataclass whose copies and pickles are made by its constructor.

    NumPy's own copies of read-only arrays can be written to, and cached values would not follow.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, field.name) for field in fields(self))  # type: ignore[arg-type]
