"""Signals that stop a command: at any moment, with nothing said and nothing half done."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_undos: list[Callable[[], object]] = []
_holds: list[None] = []
_came: list[int] = []


def catch() -> None:
    """From here on, let Ctrl-C and SIGTERM end this process, with status 130 and 143.

    An exception would not do: it is lost in a callback, shown while modules are imported, and waits for threads. As
    process 1 of a container, Python would ignore SIGTERM.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        # Who started this may want it left alone: nohup, a shell's background job.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)


def _stop(number: int, _: object) -> None:
    _came.append(number)
    if not _holds:
        _end()


def _end() -> None:
    for undo in reversed(_undos.copy()):
        with suppress(OSError, RuntimeError):  # RuntimeError: the stream was being written to
            undo()
    os._exit(128 + _came[0])


@contextmanager
def undone(undo: Callable[[], object]) -> Iterator[None]:
    """Call `undo` when the block ends, be it by a signal."""
    _undos.append(undo)
    try:
        yield
    finally:
        try:
            undo()
        finally:
            _undos.remove(undo)


@contextmanager
def held() -> Iterator[None]:
    """Let a signal wait until the block has ended: it is short, and must not be done by half."""
    _holds.append(None)
    try:
        yield
    finally:
        _holds.pop()
        if _came and not _holds:
            _end()
