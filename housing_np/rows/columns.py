"""The columns that a model is fed."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Columns:
    """The names of columns, and whose names they are.

    Attributes
    ----------
    names : tuple of str
    named : bool
        Whether the names are the user's; False for made-up ones: x0, x1, ….

    Examples
    --------
    >>> Columns(("age", "rooms")).positions(["rooms"])
    [1]
    >>> Columns(("x0", "x1"), named=False).positions(["age", "rooms"])
    [0, 1]
    """

    names: tuple[str, ...]
    named: bool = True

    def missing(self, wanted: Sequence[str]) -> list[str]:
        """Return the wanted names that no column has."""
        known = set(self.names)
        return [name for name in wanted if name not in known]

    def positions(self, wanted: Sequence[str]) -> list[int] | None:
        """Return the positions of the wanted columns, None if there are others.

        Names are looked up. If they are made up, as many wanted columns as there are go by position.
        """
        if not self.missing(wanted):
            places = {name: position for position, name in enumerate(self.names)}
            return [places[name] for name in wanted]
        if self.named or len(wanted) != len(self.names):
            return None
        return list(range(len(wanted)))


def positional_names(width: int) -> tuple[str, ...]:
    """Return the names of columns that have none.

    >>> positional_names(2)
    ('x0', 'x1')
    """
    return tuple(f"x{i}" for i in range(width))
