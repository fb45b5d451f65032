"""The lines of text of a source, wherever its bytes are cut."""

import codecs
from collections.abc import Iterator
from io import IncrementalNewlineDecoder
from itertools import chain

from ..errors import TableError
from .source import Source

# No line is longer, and no record of CSV that has several: what never ends must not fill the memory.
LONGEST = 1 << 22
# What bytes become that are not text in the encoding of the source; no decoding gives it.
_UNDECODED = "\udcff"
_UNDECODED_AS = "housing_np.undecoded"


def _undecoded(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return _UNDECODED, error.end


codecs.register_error(_UNDECODED_AS, _undecoded)


def chunks(source: Source) -> Iterator[str]:
    """Yield whole lines as soon as they have come, as one text: a slow pipe is answered row by row.

    All lines end in one newline, whatever ended them. `unreadable` tells what is wrong with a line.
    """
    decoder = IncrementalNewlineDecoder(codecs.getincrementaldecoder(source.encoding)(_UNDECODED_AS), translate=True)
    begun: list[str] = []
    size = 0
    for data in chain(source.pieces(), [None]):
        # The last line ends too, whether or not the source says so.
        text = decoder.decode(b"", final=True) + "\n" if data is None else decoder.decode(data)
        if end := text.rfind("\n") + 1:
            first = text.index("\n")
            # Cut at one place, wherever the pieces end: what is told of a line depends on what is kept of it.
            yield ("".join(begun) + text[:first])[: LONGEST + 1] + text[first:end]
            begun, size, text = [], 0, text[end:]
        if size <= LONGEST:  # of a line that is too long, the rest is not kept
            begun.append(text[: LONGEST + 1 - size])
        size += len(text)


def decoded(source: Source, most: int) -> str:
    """Return the whole text, of so many bytes at most."""
    pieces, size = [], 0
    for piece in source.pieces():
        pieces.append(piece)
        size += len(piece)
        if size > most:
            raise TableError(
                f"{source.name}: larger than {most >> 20} MiB, and a JSON document is read whole, in sixteen times its "
                "size; write JSON Lines, an object a line, which are read as they come"
            )
    return b"".join(pieces).decode(source.encoding, _UNDECODED_AS)


def lines(text: str) -> list[str]:
    """Return the lines of a text that ends in a newline, without theirs."""
    return text[:-1].split("\n")


def undecoded(text: str) -> bool:
    """Whether there is anything in a text that was none."""
    return not text.isascii() and _UNDECODED in text


def unreadable(line: str) -> TableError | None:
    """Return what is wrong with a line, however it goes on to be read; None if nothing is."""
    if len(line) > LONGEST:
        return TableError(f": longer than {LONGEST} characters; break it up or remove it")
    if undecoded(line):
        return TableError(": not UTF-8 text; save the file as UTF-8")
    return None
