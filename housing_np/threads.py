"""Threads for what numpy does without Python's lock, as many as the user allows and the work is worth."""

import os
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

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
    return max(1, min(wanted, _allowed()))


def _allowed() -> int:
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
