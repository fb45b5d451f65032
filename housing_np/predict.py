"""python -m housing_np.predict: rows in, predictions out."""

if __name__ == "__main__":
    from .__main__ import script

    script("predict")

import os
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from .checks.arrays import Floats
from .checks.paths import as_path, shown_path
from .command import cli, tables
from .command.answers import Answer, answered, is_written, written
from .errors import ArtifactError, HousingError, listed, printable, quoted
from .evaluation.ranges import Moved, has_range, ranges_of, told
from .quantized.model import Model, QuantizedLinear
from .rows import Rows, Skipped, expect, format_of, open_rows, stop
from .rows.california import TARGET, california_rows, load_california
from .rows.table import files
from .store.artifact import load
from .store.files import open_whole

DEFAULT_MODEL = "models/uint8-per-channel.npz"
SAMPLES = 5


def default_model() -> str:
    """Return the path of the model that is taken where none is named."""
    path = os.environ.get("HOUSING_NP_MODEL") or DEFAULT_MODEL
    if not Path(path).exists():
        raise ArtifactError(
            f"{shown_path(path)}: no such model; make it with python -m housing_np.train, or name a MODEL.npz"
        )
    return path


def main(arguments: Sequence[str]) -> int:
    """Predict the rows of INPUT, a block at a time; without INPUT, the first rows of the bundled data."""
    parser = _parser()
    options = parser.parse(arguments)
    names = [name for name in (options.model, *options.inputs) if name]
    is_model = bool(names) and (names[0].endswith(".npz") or _is_unlike_rows(names))
    path = names.pop(0) if is_model else ""
    inputs = list(chain.from_iterable(map(files, names)))
    if [*inputs, options.range].count("-") > 1:
        parser.error("INPUT and --range cannot both be standard input, and neither twice")
    for name in (*inputs, *files(options.range or "-")):
        if name != "-":
            expect(name)
    path = path or default_model()
    model = load(path)
    if options.bounds and not isinstance(model, QuantizedLinear):
        raise HousingError(
            f"{shown_path(path)} is a float model: bounds are for quantized ones, which can be off from it"
        )
    if options.fail_outside is not None and not (inputs and (options.range or has_range(model))):
        parser.error("--fail-outside needs INPUT, and --range FILE or an integer model")
    with _output(options.output) as out:
        if inputs:
            _predict(model, inputs, options, out)
        else:
            _samples(model, out, "json" if options.json else options.format, options.bounds)
    return cli.DONE


def _parser() -> cli.Parser:
    parser = cli.Parser(
        "predict",
        "Predict rows with a saved model. Columns are matched by name, in any order.",
        "models/uint8-per-channel.npz rows.csv --bounds -o answers.csv",
    )
    parser.add_argument(
        "model", metavar="MODEL.npz", nargs="?", help=f"(default: $HOUSING_NP_MODEL or {DEFAULT_MODEL})"
    )
    parser.add_argument(
        "inputs",
        metavar="INPUT",
        nargs="*",
        help="rows: CSV, JSON, JSON Lines, .npy or Parquet, also gzipped; patterns such as 'part-*.csv'; - for stdin "
        "(default: the first bundled rows)",
    )
    parser.add_out("--output", metavar="FILE", help="write there, whole or not at all (default: stdout)")
    parser.add_reading(format="of the answers, and of rows whose name does not tell theirs")
    parser.add_argument(
        "--bounds",
        action="store_true",
        help="add the largest possible distance from the float model's prediction, in target units (default: no)",
    )
    parser.add_argument(
        "--range",
        metavar="FILE",
        help="count inputs outside the ranges of FILE, and name means that have moved: rows, or the report.json of a "
        "training (default: the integer model's own range)",
    )
    parser.add_argument(
        "--fail-outside",
        metavar="SHARE",
        type=_share,
        help="exit 1 if more than this share of the inputs (0 to 1) is outside the range; --output FILE is not written "
        "then, answers on stdout are already (default: no limit)",
    )
    parser.add_argument("--json", action="store_true", help="answer in one JSON object, as with --format json")
    return parser


def _share(text: str) -> float:
    try:
        if 0 <= (share := float(text)) <= 1:
            return share
    except ValueError:
        pass
    raise ArgumentTypeError(f"{quoted(text)} is no share; expected a number from 0 to 1")


def _is_unlike_rows(names: list[str]) -> bool:
    """Whether the first of several files has no name that rows have: it is the model then."""
    return len(names) > 1 and names[0] != "-" and format_of(names[0]) is None


@contextmanager
def _output(path: str | None) -> Iterator[TextIO]:
    if path in (None, "-"):
        yield sys.stdout
        return
    if not is_written(path):
        raise HousingError(
            f"{shown_path(path)}: answers are written as CSV, JSON or JSON Lines; end the name in .csv, .json or .jsonl"
        )
    try:
        with open_whole(as_path(path, HousingError)) as file:
            text = TextIOWrapper(file, encoding="utf-8", newline="\n")
            yield text
            text.flush()
            text.detach()
    except BrokenPipeError:
        sys.exit(cli.DONE)  # as on stdout
    except OSError as error:
        raise HousingError(f"{shown_path(path)}: cannot be written ({error.strerror})") from None


def _predict(model: Model, inputs: list[str], options: Namespace, out: TextIO) -> None:
    """Answer the rows of all inputs, in their order."""
    skipped = Skipped()
    reading = cli.reading(options) | {"on_error": skipped.add if options.on_error == "skip" else stop}
    others = reading | {"on_error": Skipped().add if options.on_error == "skip" else stop}
    seen = (
        None if options.range is None else ranges_of(options.range, model.feature_names, partial(_of, reading=others))
    )
    moved = Moved(model, seen)
    with ExitStack() as opened:
        # One is open at a time; the first tells in which form the answers are expected.
        read = (_open(opened, name, reading) for name in inputs)
        first = next(read)
        answer = Answer(tuple(model.target_names_), options.bounds, first.protocol, first.request_id)
        blocks = _answers(model, chain([first], read), moved, options.bounds)
        _write(answer, blocks, out, _format(options, inputs[0]))
    if skipped.count:
        cli.note(str(skipped))
    limit = options.fail_outside
    if limit is not None and moved.share > limit:
        cli.say(f"{moved.share:.3g} of the rows are outside the range, over the limit {limit:g}")
        sys.exit(cli.GATE_FAILED)


def _open(opened: ExitStack, name: str, reading: dict[str, Any]) -> Rows:
    opened.close()
    rows = opened.enter_context(open_rows(name, **_of(name, reading)))
    for note in rows.notes:
        cli.note(f"{rows.source}: {note}")
    return rows


def _of(name: str, reading: dict[str, Any]) -> dict[str, Any]:
    """Return how a file is read: in the format of its name, whatever that of the answers is."""
    return {**reading, "format": format_of(name) or reading["format"]}


def _format(options: Namespace, name: str) -> str:
    """Return the format of the answers: the one asked for, else that of the output, else that of the input."""
    if options.json:
        return "json"
    named = (format_of(each) for each in (options.output or "", name))
    return str(options.format or next((each for each in named if each in ("csv", "json", "jsonl")), "csv"))


def _answers(model: Model, inputs: Iterable[Rows], moved: Moved, bounds: bool) -> Iterator[Floats]:
    """Predictions block by block; what was ignored or out of range is told on stderr."""
    names = model.feature_names
    for rows in inputs:
        blocks = rows.blocks(names)  # refuses a name that is missing, before anything else is said
        known = set(names)
        unused = [name for name in rows.columns if name not in known] if rows.named else []
        if ignored := [*unused, *(f"{name} ({why})" for name, why in rows.left_out.items())]:
            cli.note(f"ignored columns: {listed(ignored)}")
        for X in blocks:
            moved.update(X)
            yield answered(model, X, bounds)
    if moved.outside:
        cli.note(f"rows outside the range that the model was trained on: {moved.outside} of {moved.rows}")
    if shifts := moved.shifts():
        cli.note(told(shifts))


def _write(answer: Answer, blocks: Iterable[Floats], out: TextIO, format: str) -> None:
    for text in written(answer, blocks, format):
        out.write("\n".join(map(printable, text.split("\n"))) if out.isatty() else text)
        # A slow pipe is answered as it comes.
        out.flush()


def _samples(model: Model, out: TextIO, format: str | None, bounds: bool) -> None:
    """The first bundled rows, as a table beside the true values unless a format is asked for."""
    X = california_rows(model.feature_names, SAMPLES)
    answer, answers = Answer(tuple(model.target_names_), bounds), answered(model, X, bounds)
    if format is not None:
        _write(answer, [answers], out, format)
        return
    columns = {"row": [str(i + 1) for i in range(SAMPLES)]}
    columns |= {
        name: [f"{x:.4f}" for x in column] for name, column in zip(answer.names, answers.T.tolist(), strict=True)
    }
    if model.target_names_ == (TARGET,):
        columns["actual"] = [f"{x:.4f}" for x in load_california(SAMPLES).y.tolist()]
    out.write(tables.table([list(columns), *zip(*columns.values(), strict=True)]) + "\n")
