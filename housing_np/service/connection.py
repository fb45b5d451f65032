"""Connections with a time limit: uvicorn would wait forever for a client that sends the head of a request slowly."""

from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from .settings import Settings

_HEAD_BYTES = 64 << 10


class Impatient(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """A protocol of uvicorn whose clients have the time of a request, and 64 KiB, to send the head of one."""

    _head_bytes = 0
    _timer: Any = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._seconds = Settings.handed_over().timeout

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Handle new bytes; the time limit goes on while the head is incomplete."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
            return
        # The rest of a refused body is read and dropped: its sender reads no answer before all is sent.
        if self.cycle is None or not self.cycle.more_body:
            self._head_bytes += len(data)
        if self._head_bytes > _HEAD_BYTES:
            self.transport.abort()
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self._seconds, self.transport.abort)

    def _stop_waiting(self) -> None:
        self._head_bytes = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
