"""Standard output and error: streams, notes, JSON and tables."""

import json
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any, TextIO, TypeVar

from ..errors import HousingError, printable
from .statuses import DONE

T = TypeVar("T")
_is_quiet = False


class StandardStream:
    """Standard output or error, which tells its own failures apart from those of other files."""

    def __init__(self, stream: TextIO, is_lossy: bool) -> None:
        """Wrap a stream; text that cannot be written is lost if `is_lossy`, else it ends the command."""
        # In any locale: tables contain R², and rows contain the user's names.
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[attr-defined]
        self.stream, self.is_lossy = stream, is_lossy

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write text."""
        return self._try(self.stream.write, text) or 0

    def write_bytes(self, content: bytes) -> None:
        """Write bytes."""
        self._try(self.stream.buffer.write, content)

    def flush(self) -> None:
        """Write the buffered text."""
        self._try(self.stream.flush)

    def _try(self, action: Callable[..., T], *arguments: str | bytes) -> T | None:
        try:
            return action(*arguments)
        except OSError as error:
            if self.is_lossy:
                return None
            if isinstance(error, BrokenPipeError):
                sys.exit(DONE)  # a reader that stops early is not an error
            raise HousingError(f"standard output cannot be written ({error.strerror})") from None


@contextmanager
def standard_streams() -> Iterator[None]:
    """Print as a command does: in UTF-8, and warnings as notes. Everything is restored when the block is left."""
    global _is_quiet
    saved = _is_quiet, warnings.showwarning, sys.stdin, sys.stdout, sys.stderr
    with ExitStack() as opened:
        try:
            sys.stdin = sys.stdin or opened.enter_context(Path(os.devnull).open())
            sys.stdout = _standard_stream(opened, sys.stdout, is_lossy=False)
            sys.stderr = _standard_stream(opened, sys.stderr, is_lossy=True)
            note_once = cache(note)  # where in the code a warning comes from does not matter to a user
            warnings.showwarning = lambda message, *_: note_once(str(message))
            _is_quiet = False
            yield
        finally:
            _is_quiet, warnings.showwarning, sys.stdin, sys.stdout, sys.stderr = saved


def _standard_stream(opened: ExitStack, stream: TextIO | None, is_lossy: bool) -> Any:
    """Wrap a stream, or the null device if the caller closed it, until the stack is closed."""
    if stream is None:
        stream = opened.enter_context(Path(os.devnull).open("w"))  # noqa: SIM115 - the stack closes it
    opened.callback(_reconfigure, stream, stream.encoding, stream.errors)
    return StandardStream(stream, is_lossy)


def _reconfigure(stream: Any, encoding: str, errors: str | None) -> None:
    with suppress(OSError, ValueError):  # text that cannot be written was reported, and a closed stream needs nothing
        stream.reconfigure(encoding=encoding, errors=errors)


def set_quiet(is_quiet: bool) -> None:
    """Print no notes, or print them again; `standard_streams` restores what was set before."""
    global _is_quiet
    _is_quiet = is_quiet


def say(text: str) -> None:
    """Print one line on stderr."""
    print(printable(text), file=sys.stderr, flush=True)


def note(message: str) -> None:
    """Print one line on stderr that is not an error, unless --quiet is given."""
    if not _is_quiet:
        say(f"note: {message}")


def notes(messages: Iterable[str]) -> None:
    """Print several notes."""
    for message in messages:
        note(message)


def show(text: str) -> None:
    """Print lines on standard output, with control characters escaped."""
    print("\n".join(map(printable, text.split("\n"))))


def show_bytes(content: bytes) -> None:
    """Write bytes on standard output, which may not be a terminal."""
    if sys.stdout.isatty():
        raise HousingError("a binary file is nothing for a terminal: name a file with --out, or pipe it to a command")
    sys.stdout.write_bytes(content)  # type: ignore[union-attr]


def dumps(report: Any, indent: int | None = None) -> str:
    """Return JSON; infinity and NaN, which it does not have, become null.

    >>> dumps({"r2": [0.5, float("nan")]})
    '{"r2": [0.5, null]}'
    """
    return json.dumps(_finite(report), allow_nan=False, indent=indent)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value
