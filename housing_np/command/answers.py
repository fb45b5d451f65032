"""Predictions out: CSV, JSON and JSON Lines, block by block, as they come."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..checks.arrays import Floats
from ..quantized.model import Model, is_quantized
from ..rows.table import in_csv

_PIECE = 1 << 14  # rows of JSON that are written at a time


class Answer(NamedTuple):
    """What is answered: predictions (n, k), and beside them their bounds if there are any.

    Attributes
    ----------
    targets : tuple of str, length k
    bounds : bool
    protocol, request_id : str
        Those of the request, as `rows.Rows` has them.
    model : str
        What a server's answer calls the model.
    """

    targets: tuple[str, ...]
    bounds: bool
    protocol: str = ""
    request_id: str = ""
    model: str = "housing_np"

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [*self.targets, *(f"{name}_bound" for name in self.targets if self.bounds)]


def answered(model: Model, X: Floats, bounds: bool) -> Floats:
    """Return the predictions of rows X (n, p), shape (n, k), and beside them their bounds if they are wanted."""
    predictions = model.predict(X).reshape(len(X), -1)
    if not bounds or not is_quantized(model):
        return predictions
    return np.hstack([predictions, model.error_bound(X).reshape(len(X), -1)])


def is_written(name: str) -> bool:
    """Whether the end of a file's name promises nothing that `written` cannot give.

    >>> is_written("a.csv"), is_written("a.txt"), is_written("a.parquet"), is_written("a.csv.gz")
    (True, True, False, False)
    """
    return not name.lower().endswith((".gz", ".zip", ".npy", ".npz", ".parquet", ".pq", ".parq", ".tsv", ".xlsx"))


def written(answer: Answer, blocks: Iterable[Floats], format: str) -> Iterator[str]:
    """Yield the text of blocks (n, len(answer.names)) in a format: "csv", "json" or "jsonl"."""
    writers = {"csv": _csv, "json": _tensors if answer.protocol else _json, "jsonl": _jsonl}
    return writers[format](answer, blocks)


def _csv(answer: Answer, blocks: Iterable[Floats]) -> Iterator[str]:
    # With the first rows, and not before: where none can be answered, nothing is.
    head = in_csv(answer.names) + "\n"
    for block in blocks:
        yield head + _lines(block)
        head = ""
    if head:
        yield head


def _lines(block: Floats) -> str:
    if sys.modules.get("pyarrow"):  # where the rows were read by it, its import costs no more
        from ..rows.arrow_csv import written

        return written(block)
    columns = (map(repr, column) for column in block.T.tolist())
    return "\n".join(map(",".join, zip(*columns, strict=True))) + "\n"


def _jsonl(answer: Answer, blocks: Iterable[Floats]) -> Iterator[str]:
    for block in blocks:
        yield "".join(f"{json.dumps(dict(zip(answer.names, row, strict=True)))}\n" for row in _numbers(block))


def _json(answer: Answer, blocks: Iterable[Floats]) -> Iterator[str]:
    """One object with "predictions", as MLflow's servers answer, and "bounds"; a list for each row if k > 1."""
    parts = np.hsplit(_whole(answer.names, blocks), 2 if answer.bounds else 1)
    before = "{"
    for name, part in zip(("predictions", "bounds"), parts, strict=False):
        yield f'{before}"{name}": '
        yield from _list(part[:, 0] if part.shape[1] == 1 else part)
        before = ", "
    yield "}\n"


def _tensors(answer: Answer, blocks: Iterable[Floats]) -> Iterator[str]:
    """One object with a tensor for each column, as the Open Inference Protocol has it.

    Source: https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md
    """
    whole = _whole(answer.names, blocks)
    head = {"model_name": answer.model, "id": answer.request_id}
    before = json.dumps({key: value for key, value in head.items() if value})[:-1] + ', "outputs": ['
    for name, column in zip(answer.names, whole.T, strict=True):
        tensor = {"name": name, "shape": [len(whole)], "datatype": "FP64"}
        yield before + json.dumps(tensor)[:-1] + ', "data": '
        yield from _list(column)
        before = "}, "
    yield "}]}\n"


def _list(values: Floats) -> Iterator[str]:
    """Yield a list of JSON in pieces: as text, numbers take many times the memory that they take as numbers."""
    yield "["
    for start in range(0, len(values), _PIECE):
        yield ", " * bool(start) + json.dumps(_numbers(values[start : start + _PIECE]))[1:-1]
    yield "]"


def _whole(names: Sequence[str], blocks: Iterable[Floats]) -> Floats:
    return np.concatenate([np.empty((0, len(names))), *blocks])


def _numbers(values: Floats) -> list[Any]:
    """Return lists; what JSON has no number for, infinity, is null."""
    numbers = values.astype(object)
    numbers[~np.isfinite(values)] = None
    return list(numbers.tolist())
