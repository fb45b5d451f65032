"""Passes over data on a Dask cluster: one result a partition, a tree of additions, the answer on the client.

A fit's summary is at most (p + k + 1)^2 numbers, and only such results leave the worker that holds a partition. They
are values, and adding makes new ones, so Dask may recompute any of them after losing a worker: no row counts twice.
"""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from .errors import HousingError, TableError
from .linear import LinearRegression, column_names, summarize
from .solver import Summary
from .table import Block, Stream, Watch, add_up, of_rows

T = TypeVar("T")
FAN_IN = 8
PATIENCE = 10  # seconds


def fit(
    X: Any,
    y: Any,
    *,
    fit_intercept: bool = True,
    feature_names: Sequence[str] | None = None,
    target_names: Sequence[str] | None = None,
) -> LinearRegression:
    """Fit a `LinearRegression` to Dask collections, on the current Dask client if there is one.

    Parameters
    ----------
    X : dask.array.Array (n, p) or dask.dataframe.DataFrame
    y : dask.array.Array (n,) or (n, k), dask.dataframe.Series or DataFrame
        Of the same kind as X and, row for row, in as many partitions of the same lengths.
    fit_intercept : bool
    feature_names, target_names : sequences of str, optional

    Raises
    ------
    HousingError
        As `LinearRegression.fit`, with rows counted within a partition, and for partitions that do not match.

    Examples
    --------
    >>> import dask.array as da
    >>> X = da.arange(6, chunks=2)[:, None].astype(float)
    >>> fit(X, 2 * X[:, 0] + 1).coef_
    array([2.])
    """
    dask = _import_dask()
    X, y = _row_chunks(X), _row_chunks(y)
    rows, targets = _partitions(X), _partitions(y)
    if len(rows) != len(targets):
        raise HousingError(f"X has {len(rows)} partitions and y has {len(targets)}: repartition one like the other")
    names = feature_names or column_names(X)
    part = dask.delayed(_summarize, pure=True)
    leaves = [part(a, b, fit_intercept, names, target_names) for a, b in zip(rows, targets, strict=True)]
    return LinearRegression(fit_intercept).set_solution(dask.compute(_tree(leaves))[0])


class Cluster:
    """A Dask cluster whose workers see the files of a stream, each file a partition.

    Parameters
    ----------
    client : distributed.Client
    stream : Stream
    """

    def __init__(self, client: Any, stream: Stream) -> None:
        self.client = client
        self.stream = replace(stream, paths=tuple(map(os.path.abspath, stream.paths)))

    def reduce(self, function: Callable[[Iterable[Block]], T], watch: Watch = iter) -> T:
        """What a function makes of the blocks of each file, added up; `watch` sees each file's task done."""
        import dask
        import distributed

        part = dask.delayed(_of_part, pure=True)
        leaves = [part(function, each) for each in self.stream.parts()]
        *parts, total = self.client.compute([*leaves, _tree(leaves)])
        try:
            for _ in watch(self._done(parts)):
                pass
            for _ in self._done([total]):
                pass
            result: T | None = total.result()
        except distributed.KilledWorker as error:
            raise HousingError(f"every worker that took a task died of it; see their logs ({error})") from None
        except CancelledError:
            raise HousingError("the scheduler was lost in the middle of a pass; start it and run again") from None
        return self.stream.whole(result)

    def _done(self, futures: list[Any]) -> Iterator[Any]:
        """Futures as they are done; Dask itself would wait for ever where no worker is left."""
        import distributed

        waiting = set(futures)
        while waiting:
            try:
                done, waiting = distributed.wait(waiting, timeout=PATIENCE, return_when="FIRST_COMPLETED")
                yield from done
            except TimeoutError:
                if not self.client.scheduler_info()["workers"]:
                    raise HousingError("no worker is left in the middle of a pass; start one and run again") from None


@contextmanager
def connect(address: str) -> Iterator[Any]:
    """A client of the scheduler at an address, once it has a worker and all of them have this package."""
    _import_dask()
    import distributed

    # What it would say of a lost scheduler in forty lines, the error says in one.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = distributed.Client(address, timeout=PATIENCE)
    except (OSError, ValueError, TypeError, ImportError) as error:
        raise HousingError(f"no Dask scheduler answers at {address} ({error}); give one as tcp://host:8786") from None
    with client:
        try:
            client.wait_for_workers(1, PATIENCE)
        except TimeoutError:
            raise HousingError(
                f"no worker came to the scheduler at {address} in {PATIENCE} seconds; start one"
            ) from None
        found = {"the scheduler": client.run_on_scheduler(find_spec, __package__), **client.run(find_spec, __package__)}
        if missing := [where for where, spec in found.items() if spec is None]:
            raise HousingError(f"{missing[0]} has no {__package__}: install it there, in the same version")
        yield client


def _import_dask() -> Any:
    try:
        import dask
        import distributed  # noqa: F401 - looked for here, where its absence can be told
    except ImportError:
        raise HousingError("distributed fits need Dask: pip install 'housing_np[dask]'") from None
    return dask


def _of_part(function: Callable[[Iterable[Block]], T], part: Stream) -> T | None:
    for path in part.paths:
        if not Path(path).exists():
            raise TableError(f"{path}: a worker does not see this file; put it where all see it under one path")
    return of_rows(function, part)


def _tree(level: list[Any]) -> Any:
    import dask

    total = dask.delayed(add_up, pure=True)
    while len(level) > 1:
        level = [total(level[i : i + FAN_IN]) for i in range(0, len(level), FAN_IN)]
    return level[0]


def _row_chunks(collection: Any) -> Any:
    """A Dask array in chunks of whole rows; anything else as it is."""
    if getattr(collection, "ndim", 0) == 2 and hasattr(collection, "rechunk"):
        return collection.rechunk({1: -1})
    return collection


def _partitions(collection: Any) -> list[Any]:
    if not hasattr(collection, "to_delayed"):
        raise HousingError(f"expected a Dask array or data frame, not {type(collection).__name__}: use fit instead")
    parts = collection.to_delayed()
    return list(parts.ravel()) if hasattr(parts, "ravel") else list(parts)


def _summarize(
    X: Any, y: Any, fit_intercept: bool, feature_names: Sequence[str] | None, target_names: Sequence[str] | None
) -> Summary:
    return summarize([(X, y)], fit_intercept=fit_intercept, feature_names=feature_names, target_names=target_names)
