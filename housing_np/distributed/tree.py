"""Sums of Dask tasks."""

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

from ..errors import extra

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
    return reduce(add, sums)
