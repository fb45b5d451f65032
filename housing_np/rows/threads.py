"""Threads for what NumPy does without the GIL, as many as the user allows and the work pays for."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import copy_context
from functools import partial
from typing import TypeVar

from ..errors import HousingError

T = TypeVar("T")
R = TypeVar("R")

_SETTINGS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")


def thread_count(size: float, per_thread: float) -> int:
    """Return how many threads to start for work of a size, with at least ``per_thread`` of it for each.

    At most the processors that this process may use, and ``OPENBLAS_NUM_THREADS`` or ``OMP_NUM_THREADS`` if one is set.

    Examples
    --------
    >>> thread_count(10, per_thread=100)
    1
    """
    wanted = int(size / per_thread)
    if wanted <= 1:
        return 1
    return max(1, min(wanted, allowed_threads()))


def allowed_threads() -> int:
    """Return how many threads this process may keep busy."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = [os.environ[name] for name in _SETTINGS if os.environ.get(name, "").strip().isdecimal()]
    return min([processors, *map(int, limits[:1])])


def parallel_map(function: Callable[[T], R], items: Sequence[T], threads: int) -> list[R]:
    """Return the results of a function for all items, in their order, computed in threads.

    The caller's thread is one of them; there are fewer than ``threads`` if the system starts no more.
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
        # A copy of the context: what the caller silences with np.errstate is silent in the thread too.
        thread = threading.Thread(target=copy_context().run, args=(work,), daemon=True)
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


def map_ahead(function: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[tuple[T, R]]:
    """Yield each item with the function's result, in order, while threads compute the results of the next items.

    With 0 threads, an item is taken only when it is asked for. Results that precede an error of the items are yielded
    first.
    """
    if not threads:
        yield from ((item, function(item)) for item in items)
        return
    from concurrent.futures import ThreadPoolExecutor  # imported here because small inputs must start fast

    coming, pending = iter(items), deque[tuple[T, Callable[[], R]]]()
    end: Exception | None = None

    def submit(item: T) -> Callable[[], R]:
        nonlocal threads
        if threads:
            try:
                return pool.submit(copy_context().run, function, item).result
            except RuntimeError:  # the system starts no more
                threads = 0
        return partial(function, item)

    pool = ThreadPoolExecutor(threads)
    try:
        while True:
            while end is None and len(pending) <= threads:
                try:
                    item = next(coming)
                    pending.append((item, submit(item)))
                except (StopIteration, HousingError) as error:
                    end = error.with_traceback(None)  # whose frame is this one: a cycle that holds the items
            if not pending:
                break
            item, result = pending.popleft()
            yield item, result()
    finally:
        # Without waiting: garbage collection may close this generator in a thread that is just being started.
        pool.shutdown(wait=False, cancel_futures=True)
    if isinstance(end, HousingError):
        raise end
