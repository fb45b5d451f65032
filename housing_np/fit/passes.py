"""Passes over rows: in memory, over files, and on a Dask cluster.

What is learnt from rows is a *sum*: it starts empty, takes blocks of rows, and two of them add up to that of the rows
of both. Several sums of the same rows are one sum, so one pass makes them all, in any cutting of the rows.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import reduce
from importlib.util import find_spec
from itertools import repeat, takewhile
from operator import add
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..checks.arrays import Floats, pieces
from ..checks.paths import shown_path
from ..errors import HousingError, TableError, cut, install_hint
from ..rows import Skipped
from ..rows.table import Block, Stream
from ..rows.threads import ahead, each, worth

Watch = Callable[[Iterable[Any]], Iterable[Any]]
_FAN_IN = 8
_STRETCH_SIZE = 1 << 20  # numbers that a thread is worth
_TIMEOUT = 10  # seconds
_PACKAGE = __package__.partition(".")[0]


class Sum(Protocol):
    """What adds up over blocks of rows X (n, p) with targets y (n,)."""

    def update(self, X: Floats, y: Floats, /) -> None:
        """Add a block of rows."""

    def __add__(self, other: Self, /) -> Self:
        """Return the sum of the rows of both."""


S = TypeVar("S", bound=Sum)


class Together:
    """Sums of the same rows, which are one sum: its attributes are the parts.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> from housing_np.calibration import Calibration
    >>> @dataclass
    ... class Both(Together):
    ...     all: Calibration
    ...     first: "Selected"
    >>> both = Both(Calibration(), Selected(Calibration(), lambda X, y: y == y[0]))
    >>> import numpy as np
    >>> both.update(np.array([[1.0], [3.0]]), np.array([0.0, 1.0]))
    >>> both.all.mean, both.first.sum.mean
    (array([2.]), array([1.]))
    """

    def update(self, X: Floats, y: Floats) -> None:
        """Add a block of rows to every part."""
        parts = list(vars(self).values())
        each(lambda part: part.update(X, y), parts, worth(X.size, each=_STRETCH_SIZE))

    def __add__(self, other: Self) -> Self:
        """Return the sums of the rows of both."""
        return type(self)(*map(add, vars(self).values(), vars(other).values()))


class Selected(Generic[S]):
    """The sum of some rows of each block: those of which `select(X, y)`, of shape (n,), is true."""

    def __init__(self, sum: S, select: Callable[[Floats, Floats], NDArray[np.bool_]]) -> None:
        self.sum = sum
        self.select: Callable[[Floats, Floats], NDArray[np.bool_]] = select

    def update(self, X: Floats, y: Floats) -> None:
        """Add the selected rows of a block."""
        chosen = self.select(X, y)
        for piece in pieces(X):
            self.sum.update(X[piece][chosen[piece]], y[piece][chosen[piece]])

    def __add__(self, other: "Selected[S]") -> "Selected[S]":
        """Return the sum of the selected rows of both."""
        return Selected(self.sum + other.sum, self.select)


def total(empty: S, blocks: Iterable[Block]) -> S:
    """Return the sum of blocks of rows (X, y), begun with a copy of an empty one.

    Examples
    --------
    >>> import numpy as np
    >>> from housing_np.calibration import Calibration
    >>> blocks = [(np.array([[0.0], [2.0]]), np.zeros(2)), (np.array([[4.0]]), np.zeros(1))]
    >>> total(Calibration(), blocks).mean
    array([2.])
    """
    result = deepcopy(empty)
    for X, y in _read_ahead(blocks):
        result.update(X, y)
    return result


def _read_ahead(blocks: Iterable[Block]) -> Iterator[Block]:
    """Yield the blocks; a thread reads the next one while the caller works on this one."""
    coming = ahead(lambda each: next(each, None), repeat(iter(blocks)), 1)
    yield from takewhile(lambda block: block is not None, (block for _, block in coming))


def total_on_cluster(client: Any, stream: Stream, empty: S, watch: Watch = iter) -> S:
    """Return the sum of the rows of files, each summed on a worker that sees it; `watch` sees each file done.

    The sums are values and adding makes new ones, so Dask may compute any of them again after losing a worker: no row
    counts twice.

    Parameters
    ----------
    client : distributed.Client
    stream : Stream
    empty : Sum
    watch : callable, optional

    Raises
    ------
    HousingError
        If the scheduler or the last worker is lost; as reading the files does.
    """
    # Imported here, as Dask is: without a cluster nobody waits for them.
    from concurrent.futures import CancelledError

    import dask
    import distributed

    part = dask.delayed(_total_of_files, pure=True)
    paths = tuple(map(os.path.abspath, stream.paths))
    leaves = [part(empty, replace(stream, paths=(path,))) for path in paths]
    *parts, whole = client.compute([*leaves, tree(leaves)])
    try:
        for _ in watch(_done(client, parts)):
            pass
        for _ in _done(client, [whole]):
            pass
        read: _Read[S] = whole.result()
    except distributed.KilledWorker as error:
        raise HousingError(f"every worker that took a task died of it; see their logs ({error})") from None
    except CancelledError:
        raise HousingError("the scheduler was lost in the middle of a pass; start it and run again") from None
    stream.skipped.update(read.skipped)
    return read.sum


@dataclass
class _Read(Generic[S]):
    """The sum of the rows of files, and the bad rows that were skipped in each."""

    sum: S
    skipped: dict[str, Skipped]

    def __add__(self, other: "_Read[S]") -> "_Read[S]":
        return _Read(self.sum + other.sum, self.skipped | other.skipped)


def tree(sums: Sequence[Any]) -> Any:
    """Return the sum of Dask tasks as one task, by a tree of additions."""
    import dask

    add_up = dask.delayed(_add_up, pure=True)
    while len(sums) > 1:
        sums = [add_up(sums[i : i + _FAN_IN]) for i in range(0, len(sums), _FAN_IN)]
    return sums[0]


def _add_up(sums: Sequence[Any]) -> Any:
    return reduce(add, sums)


def _total_of_files(empty: S, stream: Stream) -> "_Read[S]":
    for path in stream.paths:
        if not Path(path).exists():
            raise TableError(
                f"{shown_path(path)}: a worker does not see this file; put it where all see it under one path"
            )
    return _Read(total(empty, stream), stream.skipped)


def _done(client: Any, futures: list[Any]) -> Iterator[Any]:
    """Yield futures as they are done; Dask itself would wait for ever where no worker is left."""
    import distributed

    waiting = set(futures)
    while waiting:
        try:
            done, waiting = distributed.wait(waiting, timeout=_TIMEOUT, return_when="FIRST_COMPLETED")
            yield from done
        except TimeoutError:
            if not client.scheduler_info()["workers"]:
                raise HousingError("no worker is left in the middle of a pass; start one and run again") from None


@contextmanager
def connect(address: str) -> Iterator[Any]:
    """Yield a client of the scheduler at an address, once it has a worker and all of them have this package."""
    import_dask()
    import logging

    import distributed

    # What it would say of a lost scheduler in forty lines, the error says in one.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = distributed.Client(address, timeout=_TIMEOUT)
    except (OSError, ValueError, TypeError, ImportError) as error:
        raise HousingError(
            f"no Dask scheduler answers at {cut(address)} ({cut(str(error))}); give one as tcp://host:8786"
        ) from None
    with client:
        try:
            client.wait_for_workers(1, _TIMEOUT)
        except TimeoutError:
            raise HousingError(
                f"no worker came to the scheduler at {cut(address)} in {_TIMEOUT} seconds; start one"
            ) from None
        found = {"the scheduler": client.run_on_scheduler(find_spec, _PACKAGE), **client.run(find_spec, _PACKAGE)}
        if missing := [where for where, spec in found.items() if spec is None]:
            raise HousingError(f"{missing[0]} has no {_PACKAGE}: install it there, in the same version")
        yield client


def import_dask() -> Any:
    """Return the module dask, or say how to install it."""
    try:
        import dask
        import distributed  # noqa: F401 - looked for here, where its absence can be told
    except ImportError:
        raise HousingError(f"work on a cluster needs Dask: {install_hint('dask')}") from None
    return dask
