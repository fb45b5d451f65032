"""Limits of requests: bytes in memory, time, and how many run at once."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from .answering import RefusedError
from .settings import Settings


class Limits:
    """The requests that run in one process, and the bytes that they keep in memory together."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.running = 0
        self.reserved = 0

    @asynccontextmanager
    async def request(self) -> AsyncIterator["Memory"]:
        """Give a request its time; raise RefusedError(408) when it is over."""
        memory = Memory(self)
        try:
            async with asyncio.timeout(self.settings.timeout):
                yield memory
        except TimeoutError:
            raise RefusedError(408, f"the request took more than {self.settings.timeout:g} seconds") from None
        finally:
            memory.reserve(0)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Count a request as running; raise RefusedError if too many are."""
        if self.running >= self.settings.max_concurrent:
            raise RefusedError(503, f"busy: {self.running} requests are being answered; try again")
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1


class Memory:
    """The bytes that one request keeps in memory."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self.bytes = limits, 0

    def reserve(self, size: int) -> None:
        """Set the bytes of this request; raise RefusedError if all requests together would need too many."""
        limits = self.limits
        if size > self.bytes and limits.reserved - self.bytes + size > limits.settings.max_held:
            raise RefusedError(503, "busy: too many large requests at a time; try again")
        limits.reserved += size - self.bytes
        self.bytes = size

    async def body(self, scope: Any, receive: Any) -> bytes:
        """Return the body of a request, which may come in pieces."""
        limit = self.limits.settings.max_body
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            raise RefusedError(413, _too_large(limit))
        pieces: list[bytes] = []
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError
            piece, more = message.get("body", b""), message.get("more_body", False)
            size += len(piece)
            if size > limit:
                raise RefusedError(413, _too_large(limit))
            self.reserve(size)
            pieces.append(piece)
        return b"".join(pieces)


def _too_large(limit: int) -> str:
    return f"the body is more than {limit:,} bytes; send fewer rows at a time"
