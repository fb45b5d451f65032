"""Predictions out, block by block as they are computed."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..checks.arrays import Floats
from ..quantized.model import Model, is_quantized
from ..rows.formats import FORMATS
from ..rows.table import in_csv

_PIECE = 1 << 14  # numbers of JSON that are written at a time


class Answer(NamedTuple):
    """The form of an answer: predictions (n, k), followed by their bounds if they are wanted.

    Attributes
    ----------
    targets : tuple of str, length k
    bounds : bool
    protocol, request_id : str
        Those of the request, as in `rows.Rows`.
    model : str
        The name of the model in a server's answer.
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
    """Return the predictions of rows X (n, p), shape (n, k), followed by their bounds if they are wanted."""
    predictions = model.predict(X).reshape(len(X), -1)
    if not bounds or not is_quantized(model):
        return predictions
    return np.hstack([predictions, model.error_bound(X).reshape(len(X), -1)])


def can_write(name: str) -> bool:
    """Whether predictions can be written in the format of this file name's ending.

    >>> can_write("a.csv"), can_write("a.txt"), can_write("a.parquet"), can_write("a.csv.gz")
    (True, True, False, False)
    """
    others = [ending for each in FORMATS.values() if not each.answer_type for ending in each.endings]
    return not name.lower().endswith((".gz", ".zip", ".npz", ".tsv", ".xlsx", *others))


def written(answer: Answer, blocks: Iterable[Floats], format: str) -> Iterator[str]:
    """Yield the text of blocks (n, len(answer.names)) in a format: "csv", "json" or "jsonl"."""
    writers = {"csv": _csv, "json": _tensors if answer.protocol else _json, "jsonl": _jsonl}
    return writers[format](answer, blocks)


def _csv(answer: Answer, blocks: Iterable[Floats]) -> Iterator[str]:
    # The head is written with the first rows, so that nothing is written if no row can be answered.
    head = in_csv(answer.names) + "\n"
    for block in blocks:
        yield head + _lines(block)
        head = ""
    if head:
        yield head


def _lines(block: Floats) -> str:
    if sys.modules.get("pyarrow"):  # only if it is imported already: its import takes longer than it saves
        from ..rows.arrow_csv import csv_text

        return csv_text(block)
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
    """Yield a list of JSON in pieces, because numbers as text take much more memory than as numbers."""
    yield "["
    step = max(1, _PIECE // max(1, values[:1].size))
    for start in range(0, len(values), step):
        separator = ", " if start else ""
        yield separator + json.dumps(_numbers(values[start : start + step]))[1:-1]
    yield "]"


def _whole(names: Sequence[str], blocks: Iterable[Floats]) -> Floats:
    return np.concatenate([np.empty((0, len(names))), *blocks])


def _numbers(values: Floats) -> list[Any]:
    """Return lists of numbers, with null for infinity, which JSON does not have."""
    numbers = values.astype(object)
    numbers[~np.isfinite(values)] = None
    return list(numbers.tolist())
