"""From the body of a request to the text of its answer."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from typing import NamedTuple

import numpy as np

from ..checks.arrays import Floats
from ..command.answers import Answer, Block, answered, written
from ..errors import Door, HousingError, entered_by
from ..rows import FORMATS, Rows, TooLargeError, open_rows, stop
from ..rows.formats import ANSWER_FORMATS
from ..rows.source import require_encoding
from .served import Served

# The formats of bodies by their type; None: by their magic bytes.
TYPES: dict[str, str | None] = {kind: name for name, each in FORMATS.items() for kind in each.media_types}
TYPES |= {"application/octet-stream": None}
# The types of answers; those of other bodies are answered in JSON.
ANSWERS = {name: FORMATS[name].answer_type for name in ANSWER_FORMATS}
_GZIP = b"\x1f\x8b"
_MAGIC = (_GZIP, *(each.magic for each in FORMATS.values() if each.magic))
_PIECE = 1 << 20
_PART = 1 << 16  # numbers that are answered at a time
# A body of so many bytes, for a model of so few columns and targets, is answered within some milliseconds.
_TINY, _FEW = 4 << 10, 64
SMALL = 64 << 10  # bytes of a body: below, there is always room for it
_LARGE = 256 << 10  # bytes of a body: above, it waits for others of its kind
_NUMBER_BYTES = 40  # a float64, and the longest text of one with what separates it from the next


class RefusedError(Exception):
    """A request is refused: the HTTP status, and one line that says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class OverHTTP(Door):
    """The words of a client of HTTP: headers."""

    def setting(self, name: str, value: object = None) -> str:
        """Return the header that sets an argument; empty if none does."""
        headers = {
            "header": "header=absent in Content-Type",
            "encoding": f"charset={value} in Content-Type",
            "format": f"Content-Type: {FORMATS[str(value)].media_types[0]}" if value in FORMATS else "",
        }
        return headers.get(name, "")

    def install(self, extra: str) -> str:
        """Return what a client can do about an extra that the server lacks."""
        return f"the server lacks its extra {extra}; send another format"


class Reply(NamedTuple):
    """An answer, and its numbers of rows."""

    text: bytearray
    type: str
    rows: int
    outside: int


class Wanted(NamedTuple):
    """The form of a request, and the form that its answer should have.

    Attributes
    ----------
    format : str or None
        Of the body; its first bytes come before it.
    header : bool
        Whether CSV has a line of names.
    encoding : str or None
        Of text; None for UTF-8.
    answer : str
        One of `ANSWERS`.
    bounds : bool
    tensors : bool
        Whether the answer is that of the Open Inference Protocol, whatever the request is.
    """

    format: str | None
    header: bool = True
    encoding: str | None = None
    answer: str = "json"
    bounds: bool = False
    tensors: bool = False


def wanted(content_type: str, accept: str, bounds: str, tensors: bool) -> Wanted:
    """Return the forms that the headers and the query of a request ask for.

    Examples
    --------
    >>> wanted("text/csv; header=absent", "*/*", "", False)
    Wanted(format='csv', header=False, encoding=None, answer='csv', bounds=False, tensors=False)
    """
    # The protocol is JSON, and its clients do not say so.
    content_type = content_type or "application/json" * tensors
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    if kind not in TYPES:
        known = ", ".join(TYPES)
        raise RefusedError(
            415,
            f"Content-Type is {kind[:80]!r}: expected one of {known}"
            if kind
            else f"no Content-Type: say which of {known} the body is",
        )
    if bounds.lower() not in ("", "0", "1", "false", "true"):
        raise RefusedError(400, f"bounds is {bounds[:80]!r}: expected true or false")
    format = TYPES[kind]
    kinds = [part.split(";")[0].strip().lower() for part in accept.split(",")]
    asked = [TYPES[each] for each in kinds if TYPES.get(each) in ANSWERS]
    answer = asked[0] if asked else format if format in ANSWERS else "json"
    given = dict(parameter.replace(" ", "").partition("=")[::2] for parameter in parameters)
    return Wanted(
        format,
        given.get("header") != "absent",
        _encoding(given.get("charset")),
        "json" if tensors or answer is None else answer,
        bounds.lower() in ("1", "true"),
        tensors,
    )


def _encoding(charset: str | None) -> str | None:
    """Return the encoding that a request names; raise RefusedError for one that is not known."""
    encoding = (charset or "").strip("\"'") or None
    try:
        if encoding:
            require_encoding(encoding)
    except HousingError as error:
        raise RefusedError(415, f"charset: {error}") from None
    return encoding


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
    numbers = max(len(served.model.feature_names), len(served.model.target_names_))
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
    names = Answer(tuple(model.target_names_), want.bounds).names
    step = max(1, _PART // max(len(names), len(model.feature_names)))
    row_bytes = _row_bytes(names, want.answer)
    count = outside = 0

    def blocks(rows: Rows) -> Iterator[Block]:
        nonlocal count, outside
        for block in rows.blocks(model.columns):
            for start in range(0, len(block), step):
                X = block[start : start + step]
                count += len(X)
                if count > max_rows:
                    raise RefusedError(413, f"more than {max_rows:,} rows in a request; send fewer at a time")
                reserve(count * row_bytes)
                outside += int(is_outside(X).sum())
                yield Block(answered(model, X, want.bounds))

    text = bytearray()
    try:
        most = served.settings.max_body
        reading = {"header": want.header, "encoding": want.encoding, "most": most}
        with entered_by(OverHTTP()), open_rows(BytesIO(body), want.format, stop, **reading) as rows:  # type: ignore[arg-type]
            protocol = "v2" if want.tensors else rows.protocol
            answer = Answer(tuple(model.target_names_), want.bounds, protocol, rows.request_id, served.name)
            for piece in written(answer, blocks(rows), want.answer):
                text += piece.encode()
                reserve(count * row_bytes)
    except TooLargeError as error:
        raise RefusedError(413, str(error)) from None
    except HousingError as error:
        raise RefusedError(400, str(error)) from None
    return Reply(text, ANSWERS[want.answer], count, outside)


def _row_bytes(names: Sequence[str], format: str) -> int:
    """Return the most bytes that a row of an answer takes while it is made: its numbers, and their text."""
    keys = sum(len(json.dumps(name)) + 4 for name in names) if format == "jsonl" else 0
    return len(names) * _NUMBER_BYTES + keys
