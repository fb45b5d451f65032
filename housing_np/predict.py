"""python -m housing_np.predict: rows in, predictions out."""

import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from . import cli
from .artifact import load
from .calibration import Calibration
from .errors import ArtifactError, HousingError, TableError
from .files import open_whole
from .quantized import Model, QuantizedLinear
from .rows import Rows, expect, format_of, open_rows, stop
from .table import CALIFORNIA_TARGET, bundled_columns, load_california

DEFAULT_MODEL = "models/uint8-per-channel.npz"
SAMPLES = 5


def main(arguments: Sequence[str]) -> int:
    """Predict the rows of INPUT, a block at a time; without INPUT, the first rows of the bundled data."""
    parser = cli.Parser("predict", "Predict rows with a saved model. Columns are matched by name, in any order.")
    parser.add_argument(
        "model", metavar="MODEL.npz", nargs="?", help=f"(default: $HOUSING_NP_MODEL or {DEFAULT_MODEL})"
    )
    parser.add_argument("input", metavar="INPUT", nargs="?", help="CSV, JSON, JSON Lines, .npy or Parquet; - for stdin")
    parser.add_argument("--output", metavar="FILE", help="write there, whole or not at all (default: stdout)")
    parser.add_argument("--format", choices=("csv", "json", "jsonl"), help="of the answers, and of rows on stdin")
    parser.add_argument("--bounds", action="store_true", help="beside each prediction, how far the float model can be")
    parser.add_argument("--range", metavar="FILE", help="rows that the model was trained on: count those outside")
    parser.add_argument("--on-error", choices=("stop", "skip"), default="stop", help="what to do at a bad row")
    parser.add_argument("--json", action="store_true", help="answer in one JSON object, as with --format json")
    options = parser.parse_args(arguments)
    if options.model and not options.input and not options.model.endswith(".npz"):
        options.model, options.input = None, options.model
    if options.input == options.range == "-":
        parser.error("INPUT and --range cannot both be standard input")
    for name in (options.input, options.range):
        if name not in (None, "-"):
            expect(name)
    path = options.model or os.environ.get("HOUSING_NP_MODEL") or DEFAULT_MODEL
    if not options.model and not Path(path).exists():
        raise ArtifactError(f"{path}: no such model; make it with python -m housing_np.train, or name a MODEL.npz")
    model = load(path)
    if options.bounds and not isinstance(model, QuantizedLinear):
        raise HousingError(f"{path} is a float model: bounds are for quantized ones, which can be off from it")
    wanted = "json" if options.json else options.format
    with _output(options.output) as out:
        if options.input is None:
            _samples(model, out, wanted, options.bounds)
        else:
            known, skipped = format_of(options.input), _Skipped()
            on_error = skipped.add if options.on_error == "skip" else stop
            with open_rows(options.input, known or options.format, on_error) as rows:
                blocks = _answers(model, rows, options, skipped)
                format = wanted or (known if known in _WRITERS else "csv")
                _write(model, options.bounds, blocks, out, format)
    return cli.DONE


@contextmanager
def _output(path: str | None) -> Iterator[TextIO]:
    if path is None:
        yield sys.stdout
        return
    try:
        with open_whole(path) as file:
            text = TextIOWrapper(file, encoding="utf-8", newline="\n")
            yield text
            text.flush()
            text.detach()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise HousingError(f"{path}: cannot be written ({error.strerror})") from None


def _answers(model: Model, rows: Rows, options: Namespace, skipped: "_Skipped") -> Iterator[np.ndarray]:
    """Predictions block by block; what was ignored, skipped or out of range is told on stderr."""
    names = model.feature_names_in_
    blocks = rows.blocks(names)  # refuses a name that is missing, before anything else is said
    if rows.named and (ignored := [name for name in rows.columns if name not in names]):
        cli.note(f"ignored columns: {', '.join(ignored)}")
    is_outside = _range(model, options.range)
    count = outside = 0
    for X in blocks:
        count += len(X)
        outside += int(is_outside(X).sum())
        yield _answer(model, X, options.bounds)
    if outside:
        cli.note(f"rows outside the range that the model was trained on: {outside} of {count}")
    if skipped.count:
        cli.note(f"bad rows skipped: {skipped.count}; the first: {skipped.first}")


class _Skipped:
    count = 0
    first: TableError | None = None

    def add(self, error: TableError) -> None:
        self.count += 1
        self.first = self.first or error


def _range(model: Model, path: str | None) -> Callable[[np.ndarray], np.ndarray]:
    """What tells which rows are outside the range of the rows in a file, or of the model's own where it has one."""
    if path is not None:
        seen = Calibration()
        with open_rows(path) as rows:
            for X in rows.blocks(model.feature_names_in_):
                seen.update(X)
        return lambda X: np.any((seen.low > X) | (seen.high < X), axis=1)
    if isinstance(model, QuantizedLinear) and model.scheme == "integer":
        return model.saturated
    return lambda X: np.zeros(0, np.bool_)


def _answer(model: Model, X: np.ndarray, bounds: bool) -> np.ndarray:
    """Predictions of a block of rows, shape (n, k), and beside them their bounds if they are wanted."""
    predictions = model.predict(X).reshape(len(X), -1)
    if not bounds or not isinstance(model, QuantizedLinear):
        return predictions
    return np.hstack([predictions, model.error_bound(X).reshape(len(X), -1)])


def _names(model: Model, bounds: bool) -> list[str]:
    targets = list(model.target_names_)
    return targets + [f"{name}_bound" for name in targets] if bounds else targets


def _write(model: Model, bounds: bool, blocks: Iterable[np.ndarray], out: TextIO, format: str) -> None:
    for text in _WRITERS[format](_names(model, bounds), blocks, bounds):
        out.write(text)
        # A slow pipe is answered as it comes.
        out.flush()


def _csv(names: list[str], blocks: Iterable[np.ndarray], bounds: bool) -> Iterator[str]:
    quoted = ('"' + name.replace('"', '""') + '"' if set(name) & set('",\n\r') else name for name in names)
    # With the first rows, and not before: where none can be answered, nothing is.
    head = ",".join(quoted) + "\n"
    for block in blocks:
        columns = (map(repr, column) for column in block.T.tolist())
        yield head + "\n".join(map(",".join, zip(*columns, strict=True))) + "\n"
        head = ""
    if head:
        yield head


def _jsonl(names: list[str], blocks: Iterable[np.ndarray], bounds: bool) -> Iterator[str]:
    for block in blocks:
        yield "".join(f"{json.dumps(dict(zip(names, row, strict=True)))}\n" for row in _json_numbers(block))


def _json_numbers(values: np.ndarray) -> list[Any]:
    """As lists; what JSON has no number for, infinity, is null."""
    numbers = values.astype(object)
    numbers[~np.isfinite(values)] = None
    return list(numbers.tolist())


def _json(names: list[str], blocks: Iterable[np.ndarray], bounds: bool) -> Iterator[str]:
    """One object with "predictions", as MLflow's servers answer, and "bounds"; a list for each row if k > 1."""
    whole = np.concatenate([np.empty((0, len(names))), *blocks])
    parts = np.hsplit(whole, 2 if bounds else 1)
    lists = [_json_numbers(part[:, 0] if part.shape[1] == 1 else part) for part in parts]
    yield json.dumps(dict(zip(("predictions", "bounds"), lists, strict=False))) + "\n"


_WRITERS = {"csv": _csv, "json": _json, "jsonl": _jsonl}


def _samples(model: Model, out: TextIO, format: str | None, bounds: bool) -> None:
    """The first bundled rows, as a table beside the true values unless a format is asked for."""
    table = load_california(SAMPLES)
    X = bundled_columns(table, model.feature_names_in_)
    names, answers = _names(model, bounds), _answer(model, X, bounds)
    if format is not None:
        _write(model, bounds, [answers], out, format)
        return
    columns = {"row": [str(i + 1) for i in range(SAMPLES)]}
    columns |= {name: [f"{x:.4f}" for x in column] for name, column in zip(names, answers.T.tolist(), strict=True)}
    if model.target_names_ == (CALIFORNIA_TARGET,):
        columns["actual"] = [f"{x:.4f}" for x in table.y.tolist()]
    out.write(cli.table([list(columns), *zip(*columns.values(), strict=True)]) + "\n")


if __name__ == "__main__":
    cli.leave(cli.run(main, sys.argv[1:]))
