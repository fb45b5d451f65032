"""Lines of text from the bytes of a source."""

import codecs
from collections.abc import Iterator
from importlib import import_module
from io import IncrementalNewlineDecoder
from itertools import chain
from typing import Any

from ..errors import HousingError, TableError, extra, remedy
from .source import UTF8, Source

# The maximum length of a line and of a record of CSV, so that an endless one does not fill the memory.
LONGEST = 1 << 22
# Replaces bytes that cannot be decoded; decoding never returns it otherwise.
_UNDECODED = "\udcff"
_UNDECODED_AS = "housing_np.undecoded"


def _undecoded(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return _UNDECODED, error.end


codecs.register_error(_UNDECODED_AS, _undecoded)


def chunks(source: Source) -> Iterator[str]:
    """Yield whole lines as one text as soon as they are read, so that a slow pipe is answered row by row.

    All lines end in a newline, whatever their ending was. `unreadable` returns what is wrong with a line.
    """
    decoder = IncrementalNewlineDecoder(codecs.getincrementaldecoder(source.encoding)(_UNDECODED_AS), translate=True)
    begun: list[str] = []
    size = 0
    for data in chain(source.pieces(), [None]):
        # The last line may lack its newline.
        text = decoder.decode(b"", final=True) + "\n" if data is None else decoder.decode(data)
        if end := text.rfind("\n") + 1:
            first = text.index("\n")
            # Always cut at the same length, because the error of a line depends on what is kept of it.
            yield ("".join(begun) + text[:first])[: LONGEST + 1] + text[first:end]
            begun, size, text = [], 0, text[end:]
        if size <= LONGEST:  # the rest of a line that is too long is dropped
            begun.append(text[: LONGEST + 1 - size])
        size += len(text)


def decoded(source: Source, most: int) -> str:
    """Return the whole text; raise TableError if it has more bytes than ``most``."""
    pieces, size = [], 0
    for piece in source.pieces():
        pieces.append(piece)
        size += len(piece)
        if size > most:
            raise TableError(
                f"{source.name}: larger than {most >> 20} MiB, and a JSON document is read whole, in up to 48 times "
                "its size; write JSON Lines, an object a line, which are read as they come"
            )
    return b"".join(pieces).decode(source.encoding, _UNDECODED_AS)


def fast_parser(source: Source, format: str, least: int) -> Any:
    """Return pyarrow's parser of whole lines for a file of at least so many bytes; else, and without pyarrow, None."""
    if source.path is None or source.path.stat().st_size < least:
        return None
    try:
        with extra("parquet", "pyarrow reads large files"):
            return import_module(f".arrow_{format}", __package__).Parser()
    except HousingError:
        return None


def lines(text: str) -> list[str]:
    """Split a text that ends in a newline into lines."""
    return text[:-1].split("\n")


def undecoded(text: str) -> bool:
    """Whether decoding failed anywhere in the text."""
    return not text.isascii() and _UNDECODED in text


def unreadable(line: str, encoding: str = UTF8) -> TableError | None:
    """Return what is wrong with a line in any format, None if nothing is."""
    if len(line) > LONGEST:
        return TableError(f": longer than {LONGEST} characters; break it up or remove it")
    if undecoded(line):
        return TableError(f": {not_text(encoding)}")
    return None


def not_text(encoding: str) -> str:
    """Return what to do about text that is not in its encoding."""
    if codecs.lookup(encoding).name == UTF8:
        excel = remedy(", or say {encoding} if Excel wrote it", encoding="cp1252")
        return f"not UTF-8 text; save the file as UTF-8{excel}"
    return f"not text in {encoding}; say the encoding that it was written in"
