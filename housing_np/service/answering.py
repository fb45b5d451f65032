"""From the body of a request to the text of its answer."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np

from ..checks.arrays import Floats
from ..command.answers import Answer, Block, answered, written
from ..errors import Door, HousingError, TableError, entered_by
from ..rows import FORMATS, Rows, TooLargeError, open_rows
from ..rows.rows import Request
from .served import Served
from .straight import straight
from .wanted import RefusedError, Wanted

_GZIP = b"\x1f\x8b"
_MAGIC = (_GZIP, *(each.magic for each in FORMATS.values() if each.magic))
_PIECE = 1 << 20
_PART = 1 << 16  # numbers that are answered at a time
# A body of so many bytes, for a model of so few columns and targets, is answered within some milliseconds.
_TINY, _FEW = 4 << 10, 64
_LARGE = 256 << 10  # bytes of a body: above, it waits for others of its kind
_NUMBER_BYTES = 40  # a float64, and the longest text of one with what separates it from the next


class OverHTTP(Door):
    """The words of a client of HTTP: headers."""

    def setting(self, name: str, value: object = None) -> str:
        """Return the header that sets an argument; empty if none does."""
        match name, value:
            case "header", _:
                return "header=absent in Content-Type"
            case "encoding", _:
                return f"charset={value} in Content-Type"
            case "format", str(format):
                return f"Content-Type: {FORMATS[format].media_types[0]}"
        return ""

    def install(self, extra: str) -> str:
        """Return what a client can do about an extra that the server lacks."""
        return f"the server lacks its extra {extra}; send another format"


class Reply(NamedTuple):
    """An answer, and its numbers of rows."""

    text: bytes | bytearray
    type: str
    rows: int
    outside: int


def uncompressed(body: bytes, limit: int, reserve: Callable[[int], None] = lambda size: None) -> bytes:
    """Return a body without gzip compression; raise RefusedError if that is more than `limit` bytes.

    `reserve` is called with the bytes so far.
    """
    if not body.startswith(_GZIP):
        return body
    out = bytearray()
    try:
        with gzip.open(BytesIO(body)) as file:
            while piece := file.read(_PIECE):
                out += piece
                reserve(len(out))
                if len(out) > limit:
                    raise RefusedError(
                        413, f"the body is more than {limit:,} bytes uncompressed; send fewer rows at a time"
                    )
    except (zlib.error, EOFError, OSError) as error:
        raise RefusedError(400, f"the request: damaged, or not whole ({error}); compress it again") from None
    if out.startswith(_GZIP):
        raise RefusedError(400, "the request: gzip within gzip; compress it once")
    return bytes(out)


def is_tiny(served: Served, body: bytes) -> bool:
    """Whether a body is answered faster than a thread is asked to."""
    numbers = max(len(served.columns.feature_names), len(served.targets))
    return len(body) < _TINY and numbers <= _FEW and not body.startswith(_MAGIC)


def is_large(body: bytes) -> bool:
    """Whether a body can keep a thread busy for long: it has many bytes, or may have once it is uncompressed."""
    if len(body) > _LARGE or body.startswith(FORMATS["parquet"].magic):
        return True
    if not body.startswith(_GZIP):
        return False
    unzip = zlib.decompressobj(31)
    try:
        unzip.decompress(body, _LARGE)
    except zlib.error:
        return False
    return not unzip.eof or bool(unzip.unused_data)


def reply(
    served: Served,
    body: bytes,
    want: Wanted,
    is_outside: Callable[[Floats], np.ndarray],
    reserve: Callable[[int], None] = lambda size: None,
) -> Reply:
    """Answer the rows in a body as the command `predict` would.

    Parameters
    ----------
    served : Served
    body : bytes
    want : Wanted
    is_outside : callable
        Finds the rows outside the range.
    reserve : callable
        Called with the most bytes that the answer may have so far, before these are computed; raises RefusedError if
        there is no room for them, or nobody waits for them.

    Raises
    ------
    RefusedError
        With the command's own message for rows that are bad.
    """
    model, max_rows = served.model, served.settings.max_rows
    if want.bounds and model.scheme is None:
        raise RefusedError(
            400, f"{served.name} is a float model: bounds are for quantized ones, which can be off from it"
        )
    if (made := _straight_reply(served, body, want, is_outside, reserve)) is not None:
        return made
    answer = _answer(served, want, Request())
    step = max(1, _PART // max(len(answer.names), len(served.columns.feature_names)))
    row_bytes = _row_bytes(answer.names, want.answer)
    text = bytearray()
    count = outside = 0

    def blocks(rows: Rows) -> Iterator[Block]:
        nonlocal count, outside
        for block in rows.blocks(served.columns):
            for start in range(0, len(block), step):
                X = block[start : start + step]
                count += len(X)
                if count > max_rows:
                    raise RefusedError(413, f"more than {max_rows:,} rows in a request; send fewer at a time")
                reserve(count * row_bytes)
                outside += int(np.count_nonzero(is_outside(X)))
                yield Block(answered(model, X, want.bounds))

    reading: dict[str, Any] = {"format": want.format, "header": want.header, "encoding": want.encoding}
    try:
        with entered_by(OverHTTP()), open_rows(BytesIO(body), most=served.settings.max_body, **reading) as rows:
            for piece in written(_answer(served, want, rows.request), blocks(rows), want.answer):
                text += piece.encode()
                reserve(count * row_bytes)
    except TooLargeError as error:
        raise RefusedError(413, str(error)) from None
    except HousingError as error:
        raise RefusedError(400, f"{error}{_stripped(body, want)}", isinstance(error, TableError)) from None
    if not count and want.format == "csv" and want.header and (stripped := _stripped(body, want)):
        raise RefusedError(
            400, f"the request: the names of the columns alone, in a line without an end{stripped}", True
        )
    return Reply(text, want.type, count, outside)


def _straight_reply(
    served: Served,
    body: bytes,
    want: Wanted,
    is_outside: Callable[[Floats], np.ndarray],
    reserve: Callable[[int], None],
) -> Reply | None:
    """Answer a request as `reply` does, if there is a straight way to its rows and they are few; else return None."""
    found = straight(served.columns, body, want)
    if found is None or len(found.X) > served.settings.max_rows or len(found.X) * len(served.targets) > _PART:
        return None
    answer = _answer(served, want, found.request)
    reserve(len(found.X) * _row_bytes(answer.names, want.answer))
    values = answered(served.model, found.X, want.bounds)
    try:
        text = "".join(written(answer, [Block(values)], want.answer))
    except HousingError:  # of an unknown output
        return None
    return Reply(text.encode(), want.type, len(values), int(np.count_nonzero(is_outside(found.X))))


def _answer(served: Served, want: Wanted, request: Request) -> Answer:
    request = request._replace(protocol="v2") if want.tensors else request
    return Answer(served.targets, want.bounds, request, served.name, want.answer_header)


def _stripped(body: bytes, want: Wanted) -> str:
    """Return the likely reason why a text of lines has no line end; empty if it has one."""
    is_text = want.format == "jsonl" or (want.format == "csv" and not body.startswith((b"[", b"{")))
    is_one = is_text and not any(end in body for end in (b"\n", b"\r"))
    return "; curl -d strips line ends, --data-binary keeps them" if is_one else ""


def _row_bytes(names: Sequence[str], format: str) -> int:
    """Return the most bytes that a row of an answer takes while it is made: its numbers, and their text."""
    keys = sum(len(json.dumps(name)) + 4 for name in names) if format == "jsonl" else 0
    return len(names) * _NUMBER_BYTES + keys
