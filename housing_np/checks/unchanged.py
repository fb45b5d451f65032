"""Files that must stay as they are while they are read."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ..errors import HousingError, TableError
from .paths import shown_path


class Stamp(NamedTuple):
    """What differs where a file was written to: its size in bytes, and its time of change in nanoseconds."""

    size: int
    time: int


def stamp(path: str | os.PathLike[str]) -> Stamp | None:
    """Return the stamp of a file; None for a pipe, a device, standard input, or a file that is not there."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return None
    return Stamp(status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


@contextmanager
def unchanged(path: str, stamps: dict[str, Stamp | None]) -> Iterator[None]:
    """Read a file in the block; raise TableError if it changed since its stamp was taken, or changes meanwhile.

    ``stamps`` are those of earlier readings, by path; the first reading adds one.
    """
    known = stamps.setdefault(path, stamp(path))
    try:
        yield
    except Exception:
        if stamp(path) != known:  # what the reader met is a consequence
            raise changed(path, TableError) from None
        raise
    if stamp(path) != known:
        raise changed(path, TableError)


def changed(path: str | os.PathLike[str], error: type[HousingError]) -> HousingError:
    """Return the error for a file that changed."""
    return error(f"{shown_path(path)} changed while it was read; run again")
