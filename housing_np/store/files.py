"""Files that appear whole or not at all."""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ..checks.paths import shown_path
from ..errors import HousingError
from .signals import held, undone

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


# Short, whatever the name of the file that it becomes, and nobody else's.
_TEMPORARY = ".housing_np-{}.tmp"


class New(NamedTuple):
    """A file that is being written, and not in its place yet."""

    file: BinaryIO
    temporary: Path | None  # None where it is written to directly
    path: Path

    def finish(self) -> None:
        """Bring all that was written to the disk, or to the reader of a pipe."""
        self.file.flush()
        if self.temporary is not None:
            os.fsync(self.file.fileno())

    def place(self) -> None:
        """Let the file replace the old one, in one step."""
        if self.temporary is None:
            return
        if fcntl is None:  # Windows renames no file that is open
            self.file.close()
        self.temporary.replace(self.path)


@contextmanager
def open_new(path: str | Path) -> Iterator[New]:
    """Open a file that is to be finished and placed; it is gone with the block if it was not."""
    if (direct := _direct(path)) is not None:
        with open(direct, "wb") as file:  # noqa: PTH123 - also of a descriptor
            yield New(file, None, Path(path))
        return
    path = Path(os.path.realpath(path))
    _clear(path.parent)
    while True:
        temporary = path.with_name(_TEMPORARY.format(os.urandom(8).hex()))
        with undone(partial(temporary.unlink, missing_ok=True)), temporary.open("xb") as file:
            _lock(file)
            if not temporary.exists():  # cleared by another writer before it was locked
                continue
            _follow(temporary, path)
            yield New(file, temporary, path)
            return


@contextmanager
def open_whole(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file to write: it replaces the old one in one step, and only if the block ends without an error.

    A link is followed; a device, a pipe or a descriptor (``/dev/stdout``) is written to directly.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with open_whole(Path(folder, "answers.csv")) as file:
    ...         _ = file.write(b"4.13\\n")
    ...     Path(folder, "answers.csv").read_text()
    '4.13\\n'
    """
    with open_new(path) as new:
        yield new.file
        new.finish()
        new.place()


def write_all(
    contents: Mapping[Path, bytes | None],
    error: type[HousingError],
    make_folders: bool = False,
    alone_in: Path | None = None,
) -> None:
    """Write files, or remove those of None; in their order, once all of them are on the disk beside their places.

    With ``alone_in``, a folder, another process that has it `locked` is waited for. Raises the ``error`` if a file
    cannot be written.
    """
    path = Path()
    try:
        with ExitStack() as opened:
            files = {}
            if make_folders:
                for path in contents:
                    path.parent.mkdir(parents=True, exist_ok=True)
            if alone_in is not None:
                opened.enter_context(locked(alone_in))
            for path, content in contents.items():
                if content is not None:
                    files[path] = opened.enter_context(open_new(path))
                    files[path].file.write(content)
                    files[path].finish()
            with held():
                for path in contents:
                    if path in files:
                        files[path].place()
                    else:
                        path.unlink(missing_ok=True)
    except (OSError, ValueError) as problem:
        raise error(unwritten(path, problem)) from None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time write the files of a set to a folder, if the system has locks of folders."""
    with ExitStack() as opened:
        if fcntl is not None:
            with suppress(OSError):  # a file system without locks, or no such folder
                descriptor = os.open(folder, os.O_RDONLY)
                opened.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def unwritten(path: str | Path, problem: Exception) -> str:
    """Return the message for a file that cannot be written: why, and what to do where its folder is missing."""
    reason = getattr(problem, "strerror", None) or problem
    folder = Path(path).parent
    is_lost = isinstance(problem, FileNotFoundError) and not folder.exists()
    advice = f"; make the folder {shown_path(folder)} first" if is_lost else ""
    return f"{shown_path(path)}: cannot be written ({reason}){advice}"


def _direct(path: str | Path) -> int | Path | None:
    """Return what is written to directly: a descriptor of this process, or what is there and no file."""
    name = os.fspath(path)
    if match := re.fullmatch(r"/dev/std(out|err)|(?:/dev|/proc/self)/fd/(\d+)", name):
        # Opened by name, a file that the shell appends to would be cut, and a socket refused.
        return os.dup(int(match[2] or {"out": 1, "err": 2}[match[1]]))
    return Path(path) if os.path.exists(name) and not os.path.isfile(name) else None  # noqa: PTH110, PTH113


def _lock(file: BinaryIO) -> None:
    """Show others that this file's writer lives: the system unlocks it when the writer is gone, however that was."""
    if fcntl is not None:
        with suppress(OSError):  # a file system without locks: nothing is cleared there either
            fcntl.flock(file, fcntl.LOCK_EX)


def _clear(folder: Path) -> None:
    """Remove what writers that died left in a folder: files that none of this or another process holds locked."""
    if fcntl is None:
        return
    for left in folder.glob(_TEMPORARY.format("[0-9a-f]" * 16)):
        with suppress(OSError):
            number = os.open(left, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            try:
                fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
                left.unlink()
            finally:
                os.close(number)


def _follow(temporary: Path, path: Path) -> None:
    """Give a file the mode of the one that it will replace, and its owner as far as the system lets it."""
    if not path.exists():
        return
    old = path.stat()
    for owner in ((-1, old.st_gid), (old.st_uid, -1)):
        with suppress(OSError, AttributeError):  # AttributeError: Windows has none
            os.chown(temporary, *owner)
    with suppress(OSError):  # a file system without modes
        temporary.chmod(stat.S_IMODE(old.st_mode))
