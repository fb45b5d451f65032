"""From the body of a request to the text of its answer."""

import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np

from ..checks.arrays import Floats
from ..command.answers import Answer, Block, answered, written
from ..errors import HousingError
from ..quantized.model import Model
from ..rows import FORMATS, SKIP_HINT, open_rows, stop
from ..rows.formats import ANSWER_FORMATS

# The formats of bodies by their type; None: by their magic bytes.
TYPES: dict[str, str | None] = {kind: name for name, each in FORMATS.items() for kind in each.media_types}
TYPES |= {"application/octet-stream": None}
# The types of answers; those of other bodies are answered in JSON.
ANSWERS = {name: FORMATS[name].answer_type for name in ANSWER_FORMATS}
_GZIP = b"\x1f\x8b"


class RefusedError(Exception):
    """A request is refused: the HTTP status, and one line that says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Reply(NamedTuple):
    """An answer, and its numbers of rows."""

    text: bytes
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
    answer : str
        One of `ANSWERS`.
    bounds : bool
    tensors : bool
        Whether the answer is that of the Open Inference Protocol, whatever the request is.
    """

    format: str | None
    header: bool = True
    answer: str = "json"
    bounds: bool = False
    tensors: bool = False


def wanted(content_type: str, accept: str, bounds: str, tensors: bool) -> Wanted:
    """Return the forms that the headers and the query of a request ask for.

    Examples
    --------
    >>> wanted("text/csv; header=absent", "*/*", "", False)
    Wanted(format='csv', header=False, answer='csv', bounds=False, tensors=False)
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
    is_headed = "header=absent" not in [parameter.replace(" ", "") for parameter in parameters]
    return Wanted(
        format, is_headed, "json" if tensors or answer is None else answer, bounds.lower() in ("1", "true"), tensors
    )


def uncompressed(body: bytes, limit: int) -> bytes:
    """Return a body without gzip compression; raise RefusedError if that is more than `limit` bytes."""
    out = b""
    while body.startswith(_GZIP):
        unzip = zlib.decompressobj(31)
        try:
            out += unzip.decompress(body, limit + 1 - len(out))
        except zlib.error as error:
            raise RefusedError(400, f"the request: damaged, or not gzip ({error}); compress it again") from None
        if len(out) > limit:
            raise RefusedError(413, f"the body is more than {limit:,} bytes uncompressed; send fewer rows at a time")
        if not unzip.eof:
            raise RefusedError(400, "the request: damaged, or not whole; compress it again")
        body = unzip.unused_data.lstrip(b"\0")
    return out or body


def reply(
    model: Model, name: str, body: bytes, want: Wanted, max_rows: int, is_outside: Callable[[Floats], np.ndarray]
) -> Reply:
    """Answer the rows in a body as the command `predict` would.

    Raises
    ------
    RefusedError
        With the command's own message for rows that are bad.
    """
    if want.bounds and model.scheme is None:
        raise RefusedError(400, f"{name} is a float model: bounds are for quantized ones, which can be off from it")
    count = outside = 0

    def blocks(rows: Any) -> Iterator[Block]:
        nonlocal count, outside
        for X in rows.blocks(model.columns):
            count += len(X)
            if count > max_rows:
                raise RefusedError(413, f"more than {max_rows:,} rows in a request; send fewer at a time")
            outside += int(is_outside(X).sum())
            yield Block(answered(model, X, want.bounds))

    try:
        with open_rows(BytesIO(body), want.format, stop, header=want.header) as rows:  # type: ignore[arg-type]
            protocol = "v2" if want.tensors else rows.protocol
            answer = Answer(tuple(model.target_names_), want.bounds, protocol, rows.request_id, name)
            text = "".join(written(answer, blocks(rows), want.answer))
    except HousingError as error:
        raise RefusedError(400, str(error).removesuffix(SKIP_HINT)) from None
    return Reply(text.encode(), ANSWERS[want.answer], count, outside)
