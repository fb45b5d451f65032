"""Passes over files on a Dask cluster, and sums of Dask tasks."""

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import reduce
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..checks.paths import shown_path
from ..checks.unchanged import Stamp
from ..errors import HousingError, TableError, cut, extra
from ..fit.passes import Sum, total
from ..rows import Skipped
from ..rows.stream import Stream
from ..rows.survey import Survey

S = TypeVar("S", bound=Sum)
Watch = Callable[[Iterable[Any]], Iterable[Any]]
_TIMEOUT = 10  # seconds
_FAN_IN = 8


def import_dask() -> Any:
    """Return the module dask; raise HousingError that says how to install it if it is missing."""
    with extra("dask", "work on a cluster needs Dask"):
        import dask
        import distributed  # noqa: F401 - imported to report its absence here
    return dask


def tree_sum(tasks: Sequence[Any]) -> Any:
    """Return the sum of tasks as one task, by a tree of additions of at most 8 tasks each."""
    add_up = import_dask().delayed(_add_up, pure=True)
    while len(tasks) > 1:
        tasks = [add_up(tasks[i : i + _FAN_IN]) for i in range(0, len(tasks), _FAN_IN)]
    return tasks[0]


def _add_up(sums: Sequence[Any]) -> Any:
    return reduce(operator.add, sums)


@contextmanager
def connect(address: str, timeout: float = _TIMEOUT) -> Iterator[Any]:
    """Yield a client of the scheduler at an address, once it has a worker and all of them have this package.

    Raises
    ------
    HousingError
        If no scheduler answers or no worker joins within `timeout` seconds, or one of them lacks the package.
    """
    import_dask()
    with _without_logs(), _client(address, timeout) as client:
        try:
            client.wait_for_workers(1, timeout)
        except TimeoutError:
            raise HousingError(
                f"no worker came to the scheduler at {cut(address)} in {timeout} seconds; start one"
            ) from None
        _require_package(client)
        yield client


def _client(address: str, timeout: float) -> Any:
    import distributed

    try:
        return distributed.Client(address, timeout=timeout)
    except (OSError, ValueError, TypeError, ImportError) as error:
        raise HousingError(
            f"no Dask scheduler answers at {cut(address)} ({cut(str(error))}); give one as tcp://host:8786"
        ) from None


@contextmanager
def _without_logs() -> Iterator[None]:
    """Log nothing in the block: Dask reports a lost scheduler in forty lines; our error says it in one."""
    import logging

    before = logging.root.manager.disable
    logging.disable()
    try:
        yield
    finally:
        logging.disable(before)


def _require_package(client: Any) -> None:
    """Raise HousingError if the scheduler or a worker does not have this package."""
    package = __name__.partition(".")[0]
    specs = {"the scheduler": client.run_on_scheduler(find_spec, package)}
    specs |= client.run(find_spec, package, on_error="return")
    if missing := [where for where, spec in specs.items() if spec is None or isinstance(spec, Exception)]:
        raise HousingError(f"{missing[0]} has no {package}: install it there, in the same version")


def total_on_cluster(
    client: Any,
    stream: Stream,
    empty: Any,
    watch: Watch = iter,
    timeout: float = _TIMEOUT,
    add: Callable[[Any, Stream], Any] = total,
) -> Any:
    """Return the sum of the rows of files, each summed on a worker that sees it.

    The sums are values and adding makes new ones, so Dask may compute any of them again after losing a worker: no row
    counts twice.

    Parameters
    ----------
    client : distributed.Client
    stream : Stream
        The bad rows that the workers skip are counted in its `skipped`, and the stamps of the files go to its `stamps`.
    empty : Sum
    watch : callable, optional
        Called with an iterable of the files as they are done; returns one of the same.
    timeout : float
        Seconds after which the cluster is asked again whether it still has a worker.
    add : callable
        Returns the sum of the rows of a stream, for an empty sum.

    Raises
    ------
    HousingError
        If the scheduler or the last worker is lost; as reading the files does.
    """
    import dask  # imported here because a training without a cluster must start fast

    part = dask.delayed(_total_of_file, pure=True)
    alone = replace(stream, skipped={}, dropped={})  # each file counts its own rows
    leaves = [part(empty, replace(alone, paths=(str(Path(path).absolute()),)), add) for path in stream.paths]
    with _cluster_errors():
        *parts, whole = client.compute([*leaves, tree_sum(leaves)])
        for _ in watch(_completed(client, parts, timeout)):
            pass
        for _ in _completed(client, [whole], timeout):
            pass
        result: _FileTotal[Any] = whole.result()
    stream.skipped.update(result.skipped)
    stream.dropped.update(result.dropped)
    stream.stamps.update(result.stamps)
    return result.sum


@contextmanager
def _cluster_errors() -> Iterator[None]:
    """Turn the errors of a lost scheduler, and of workers that cannot run a task, into a HousingError."""
    from concurrent.futures import CancelledError

    import distributed
    from distributed.comm import CommClosedError

    # Older versions of Dask raise CancelledError alone.
    closed = getattr(distributed.client, "ClosedClientError", CancelledError)
    try:
        yield
    except distributed.KilledWorker as error:
        raise HousingError(f"every worker that took a task died of it; see their logs ({error})") from None
    except (CancelledError, closed, CommClosedError, TimeoutError):
        raise HousingError("the scheduler was lost in the middle of a pass; start it and run again") from None
    except ImportError as error:
        raise HousingError(f"a worker lacks what a task needs ({cut(str(error))}); install it there") from None


def survey_on_cluster(client: Any, stream: Stream, empty: Survey, watch: Watch = iter) -> Survey:
    """Return a survey with the cells of files added, each read on a worker that sees it; as `total_on_cluster` does."""
    found: Survey = total_on_cluster(client, stream, empty, watch, add=_surveyed)
    return found


def _surveyed(empty: Survey, stream: Stream) -> Survey:
    return stream.surveyed(deepcopy(empty))


@dataclass
class _FileTotal(Generic[S]):
    """The sum of the rows of files, and of each the rows that were skipped or lack a cell, and the stamp."""

    sum: S
    skipped: dict[str, Skipped]
    dropped: dict[str, Skipped]
    stamps: dict[str, Stamp | None]

    def __add__(self, other: "_FileTotal[S]") -> "_FileTotal[S]":
        return _FileTotal(
            self.sum + other.sum, self.skipped | other.skipped, self.dropped | other.dropped, self.stamps | other.stamps
        )


def _total_of_file(empty: S, stream: Stream, add: Callable[[S, Stream], S]) -> _FileTotal[S]:
    (path,) = stream.paths
    if not Path(path).exists():
        raise TableError(f"{shown_path(path)}: a worker does not see this file; put it where all see it under one path")
    return _FileTotal(add(empty, stream), stream.skipped, stream.dropped, stream.stamps)


def _completed(client: Any, futures: list[Any], timeout: float) -> Iterator[Any]:
    """Yield futures as they are done; Dask itself would wait for ever if no worker is left."""
    import distributed

    waiting = set(futures)
    while waiting:
        try:
            done, waiting = distributed.wait(waiting, timeout=timeout, return_when="FIRST_COMPLETED")
            yield from done
        except TimeoutError:
            if not client.scheduler_info()["workers"]:
                raise HousingError("no worker is left in the middle of a pass; start one and run again") from None
