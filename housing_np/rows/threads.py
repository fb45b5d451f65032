"""Threads for what numpy does without Python's lock, as many as the user allows and the work is worth."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from ..errors import HousingError

T = TypeVar("T")
R = TypeVar("R")

_SETTINGS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")


def worth(work: float, each: float) -> int:
    """Return how many threads to use for some work, of which each thread should have at least so much.

    No more than the processors that this process may use, or than ``OPENBLAS_NUM_THREADS`` or ``OMP_NUM_THREADS`` say.

    Examples
    --------
    >>> worth(10, each=100)
    1
    """
    wanted = int(work / each)
    if wanted <= 1:
        return 1
    return max(1, min(wanted, allowed()))


def allowed() -> int:
    """Return how many threads this process may keep busy."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    said = [os.environ[name] for name in _SETTINGS if os.environ.get(name, "").strip().isdecimal()]
    return min([processors, *map(int, said[:1])])


def each(function: Callable[[T], R], items: Sequence[T], threads: int) -> list[R]:
    """Return what a function gives for each item, in their order, computed by so many threads, or by fewer.

    Where the system starts no more threads, those that there are do the work; the caller's is always one.
    """
    if threads <= 1 or len(items) <= 1:
        return [function(item) for item in items]
    results: dict[int, R] = {}
    errors: list[BaseException] = []
    coming, lock = iter(range(len(items))), threading.Lock()

    def work() -> None:
        while not errors:
            with lock:
                index = next(coming, None)
            if index is None:
                return
            try:
                results[index] = function(items[index])
            except BaseException as error:  # raised again below, in the caller's thread
                errors.append(error)

    started = []
    for _ in range(min(threads, len(items)) - 1):
        thread = threading.Thread(target=work, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            break
        started.append(thread)
    work()
    for thread in started:
        thread.join()
    if errors:
        raise errors[0]
    return [results[index] for index in range(len(items))]


def ahead(function: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[tuple[T, R]]:
    """Yield each item and what a function gives for it, in their order; so many threads work on those that come next.

    Without threads, no item is taken before it is asked for. Those before an error of the items come before it.
    """
    if not threads:
        yield from ((item, function(item)) for item in items)
        return
    from concurrent.futures import ThreadPoolExecutor  # here, not above: small inputs must not pay for it

    coming, pending = iter(items), deque[tuple[T, Callable[[], R]]]()
    end: Exception | None = None

    def begun(item: T) -> Callable[[], R]:
        nonlocal threads
        if threads:
            try:
                return pool.submit(function, item).result
            except RuntimeError:  # the system starts no more
                threads = 0
        return partial(function, item)

    with ThreadPoolExecutor(threads) as pool:
        while True:
            while end is None and len(pending) <= threads:
                try:
                    item = next(coming)
                    pending.append((item, begun(item)))
                except (StopIteration, HousingError) as error:
                    end = error
            if not pending:
                break
            item, result = pending.popleft()
            yield item, result()
    if isinstance(end, HousingError):
        raise end
