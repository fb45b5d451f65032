"""Connections with limits: uvicorn would wait for ever for a slow client, and keep all that a fast one sends."""

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .notes import note
from .settings import Settings

_HEAD_BYTES = 64 << 10
_HEAD_FIELDS = 100
_READ_BYTES = 64 << 10
# Small, because all requests in a piece are parsed before the first of them is answered.
_PIECE = 1 << 10
_CONTINUE = b"HTTP/1.1 100 "
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Impatient(HttpToolsProtocol):
    """A protocol of uvicorn whose clients have the time of a request to send a head, and to read an answer.

    A head, and the trailers of a body, have 64 KiB and 100 fields. While requests wait for the one before them, no
    more are read.
    """

    def __init__(self, *arguments: Any, settings: Settings, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._settings = settings
        self._unparsed = bytearray()
        self._head_bytes = 0
        self._head_timer: Any = None
        self._write_timer: Any = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request; close the connection if there are too many."""
        super().connection_made(transport)
        transport.max_size = _READ_BYTES
        transport.set_write_buffer_limits(high=0)  # `pause_writing` is called whenever the client does not read
        self.flow = _Flow(transport, self._is_full)
        most = self._settings.max_connections
        if len(self.connections) > most:
            note(f"{most} connections are open, as many as --max-connections allows; others get status 503")
            transport.write(_FULL)
            transport.close()
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Handle new bytes; the time limit goes on while the head is incomplete."""
        self._unparsed += data
        self._parse()

    def on_headers_complete(self) -> None:
        """Start a request; what follows it is counted as the next head or as trailers."""
        super().on_headers_complete()
        self._head_bytes = 0
        if self.scope["method"] != "HEAD":  # a head without a body goes out alone
            self.cycle.transport = _Response(self.transport)  # type: ignore[assignment]

    def on_body(self, body: bytes) -> None:
        """Take a part of the body: it is no part of a head."""
        super().on_body(body)
        self._head_bytes = 0

    def on_response_complete(self) -> None:
        """Go on with the next request."""
        super().on_response_complete()
        self._parse()
        self.flow.resume_reading()

    def pause_writing(self) -> None:
        """Begin to wait for a client that does not read."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(self._settings.timeout, self.transport.abort)

    def resume_writing(self) -> None:
        """Wait no longer: all has been sent."""
        self._write_timer = _cancelled(self._write_timer)
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._head_timer, self._write_timer = _cancelled(self._head_timer), _cancelled(self._write_timer)
        self._unparsed.clear()
        super().connection_lost(exc)

    def _parse(self) -> None:
        while self._unparsed and not self.pipeline and not self.transport.is_closing():
            piece = bytes(self._unparsed[:_PIECE])
            del self._unparsed[:_PIECE]
            self._head_bytes += len(piece)
            super().data_received(piece)
            if self._head_bytes > _HEAD_BYTES or len(self.headers or ()) > _HEAD_FIELDS:
                self.transport.abort()
        if self._is_full():
            self.flow.pause_reading()
        if self.cycle is None or self.cycle.response_complete:
            self._wait_for_head()
        else:
            self._head_timer = _cancelled(self._head_timer)

    def _is_full(self) -> bool:
        return bool(self.pipeline or self._unparsed)

    def _wait_for_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self._settings.timeout, self.transport.abort)


class _Flow(FlowControl):
    """Reading that stays paused while the connection has enough to do."""

    def __init__(self, transport: Any, is_full: Callable[[], bool]) -> None:
        super().__init__(transport)
        self._is_full = is_full

    def resume_reading(self) -> None:
        """Read on, if the connection is not full."""
        if not self._is_full():
            super().resume_reading()


class _Response:
    """What a response is written to: its head waits for the first of its body, because a packet each costs more."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._head: bytes | None = None  # empty once it is written
        self.close, self.is_closing = transport.close, transport.is_closing

    def write(self, data: bytes) -> None:
        if self._head is None:
            if data.startswith(_CONTINUE):
                self._transport.write(data)
            else:
                self._head = data
        else:
            self._transport.write(self._head + data if self._head else data)
            self._head = b""


def _cancelled(timer: Any) -> Any:
    """Cancel a timer, if it runs; return None in its place."""
    if timer is not None:
        timer.cancel()
    return None
