"""Limits of requests: bytes in memory, time, threads, and how many run at once."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Self, TypeVar

from .settings import Settings
from .wanted import RefusedError

T = TypeVar("T")

SMALL = 64 << 10  # bytes of a body: below, there is always room for it


class Limits:
    """The requests that run in one process, their threads, and the bytes that they keep in memory together."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.running = 0
        self.reserved = 0
        self.lock = threading.Lock()
        # Small requests have a thread of their own: they would wait long behind a few large ones.
        self._for_large, self._for_small = Thread(), Thread()

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

    async def in_thread(self, work: Callable[[], T], memory: "Memory", is_large: bool = False) -> T:
        """Return the result of work that is done in a thread, once that is free."""
        return await (self._for_large if is_large else self._for_small).run(work, memory)


class Thread:
    """A thread, for which work waits here: an executor would keep the body of a request that has ended.

    One, because most of the work holds the GIL: a second would take memory, and save no time.
    """

    def __init__(self) -> None:
        self._executor, self._free = ThreadPoolExecutor(1), asyncio.Semaphore(1)

    async def run(self, work: Callable[[], T], memory: "Memory") -> T:
        """Return the result of work that uses the memory of a request."""
        await self._free.acquire()
        memory.is_used = True
        future = asyncio.get_running_loop().run_in_executor(self._executor, work)

        def done(future: "asyncio.Future[T]") -> None:
            future.exception()  # asyncio reports errors that nobody looks at
            self._free.release()
            memory.leave()

        future.add_done_callback(done)
        try:
            await asyncio.wait({future})  # unlike the future itself, it can be cancelled while the thread goes on
            return future.result()
        finally:
            del future  # its error would refer to this frame, and the frame to it


class Memory:
    """The bytes that one request keeps in memory, until the block ends and no thread works for it."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self.bytes = limits, 0
        self.is_used = self.has_ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Give back the memory, or let a thread that works for the request do so when it notices."""
        self.has_ended = True
        if not self.is_used:
            self.reserve(0)

    def leave(self) -> None:
        """Give back the memory if the request ended while a thread worked for it."""
        self.is_used = False
        if self.has_ended:
            self.reserve(0)

    def reserve(self, size: int) -> None:
        """Set the bytes of this request; raise RefusedError if all requests together would need too many."""
        limits = self.limits
        with limits.lock:
            total = limits.reserved - self.bytes + size
            # There is always room for small requests: large ones cannot keep them out.
            if size > max(self.bytes, SMALL) and total > limits.settings.max_held:
                raise RefusedError(503, "busy: too many large requests at a time; try again")
            limits.reserved, self.bytes = total, size

    def reserve_more(self, held: int, more: int) -> None:
        """Set the bytes of this request: those that it holds, and those that will be there next.

        Raises
        ------
        RefusedError
            If nobody waits for the answer, if even an idle server could not hold it (413), or other requests are in
            the way (503).
        """
        if self.has_ended:
            raise RefusedError(408, "nobody waits for the answer")
        room = self.limits.settings.max_held - held
        if more > room:
            raise RefusedError(413, f"the answer can take more than {room:,} bytes; send fewer rows at a time")
        self.reserve(held + more)

    async def body(self, headers: Mapping[bytes, bytes], receive: Any) -> bytes:
        """Return the body of a request, which may come in pieces."""
        limit = self.limits.settings.max_body
        declared = headers.get(b"content-length", b"0")
        if len(declared) > len(str(1 << 64)):
            raise RefusedError(400, f"Content-Length has {len(declared):,} digits: expected the bytes of the body")
        if declared.isdigit() and int(declared) > limit:
            raise RefusedError(413, _too_large(limit))
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError
            piece, more = message.get("body", b""), message.get("more_body", False)
            if len(body) + len(piece) > limit:
                raise RefusedError(413, _too_large(limit))
            self.reserve(len(body) + len(piece))
            body += piece
        return bytes(body)


async def unless_gone(receive: Any, work: Awaitable[T]) -> T:
    """Return the result of work; cancel it and raise ConnectionError if the client goes away."""
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ConnectionError
        return task.result()
    finally:
        gone.cancel()
        task.cancel()
        del gone, task  # as above


async def _disconnected(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _too_large(limit: int) -> str:
    return f"the body is more than {limit:,} bytes; send fewer rows at a time"
