"""Errors and warnings that a user can meet, each of one line: what is wrong, where, what was expected, what to do."""

import sys
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice

_LONGEST = 80  # characters of what is quoted
_MOST = 20  # names in a list


class HousingError(ValueError):
    """Wrong input: data, shapes, names or options."""

    def __str__(self) -> str:
        return printable(super().__str__())


class NumbersError(HousingError, TypeError):
    """An argument holds what are no numbers."""


class TableError(HousingError):
    """A table of rows cannot be read or used; `column` is the one that a bad cell is in."""

    def __init__(self, message: str = "", column: str = "") -> None:
        super().__init__(message)
        self.column: str = column

    def after(self, place: str, advice: str = "") -> "TableError":
        """Return the error with what comes before and after its message."""
        return TableError(f"{place}{self}{advice}", self.column)


class ArtifactError(HousingError):
    """A model file cannot be read or trusted."""


class Door:
    """The way by which callers come in, and its words for what they can do: these are Python's."""

    def setting(self, name: str, value: object = None) -> str:
        """Return how a caller sets an argument of `read_table`, or names it; empty if there is none at this door."""
        return name if value is None else f"{name}={value!r}"

    def install(self, extra: str) -> str:
        """Return how a caller gets an extra of this package; names no pip where there is none, as in the container."""
        from importlib.util import find_spec  # imported here because only an error needs it

        if find_spec("pip") is None:
            return f"this installation lacks the extra {extra}; use one that has it"
        return f"install the extra {extra}, from a checkout: pip install '.[{extra}]'"


_door: ContextVar[Door] = ContextVar("door", default=Door())  # noqa: B039 (it has no state)


@contextmanager
def entered_by(door: Door) -> Iterator[None]:
    """Give the errors and notes of what is called in the block the words of a door."""
    token = _door.set(door)
    try:
        yield
    finally:
        _door.reset(token)


def remedy(text: str, **settings: object) -> str:
    """Return what a caller can do by settings, in the words of the door; empty if it does not have one of them.

    >>> remedy("; say {header}, and it is read as a row", header=False)
    '; say header=False, and it is read as a row'
    """
    words = {name: _door.get().setting(name, value) for name, value in settings.items()}
    return text.format(**words) if all(words.values()) else ""


def printable(text: str) -> str:
    """Return text in one line, with nothing in it that a terminal would obey: names and cells may hold both.

    >>> printable("a\x1b[31m b")
    'a\\\\x1b[31m b'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c in "\n\r" else c.encode("unicode_escape").decode() for c in text)


def cut(text: str, length: int = _LONGEST) -> str:
    """Return text of at most so many characters; by default as a message shows it."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def quoted(value: object) -> str:
    """Return a value as a message quotes it.

    >>> quoted("NEAR BAY"), quoted("9" * 1000)[-3:]
    ("'NEAR BAY'", '99…')
    """
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()  # one of numpy's numbers, as Python writes it
    try:
        return cut(repr(value))
    except (ValueError, RecursionError):  # an integer of more than 4,300 digits, or lists nested too deep
        return f"<{type(value).__name__}, too large to be shown>"


def listed(names: Collection[object], show: Callable[[object], str] = str) -> str:
    """Return names as a message lists them: the first, and how many there are where these are not all.

    >>> listed(["rooms", "age"], quoted), listed(range(100))[-18:]
    ("'rooms', 'age'", '19, … (100 in all)')
    """
    shown = ", ".join(cut(show(name)) for name in islice(names, _MOST))
    return f"{shown}, … ({len(names):,} in all)" if len(names) > _MOST else shown


def counted(number: float, one: str) -> str:
    """Return a number of things, in the singular or the plural.

    >>> counted(1, "row"), counted(20640, "row")
    ('1 row', '20,640 rows')
    """
    return f"{number:,} {one}{'s' if number != 1 else ''}"


@contextmanager
def extra(name: str, need: str, error: type[HousingError] = HousingError) -> Iterator[None]:
    """Import optional packages in the block; if they are absent or broken, raise an error that says how to get them.

    Parameters
    ----------
    name : str
        The extra of this package that installs them.
    need : str
        What needs them, and their names: the beginning of the message.
    error : type of HousingError

    Examples
    --------
    >>> with extra("plot", "--plot needs matplotlib"):
    ...     raise AttributeError("_ARRAY_API not found")
    Traceback (most recent call last):
    housing_np.errors.HousingError: --plot needs matplotlib, which is broken here (AttributeError: _ARRAY_API not \
found); install it again: install the extra plot, from a checkout: pip install '.[plot]'
    """
    try:
        yield
    except ModuleNotFoundError:
        raise error(f"{need}: {_door.get().install(name)}") from None
    except MemoryError:
        raise
    except Exception as problem:  # whatever a package for another version of Python or NumPy raises
        reason = cut(f"{type(problem).__name__}: {problem}")
        again = _door.get().install(name)
        raise error(f"{need}, which is broken here ({reason}); install it again: {again}") from None


def warn_caller(message: str, category: type[Warning]) -> None:
    """Warn of the line, outside this package, that called into it."""
    frame, level = sys._getframe(1), 2
    # Python 3.12 has skip_file_prefixes for this; 3.11 has not.
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__")):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def _is_ours(module: object) -> bool:
    return isinstance(module, str) and (module == __package__ or module.startswith(f"{__package__}."))
