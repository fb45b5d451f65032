"""Columns from the names of folders, ``year=2021/part.parquet``, as Hive writes them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from ..checks.arrays import Floats
from ..errors import TableError
from . import numbers
from .cells import UNKNOWN, Cells
from .columns import Columns
from .copied import Copied
from .rows import OnError, Rows

_MISSING = "__HIVE_DEFAULT_PARTITION__"


def partitions_of(path: str | Path) -> dict[str, str]:
    """Return the columns that the folders of a file name, and their values; an empty one is missing.

    >>> partitions_of("data/year=2021/city=S%C3%A3o Paulo/part.parquet")
    {'year': '2021', 'city': 'São Paulo'}
    """
    pairs = (part.partition("=") for part in Path(path).parts[:-1])
    found = {unquote(name).strip(): unquote(value) for name, is_pair, value in pairs if is_pair}
    return {name: "" if value == _MISSING else value for name, value in found.items() if name}


def sampled(paths: Iterable[str]) -> dict[str, list[Any]]:
    """Return the values of these columns in all files: numbers if all of them are, None for a missing one.

    >>> sampled(["code=07/a.csv", "code=12/a.csv"]), sampled(["code=07/a.csv", "code=A2/a.csv"])
    ({'code': [7.0, 12.0]}, {'code': ['07', 'A2']})
    """
    texts: dict[str, list[str]] = {}
    for path in paths:
        for name, text in partitions_of(path).items():
            texts.setdefault(name, []).append(text)
    return {name: _values(given) for name, given in texts.items()}


def _values(texts: Sequence[str]) -> list[Any]:
    values = list(map(numbers.value_of, texts))
    is_text = any(isinstance(value, str) for value in values)
    return [None if value is None else text if is_text else value for text, value in zip(texts, values, strict=True)]


def with_partitions(rows: Rows, found: Mapping[str, str], on_error: OnError) -> Rows:
    """Return rows with these columns too, behind those of the file; a column of the same name gives way."""
    if not found or (not rows.columns and rows.is_empty()):
        return rows
    if choose := rows.choose:
        return replace(rows, choose=lambda wanted: with_partitions(choose(_others(wanted, found)), found, on_error))
    own = tuple(name for name in rows.columns if name not in found)

    def read(wanted: Sequence[Cells]) -> Iterator[Floats]:
        of_file = [each for each in wanted if each.name not in found]
        # Any column tells how many rows there are.
        blocks = rows.read(of_file or [Cells(next(iter(rows.columns), ""), {}, takes_missing=True, most=1)])
        return _beside(blocks, wanted, found, rows.source, on_error)

    return replace(rows, layout=replace(rows.layout, names=(*own, *found)), read=read)


def _others(wanted: Columns, found: Mapping[str, str]) -> Columns:
    """Return the wanted columns that a file must have itself."""
    names = tuple(name for name in wanted.names if name not in found)
    levels = {name: each for name, each in wanted.levels.items() if name in names}
    return replace(wanted, names=names, levels=levels, fills={n: x for n, x in wanted.fills.items() if n in names})


def _beside(
    blocks: Iterator[Floats], wanted: Sequence[Cells], found: Mapping[str, str], source: str, on_error: OnError
) -> Iterator[Floats]:
    """Yield the blocks of a file with the columns of its folders beside them."""
    of_file = [place for place, each in enumerate(wanted) if each.name not in found]
    copied = [place for place, each in enumerate(wanted) if isinstance(each, Copied)]
    row, problem = np.full(len(wanted), UNKNOWN), None
    for place, each in enumerate(wanted):
        if place not in (*of_file, *copied):
            try:
                row[place] = each.of_text(found[each.name])
            except TableError as error:
                problem = problem or error.after(f"{source}: each row")
    for block in blocks:
        whole = np.tile(row, (len(block), 1))
        whole[:, of_file] = block[:, : len(of_file)]
        for place in set(copied) - set(of_file):
            whole[:, place] = [wanted[place].of_text(found[wanted[place].name]) for _ in block]
        if problem is None:
            yield whole
            continue
        # A row that the file has kept as a bad one is told already.
        is_told = np.isinf(np.delete(whole, copied, axis=1)).all(axis=1)
        yield whole[[bool(told or on_error(problem)) for told in is_told]]
