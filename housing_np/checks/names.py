"""The names of features, targets and options: each check of them, once, in the same words everywhere."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from ..errors import HousingError, counted, listed, quoted


def as_name(name: object, what: str) -> str:
    """Return a name; refuse what is no text."""
    if not isinstance(name, str):
        raise HousingError(f"{what} is {quoted(name)}: expected a name, as text")
    return str(name)


def as_names(names: Any, what: str) -> tuple[str, ...]:
    """Return names as a tuple, of one name, or none; refuse what is no text, and a set, which has no order.

    >>> as_names(["rooms", "age"], "features"), as_names("rooms", "features"), as_names(None, "features")
    (('rooms', 'age'), ('rooms',), ())
    """
    if names is None or isinstance(names, str):
        return () if names is None else (str(names),)
    if isinstance(names, set | frozenset) or not hasattr(names, "__iter__") or getattr(names, "ndim", 1) != 1:
        raise HousingError(f"{what} is {quoted(names)}: expected a list of names, as text")
    return tuple(as_name(name, f"{what}[{i}]") for i, name in enumerate(names))


def is_storable(text: str) -> bool:
    """Whether a file can hold a text: in UTF-8, without NUL, which ends one there.

    >>> is_storable("Größe"), is_storable("a\\0b"), is_storable("\\ud800")
    (True, False, False)
    """
    return "\0" not in text and text.encode(errors="replace").decode() == text


def composed(name: str) -> str:
    """Return a name in Unicode's normal form C, in which names are compared.

    >>> composed("Gro\\u0308ße") == "Größe"
    True
    """
    if name.isascii():
        return name
    from unicodedata import normalize  # imported here because most names need it not

    return normalize("NFC", name)


def require_option(value: object, known: Collection[str], what: str, error: type[HousingError] = HousingError) -> None:
    """Refuse what is none of the names that an option may have."""
    if not isinstance(value, str) or value not in known:
        raise error(f"{what} is {quoted(value)}: expected one of {', '.join(known)}")


def require_apart(features: Sequence[str], targets: Sequence[str]) -> None:
    """Refuse names that cannot be told apart in what is read and answered by name."""
    names = Counter((*features, *targets))
    for name, count in names.items():
        if count > 1:
            raise HousingError(f"{quoted(name)} names {count} features or targets: give each a name of its own")
    for target in targets:
        if f"{target}_bound" in names:
            bound = quoted(f"{target}_bound")
            raise HousingError(f"{bound} is what the bound of {quoted(target)} is called: give it another name")


def apart_from(taken: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Return names for what has none: these, with a mark behind them where they, or their bounds, are taken.

    >>> apart_from(["x", "y"], ["y"]), apart_from(["x"], ["y"])
    (('y_',), ('y',))
    """
    others = set(taken)
    while not others.isdisjoint([*names, *(f"{name}_bound" for name in names)]):
        names = [f"{name}_" for name in names]
    return tuple(names)


def names_or_defaults(given: Sequence[str] | None, defaults: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    """Return the names of columns that were given, or else the defaults, apart from the names of the others."""
    names, count = tuple(given or apart_from(others, defaults)), len(defaults)
    if len(names) != count or len(set(names)) != count:
        raise HousingError(f"{len(set(names))} different names for {counted(count, 'column')}: {listed(names, quoted)}")
    return names
