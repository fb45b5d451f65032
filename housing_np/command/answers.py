"""Predictions out, block by block as they are computed."""

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import StringIO
from itertools import compress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..checks.arrays import Floats
from ..checks.names import apart_from, in_csv
from ..errors import HousingError, listed, quoted
from ..quantized.model import Model, is_quantized
from ..rows.formats import FORMATS
from ..rows.numbered import Numbered
from ..rows.rows import Request
from .output import dumps

_PIECE = 1 << 14  # numbers of JSON that are written at a time


class Answer(NamedTuple):
    """The form of an answer: predictions (n, k), followed by their bounds if they are wanted."""

    targets: tuple[str, ...]
    bounds: bool
    request: Request = Request()
    model: str = "housing_np"  # its name in a server's answer
    header: bool = True  # whether CSV begins with a line of names
    rows: bool = False  # whether the number of its row comes first
    id: str | None = None  # the column of the input that is copied in front of the predictions

    @property
    def names(self) -> list[str]:
        """The names of the columns of numbers."""
        return [*self.targets, *(f"{name}_bound" for name in self.targets)] if self.bounds else [*self.targets]

    @property
    def keys(self) -> list[str]:
        """The names of the columns before these, marked with "_" where one of these has the name.

        >>> Answer(("price",), False, rows=True, id="price").keys
        ['row', 'price_']
        """
        if not self.rows and self.id is None:
            return []
        id = apart_from(self.names, [self.id] if self.id is not None else [])
        return [*apart_from([*self.names, *id], ["row"] if self.rows else []), *id]


class Block(NamedTuple):
    """Answers to some rows."""

    values: Floats  # (n, len(answer.names))
    keys: Sequence[Sequence[Any]] = ()  # the columns before these, each of length n
    is_good: NDArray[np.bool_] | None = None  # (n,), False for the rows without an answer


def answered(model: Model, X: Floats, bounds: bool) -> Floats:
    """Return the predictions of rows X (n, p), shape (n, k), followed by their bounds if they are wanted."""
    predictions = model.predict(X).reshape(len(X), -1)
    if not bounds or not is_quantized(model):
        return predictions
    return np.hstack([predictions, model.error_bound(X).reshape(len(X), -1)])


def answered_beside(model: Model, found: Numbered, answer: Answer, empty: bool) -> Block:
    """Return the answers to numbered rows; bad ones are left out, or have an ``empty`` answer."""
    values = np.full((len(found.is_good), len(answer.names)), np.nan)
    if len(found.X):
        values[found.is_good] = answered(model, found.X, answer.bounds)
    keys: list[Sequence[Any]] = [found.numbers] if answer.rows else []
    keys += [found.copied] if answer.id is not None else []
    if empty:
        return Block(values, keys, found.is_good)
    return Block(values[found.is_good], [list(compress(key, found.is_good)) for key in keys])


def can_write(name: str) -> bool:
    """Whether predictions can be written in the format of this file name's ending.

    >>> can_write("a.csv"), can_write("a.txt"), can_write("a.parquet"), can_write("a.csv.gz")
    (True, True, False, False)
    """
    others = [ending for each in FORMATS.values() if not each.answer_type for ending in each.endings]
    return not name.lower().endswith((".gz", ".zip", ".npz", ".tsv", ".xlsx", *others))


def written(
    answer: Answer, blocks: Iterable[Block], format: str, more: Callable[[], Mapping[str, Any]] = dict
) -> Iterator[str]:
    """Yield the text of blocks in a format: "csv", "json" or "jsonl".

    After the last block, ``more`` is called for what an object of JSON has beside the answers.
    """
    if format == "json" and not answer.request.protocol:
        return _json(answer, blocks, more)
    writers = {"csv": _csv, "json": _tensors, "jsonl": _jsonl}
    return writers[format](answer, blocks)


def _csv(answer: Answer, blocks: Iterable[Block]) -> Iterator[str]:
    # The head is written with the first rows, so that nothing is written if no row can be answered.
    head = in_csv([*answer.keys, *answer.names]) + "\n" if answer.header else ""
    for block in blocks:
        is_plain = not block.keys and (block.is_good is None or block.is_good.all())
        yield head + (_lines(block.values) if is_plain else _keyed_lines(block))
        head = ""
    if head:
        yield head


def _lines(block: Floats) -> str:
    if sys.modules.get("pyarrow"):  # only if it is imported already: its import takes longer than it saves
        from ..rows.arrow_csv import csv_text

        return csv_text(block)
    columns = (map(repr, column) for column in block.T.tolist())
    return "\n".join(map(",".join, zip(*columns, strict=True))) + "\n"


def _keyed_lines(block: Block) -> str:
    """Return lines of CSV; a row without an answer has empty cells, quoted where a line would be empty else."""
    columns = [list(map(repr, column)) for column in block.values.T.tolist()]
    for row in [] if block.is_good is None else np.flatnonzero(~block.is_good).tolist():
        for column in columns:
            column[row] = ""
    out = StringIO()
    csv.writer(out, lineterminator="\n").writerows(zip(*block.keys, *columns, strict=True))
    return out.getvalue()


def _jsonl(answer: Answer, blocks: Iterable[Block]) -> Iterator[str]:
    names = [*answer.keys, *answer.names]
    for block in blocks:
        rows = zip(*block.keys, *zip(*_numbers(block.values), strict=True), strict=True)
        yield "".join(f"{json.dumps(dict(zip(names, row, strict=True)))}\n" for row in rows)


def _json(answer: Answer, blocks: Iterable[Block], more: Callable[[], Mapping[str, Any]]) -> Iterator[str]:
    """One object with "predictions", as MLflow's servers answer, and "bounds"; a list for each row if k > 1.

    Before them "rows", the numbers, and "ids", the cells that are copied; behind them what there is more.
    """
    keys, whole = _whole(answer, blocks)
    parts = np.hsplit(whole, 2) if answer.bounds else [whole]
    columns: list[Floats | Sequence[Any]] = [*keys, *(part[:, 0] if part.shape[1] == 1 else part for part in parts)]
    names = [*compress(("rows", "ids"), (answer.rows, answer.id is not None)), "predictions", "bounds"]
    before = "{"
    for name, column in zip(names, columns, strict=False):
        yield f'{before}"{name}": '
        yield from _list(column)
        before = ", "
    yield "".join(f', "{name}": {dumps(value)}' for name, value in more().items()) + "}\n"


def _tensors(answer: Answer, blocks: Iterable[Block]) -> Iterator[str]:
    """One object with a tensor for each column, as the Open Inference Protocol has it.

    Source: https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md
    """
    wanted = answer.request.outputs or answer.names
    if unknown := [name for name in wanted if name not in answer.names]:
        raise HousingError(f"no output {listed(unknown, quoted)}; the outputs are: {listed(answer.names)}")
    keys, whole = _whole(answer, blocks)
    head = {"model_name": answer.model, "id": answer.request.id}
    before = json.dumps({key: value for key, value in head.items() if value})[:-1] + ', "outputs": ['
    kinds = [*compress(("INT64", "BYTES"), (answer.rows, answer.id is not None)), *("FP64" for _ in answer.names)]
    if answer.id is not None:
        keys[-1] = [None if each is None else str(each) for each in keys[-1]]
    for name, kind, column in zip([*answer.keys, *answer.names], kinds, [*keys, *whole.T], strict=True):
        if name in answer.names and name not in wanted:
            continue
        tensor = {"name": name, "shape": [len(whole)], "datatype": kind}
        yield before + json.dumps(tensor)[:-1] + ', "data": '
        yield from _list(column)
        before = "}, "
    yield "}]}\n"


def _list(values: Floats | Sequence[Any]) -> Iterator[str]:
    """Yield a list of JSON in pieces, because numbers as text take much more memory than as numbers."""
    step = max(1, _PIECE // max(1, values[:1].size)) if isinstance(values, np.ndarray) else _PIECE
    for start in range(0, max(1, len(values)), step):
        piece, is_last = values[start : start + step], start + step >= len(values)
        text = _text(piece) if isinstance(piece, np.ndarray) else json.dumps(piece)
        yield f"{', ' if start else '['}{text[1:-1]}{']' if is_last else ''}"


def _text(values: Floats) -> str:
    # Python writes finite numbers, and lists of them, as JSON does; an n is of nan or inf.
    text = repr(values.tolist())
    return text if "n" not in text else json.dumps(_numbers(values))


def _whole(answer: Answer, blocks: Iterable[Block]) -> tuple[list[list[Any]], Floats]:
    """Return the columns of keys, and the numbers (n, len(answer.names)), of all blocks."""
    keys: list[list[Any]] = [[] for _ in answer.keys]
    values: list[Floats] = []
    for block in blocks:
        values.append(block.values)
        for key, part in zip(keys, block.keys, strict=True):
            key += part
    if not values:
        return keys, np.empty((0, len(answer.names)))
    return keys, values[0] if len(values) == 1 else np.concatenate(values)


def _numbers(values: Floats) -> list[Any]:
    """Return lists of numbers, with null for infinity, which JSON does not have."""
    numbers = values.astype(object)
    numbers[~np.isfinite(values)] = None
    return list(numbers.tolist())
