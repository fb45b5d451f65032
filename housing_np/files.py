"""Files that appear whole or not at all."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def open_whole(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file to write: it replaces the old one in one step, and only if the block ends without an error.

    Parameters
    ----------
    path : str or Path
        A link is followed; a device or a pipe is written to directly.

    Raises
    ------
    OSError
        If it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with open_whole(Path(folder, "answers.csv")) as file:
    ...         _ = file.write(b"4.13\\n")
    ...     Path(folder, "answers.csv").read_text()
    '4.13\\n'
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
