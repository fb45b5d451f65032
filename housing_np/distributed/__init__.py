"""A fit on a Dask cluster: one summary a partition, a tree of additions, the answer on the client.

A summary holds a triangular factor of at most (p + k + 1)^2 numbers, and the rows themselves of small partitions. Only
summaries leave the worker that holds a partition. They are values, and adding makes new ones, so Dask may recompute any
of them after losing a worker: no row counts twice.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from ..checks.frames import names_of
from ..checks.names import as_names
from ..errors import HousingError, counted
from ..fit.linear import LinearRegression
from ..fit.summary import Summary
from .cluster import import_dask, tree_sum


def fit(
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    feature_names: Sequence[str] | None = None,
    target_names: Sequence[str] | None = None,
    **parameters: Any,
) -> LinearRegression:
    """Fit a `LinearRegression` to Dask collections, on the current Dask client if there is one.

    Parameters
    ----------
    X : dask.array.Array (n, p) or dask.dataframe.DataFrame
    y : dask.array.Array (n,) or (n, k), dask.dataframe.Series or DataFrame
        Of the same kind as X and, row for row, in as many partitions of the same lengths.
    sample_weight : dask.array.Array (n,) or dask.dataframe.Series, optional
        How many times each row counts, in the same partitions.
    feature_names, target_names : sequences of str, optional
    **parameters
        Of `LinearRegression`, such as `fit_intercept`.

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
    dask = import_dask()
    X, y = _row_chunks(X), _row_chunks(y)
    rows, targets = _partitions(X), _partitions(y)
    weights = [None] * len(rows) if sample_weight is None else _partitions(sample_weight)
    for name, parts in (("y", targets), ("sample_weight", weights)):
        if len(rows) != len(parts):
            raise HousingError(
                f"X has {counted(len(rows), 'partition')} and {name} has {len(parts)}: repartition one like the other"
            )
    names = as_names(feature_names, "feature_names") or names_of(X)
    model = LinearRegression(**parameters)
    empty = model.empty_summary(feature_names=names, target_names=target_names)
    part = dask.delayed(_summarize, pure=True)
    leaves = [part(empty, list(block)) for block in zip(rows, targets, weights, strict=True)]
    return model.set_solution(dask.compute(tree_sum(leaves))[0])


def _row_chunks(collection: Any) -> Any:
    """Return a Dask array in chunks of whole rows; anything else unchanged."""
    if getattr(collection, "ndim", 0) == 2 and hasattr(collection, "rechunk"):
        return collection.rechunk({1: -1})
    return collection


def _partitions(collection: Any) -> list[Any]:
    if not hasattr(collection, "to_delayed"):
        raise HousingError(f"expected a Dask array or data frame, not {type(collection).__name__}: use fit instead")
    parts = collection.to_delayed()
    return list(parts.ravel()) if hasattr(parts, "ravel") else list(parts)


def _summarize(empty: Summary, block: Sequence[Any]) -> Summary:
    summary = deepcopy(empty)
    summary.update(*block)
    return summary
