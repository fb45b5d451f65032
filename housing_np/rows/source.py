"""The bytes of a file or of standard input, and format detection from magic bytes."""

import codecs
import os
import select
import signal
import stat
import sys
import threading
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from io import BufferedReader, BytesIO, RawIOBase
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

from ..checks.paths import as_path, shown_path
from ..errors import TableError, quoted, remedy
from .formats import FOREIGN, FORMATS, format_of

CHUNK_BYTES = 1 << 20
# The most bytes of compressed rows that are held in memory if they cannot be read in order.
MOST_HELD = 1 << 27

UTF8 = "utf-8"
_GZIP = b"\x1f\x8b"
_ENCODINGS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_OTHER_CODECS = ("idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined")  # not of files
_ZIP = b"PK\x03\x04"
_EXCEL_MEMBERS = (b"[Content_Types].xml", b"_rels/", b"xl/", b"docProps/")
_MAGIC = {each.magic: each.name for each in FORMATS.values() if each.magic}
_MARKS = (*_MAGIC, _GZIP, *_ENCODINGS, _ZIP, *FOREIGN)
_LOOK = 64
_PATIENCE = 10  # seconds, for rows that nobody asked to wait for
_LONGEST_MARK = max(map(len, _MARKS))


@dataclass
class Source:
    """The bytes of rows, which can be read once."""

    name: str  # the name of the source in messages
    stream: Any  # read1 is all that standard input needs to have
    path: Path | None = None  # the file with exactly these bytes; None for a pipe and for compressed bytes
    format: str | None = None  # the format that the first bytes tell; None for text
    encoding: str = UTF8  # of text without a byte order mark
    head: bytes = b""  # what has been read already
    compressed: bool = False  # whether these bytes come out of gzip

    def __post_init__(self) -> None:
        while self._may_be_marked() and (more := self._read()):
            self.head += more
        if self.head.startswith(_GZIP):
            self._uncompress()
        elif self.head.startswith(_ZIP):
            raise TableError(f"{self.name}: {self._zipped()}")
        else:
            foreign = next((what for mark, what in FOREIGN.items() if self._begins_with(mark)), None)
            if foreign:
                raise TableError(f"{self.name}: it is {foreign}")
            self.format = next((name for mark, name in _MAGIC.items() if self._begins_with(mark)), None)
            marked = next((name for mark, name in _ENCODINGS.items() if self.head.startswith(mark)), None)
            if not marked and (name := codecs.lookup(self.encoding).name) in ("utf-16", "utf-32"):
                advice = remedy("; say {encoding}", encoding=f"{name}-le")
                raise TableError(f"{self.name}: {name} without a byte order mark{advice}")
            self.encoding = marked or self.encoding

    def wait(self, size: int = CHUNK_BYTES) -> None:
        """Wait for so many first bytes, by default a whole piece, or the end."""
        pieces, known = [self.head], len(self.head)
        while known < size and (more := self._read()):
            pieces.append(more)
            known += len(more)
        self.head = b"".join(pieces)

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes as they come."""
        if self.head:
            yield self.head
        while data := self._read():
            yield data

    def file(self) -> BinaryIO:
        """Return these bytes as a seekable file; raise TableError if they are too many to be uncompressed in memory."""
        if self.path is None and not isinstance(self.stream, BytesIO):
            return self.held(self.pieces())
        self.stream.seek(0)
        return self.stream  # type: ignore[no-any-return]

    def in_order(self) -> BinaryIO:
        """Return these bytes as a file, which is seekable only if that takes no memory."""
        if self.path is None and not isinstance(self.stream, BytesIO):
            return BufferedReader(_InOrder(self.pieces()))
        return self.file()

    def held(self, pieces: Iterable[bytes]) -> BytesIO:
        """Return pieces of these bytes as a file in memory."""
        file = BytesIO()
        for piece in pieces:
            file.write(piece)
            if self.compressed and file.tell() > MOST_HELD:
                raise self.too_large()
        file.seek(0)
        return file

    def too_large(self) -> TableError:
        """Return the error of compressed rows that would have to be held in memory."""
        return TableError(
            f"{self.name}: more than {MOST_HELD >> 20} MiB, all to be held in memory; uncompress it first"
        )

    def _read(self) -> bytes:
        if self.path is None:
            _wait_for(self.stream)
        with readable(self.name):
            try:
                return bytes(self.stream.read1(CHUNK_BYTES))
            except (EOFError, zlib.error) as error:
                raise TableError(f"{self.name}: damaged, or not whole ({error}); compress it again") from None
            except OSError as error:
                if type(error).__name__ != "BadGzipFile":
                    raise
                raise TableError(f"{self.name}: damaged, or not gzip ({error}); compress it again") from None

    def _may_be_marked(self) -> bool:
        size = len(self.head)
        return size < _LONGEST_MARK and any(mark[:size] == self.head for mark in _MARKS if len(mark) > size)

    def _begins_with(self, mark: bytes) -> bool:
        """Whether the bytes begin with a mark; a mark of letters counts only if bytes follow that are not text."""
        if not self.head.startswith(mark):
            return False
        if not mark.isalnum():
            return True
        self.wait(_LOOK)
        return any(byte < 9 or 13 < byte < 32 or byte > 126 for byte in self.head[:_LOOK])

    def _zipped(self) -> str:
        self.wait(128)
        name = self.head[30 : 30 + int.from_bytes(self.head[26:28], "little")]
        if name.startswith(_EXCEL_MEMBERS):
            return "it is an Excel workbook: save it as CSV"
        if name == b"mimetype":
            return "it is an OpenDocument spreadsheet: save it as CSV"
        if name.endswith(b".npy"):
            return "it is an .npz archive: save one array of rows with numpy.save"
        return "it is a zip archive: unpack it first"

    def _uncompress(self) -> None:
        if self.compressed:
            raise TableError(f"{self.name}: gzip within gzip; compress it once")
        import gzip

        unzipped = gzip.GzipFile(fileobj=_InOrder(copy(self).pieces()), mode="rb")
        # Whole pieces, not the few bytes that one read of the compressed ones gives.
        opened = Source(self.name, SimpleNamespace(read1=unzipped.read), encoding=self.encoding, compressed=True)
        self.stream, self.path, self.head, self.compressed = opened.stream, None, opened.head, True
        self.format, self.encoding = opened.format, opened.encoding


def _wait_for(stream: Any) -> None:
    """Wait for bytes of a pipe or for a signal, which would have to wait for the end of a read."""
    is_main = threading.current_thread() is threading.main_thread()
    if os.name != "posix" or not isinstance(stream, BufferedReader) or not is_main:
        return
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    before = signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    try:
        select.select([stream.fileno(), woken], [], [])
    finally:
        signal.set_wakeup_fd(before)
        os.close(woken)
        os.close(wakes)


def has_standard_input() -> bool:
    """Whether standard input is a pipe or a file; a terminal, /dev/null or a closed one is not."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):  # ValueError: closed
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISREG(mode)


def require_standard_input() -> None:
    """Wait for the first byte of standard input, which stays there; raise TableError at its end, or if none comes."""
    if os.name == "posix" and not select.select([sys.stdin.fileno()], [], [], _PATIENCE)[0]:
        raise TableError(
            f"nothing came on standard input in {_PATIENCE} seconds; give INPUT, - to wait for it, or < /dev/null"
        )
    if not _has_bytes(sys.stdin.fileno()):
        raise TableError("nothing came on standard input; docker run needs -i")


def _has_bytes(file: int) -> bool:
    """Whether a file that is ready to be read is not at its end."""
    status = os.fstat(file)
    if stat.S_ISREG(status.st_mode):
        return status.st_size > os.lseek(file, 0, os.SEEK_CUR)
    if os.name != "posix":
        return True
    import termios
    from fcntl import ioctl

    select.select([file], [], [])  # in other threads nobody has waited
    return any(ioctl(file, termios.FIONREAD, bytes(4)))


class _InOrder(RawIOBase):
    """Pieces of bytes as a file that cannot be sought in."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.pieces, self.rest = pieces, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.rest = self.rest or memoryview(next(self.pieces, b""))
        size = min(len(buffer), len(self.rest))
        buffer[:size], self.rest = self.rest[:size], self.rest[size:]
        return size


def require_encoding(encoding: object) -> None:
    """Raise TableError for what is not the name of an encoding of text."""
    try:
        if isinstance(encoding, str) and codecs.lookup(encoding).name not in _OTHER_CODECS:
            b"\xff".decode(encoding, "replace")  # refuses what does not make text of bytes
            return
    except (LookupError, ValueError):
        pass
    raise TableError(f"the encoding {quoted(encoding)} is not known; expected one such as utf-8, cp1252 or latin-1")


@contextmanager
def open_source(path: str | Path | BytesIO, encoding: str = UTF8) -> Iterator[Source]:
    """Open a file, standard input for "-", or the body of a request."""
    require_encoding(encoding)
    if isinstance(path, BytesIO):
        yield Source("the request", path, encoding=encoding)
        return
    if str(path) == "-":
        yield Source("standard input", sys.stdin.buffer, encoding=encoding)
        return
    path = as_path(path, TableError)
    with readable(path):
        file = path.open("rb")  # closed below, because errors of reading it have another message
    with file:
        yield Source(shown_path(path), file, path if path.is_file() else None, encoding=encoding)


@contextmanager
def readable(path: str | Path) -> Iterator[None]:
    """Turn an OSError about a file into a TableError."""
    try:
        yield
    except IsADirectoryError:
        pattern = _pattern(Path(path))
        advice = f"name the files in it: {shown_path(pattern)!r}" if pattern else "give a file in it"
        raise TableError(f"{shown_path(path)}: cannot be read (a folder); {advice}") from None
    except OSError as error:
        reason = error.strerror or error
        raise TableError(f"{shown_path(path)}: cannot be read ({reason}); give the path of a file of rows") from None


def _pattern(folder: Path) -> str | None:
    """Return a pattern that matches most files of rows in a folder, or in the folders in it; None if there are none."""
    for pattern in ("*", "*/*", "*/*/*"):
        endings = [_ending(file) for file in folder.glob(pattern) if _is_rows(file)]
        if endings:
            return str(folder / f"{pattern}{max(endings, key=endings.count)}")
    return None


def _is_rows(file: Path) -> bool:
    """Whether a file's name is one of rows; report.json is the record of a training."""
    hidden = file.name.startswith((".", "_")) or file.name == "report.json"
    return not hidden and format_of(file) is not None and file.is_file()


def _ending(file: Path) -> str:
    """Return the ending of a name, with that of the uncompressed file before .gz."""
    return "".join(file.suffixes[-2:]) if file.suffix.lower() == ".gz" else file.suffix
