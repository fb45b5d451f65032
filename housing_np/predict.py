"""python -m housing_np.predict: rows in, predictions out."""

if __name__ == "__main__":
    from .__main__ import script

    script("predict")

import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from .checks.arrays import Floats
from .checks.paths import as_path, shown_path
from .command import cli, tables
from .command.answers import Answer, Block, answered, answered_beside, can_write, written
from .command.models import DEFAULT_MODEL, default_model
from .errors import ArtifactError, HousingError, TableError, listed, printable, quoted
from .evaluation.ranges import FEWEST, Drift, drift_note, has_range
from .quantized.calibration import Calibration
from .quantized.model import Model
from .rows import FORMATS, Rows, Skipped, expect, format_of, open_rows, stop
from .rows.california import california_rows, load_california
from .rows.formats import ANSWER_FORMATS, any_of, titles
from .rows.numbered import Numbered, numbered
from .rows.source import has_standard_input, require_standard_input
from .rows.table import files, with_content
from .store.artifact import load
from .store.files import open_whole, unwritten

SAMPLES = 5


def main(arguments: Sequence[str]) -> int:
    """Predict the rows of INPUT, a block at a time; without INPUT, of standard input or the bundled rows."""
    parser = _parser()
    options = parser.parse(arguments)
    names = [name for name in (options.model, *options.inputs) if name]
    path = names.pop(0) if names and _begins_with_model(names) else ""
    inputs = list(with_content(chain.from_iterable(map(files, names))))
    is_piped = not inputs and options.range != "-" and has_standard_input()
    if is_piped:
        inputs = ["-"]
    parser.require_one_stdin("MODEL, INPUT and --range", path, *inputs, options.range)
    for name in (*inputs, *files(options.range or "-")):
        if name != "-":
            expect(name)
    if model_name := next((name for name in inputs if _is_model(name)), None):
        raise HousingError(f"{shown_path(model_name)} is a model; give it first: predict MODEL.npz INPUT")
    path = path or default_model()
    model = load(path)
    if options.bounds and model.scheme is None:
        raise HousingError(
            f"{shown_path(path)} is a float model: bounds are for quantized ones, which can be off from it; "
            "name one of these, or leave out --bounds"
        )
    ranges = None
    if options.fail_moved or options.fail_outside is not None:
        is_known = options.range or (has_range(model) and not options.fail_moved)
        ranges = None if is_known else _ranges_beside(path, model)
        needed = {"INPUT": inputs, "--range FILE, as no report.json beside the model names it": is_known or ranges}
        if missing := [name for name, given in needed.items() if not given]:
            gate = "--fail-moved" if options.fail_moved else "--fail-outside"
            parser.error(f"{gate} needs {', and '.join(missing)}")
    if is_piped and not _is_given(path, model, options):
        inputs = []
    if not inputs:
        if options.id is not None:
            parser.error("--id needs INPUT, which has the column")
        _require_bundled(path, model)
    with _output(options.output) as out:
        if inputs:
            _predict(model, ranges, inputs, options, out)
        else:
            if _format(options) is not None and not is_piped:
                cli.note("no INPUT, and nothing on standard input (docker run needs -i): the first bundled rows")
            answer = Answer(tuple(model.target_names_), options.bounds, rows=options.rows)
            _samples(model, answer, out, _format(options))
    return cli.DONE


def _is_given(path: str, model: Model, options: Namespace) -> bool:
    """Whether rows come on standard input; if not, the bundled ones may be shown, but not to a program."""
    try:
        require_standard_input()
    except TableError as error:
        if _format(options) is not None or not _is_bundled(path, model):
            raise
        cli.note(f"{error}; these are the first bundled rows")
        return False
    return True


def _is_bundled(path: str, model: Model) -> bool:
    from .store.report_file import is_of_bundled_data  # imported here because predictions of rows do not need it

    return is_of_bundled_data(path, model.feature_names)


def _require_bundled(path: str, model: Model) -> None:
    """Ask for rows, unless the bundled ones are an example of what the model was trained on."""
    if not _is_bundled(path, model):
        raise HousingError(
            f"{shown_path(path)}: no rows to predict; give INPUT, a file of rows, or - for stdin (the bundled rows are "
            "only for a model that was trained on them, as report.json beside it says)"
        )


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
        help=f"rows: {titles()}, also gzipped; patterns such as 'part-*.csv'; - for stdin "
        "(default: what is piped in, else the first bundled rows, for a model that was trained on them)",
    )
    parser.add_out("--output", metavar="FILE", help="write there, whole or not at all (default: stdout)")
    parser.add_reading(
        "format of the answers, and of rows if their extension is unknown",
        "by the name of --output, else by that of the first INPUT, else csv",
        empty=True,
    )
    parser.add_flag(
        "--rows",
        "add the number of its row in INPUT to each answer, as messages count rows: from 1 in each file, lines in "
        "JSON Lines (default: no)",
    )
    parser.add_once("--id", "NAME", "copy this one column of INPUT, text or numbers, into the answers (default: none)")
    parser.add_flag(
        "--bounds", "add the largest possible distance from the float model's prediction, in target units (default: no)"
    )
    parser.add_argument(
        "--range",
        metavar="FILE",
        help="count inputs outside the ranges of FILE, rows or the report.json of a training, and name the features "
        "whose mean, and the levels whose share, has shifted (default: for --fail-outside and --fail-moved the "
        "report.json beside the model, if it is that of the model; else the integer model's own range)",
    )
    parser.add_argument(
        "--fail-outside",
        metavar="SHARE",
        type=_share,
        help="exit 1 if more than this share of the inputs (0 to 1) is outside the range; --output FILE is not written "
        "then, answers on stdout are already (default: no limit)",
    )
    parser.add_flag(
        "--fail-moved",
        "exit 1 if the mean of a feature, or the share of a level, has shifted from that of --range by more than "
        'chance would; says which, in JSON as "moved" too (default: a note)',
    )
    parser.add_flag("--json", "answer in one JSON object, as with --format json")
    return parser


def _share(text: str) -> float:
    try:
        if 0 <= (share := float(text)) <= 1:
            return share
    except ValueError:
        pass
    raise ArgumentTypeError(f"{quoted(text)} is no share; expected a number from 0 to 1")


def _begins_with_model(names: list[str]) -> bool:
    """Whether the first file is the model: its name is of no format of rows, and others follow or it is a zip."""
    first = names[0]
    if first.endswith(".npz"):
        return True
    return first != "-" and format_of(first) is None and (len(names) > 1 or _is_archive(first))


def _is_archive(name: str) -> bool:
    """Whether a file begins as a model does; False for a pipe, whose first bytes can be read only once."""
    with suppress(OSError, ValueError):
        if Path(name).is_file():
            with Path(name).open("rb", buffering=0) as file:
                return file.read(2) == b"PK"
    return False


def _is_model(name: str) -> bool:
    if not name.endswith(".npz"):
        return False
    try:
        load(name)
    except ArtifactError:
        return False
    return True


@contextmanager
def _output(path: str | None) -> Iterator[TextIO]:
    if path is None or path == "-":
        yield sys.stdout
        return
    if not can_write(path):
        endings = any_of(FORMATS[name].endings[0] for name in ANSWER_FORMATS)
        raise HousingError(
            f"{shown_path(path)}: answers are written as {titles(ANSWER_FORMATS)}; end the name in {endings}"
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
        raise HousingError(unwritten(path, error)) from None


def _predict(model: Model, ranges: Calibration | None, inputs: list[str], options: Namespace, out: TextIO) -> None:
    """Answer the rows of all inputs, in their order."""
    skipped = Skipped()
    add = skipped.keep if _is_beside(options) else skipped.add
    reading = cli.reading(options) | {"on_error": stop if options.on_error == "stop" else add}
    others = reading | {"on_error": stop if options.on_error == "stop" else Skipped().add}
    drift = Drift(model, ranges or _reference(options.range, model, partial(_of, reading=others)))
    with ExitStack() as opened:
        # One input is open at a time; the first decides the form of the answers.
        read = (_open(opened, name, reading) for name in inputs)
        first = next(read)
        targets = tuple(model.target_names_)
        answer = Answer(targets, options.bounds, first.request, rows=options.rows, id=options.id)
        blocks = _answers(model, chain([first], read), drift, answer, options)
        _write(answer, blocks, out, _format(options, inputs[0]) or "csv", partial(_moved, drift, options))
        drift.update_unknown(skipped.unknown)
    _print_notes(drift, options)
    if skipped.count:
        cli.note(skipped.note("answered empty" if options.on_error == "empty" else "skipped"))
    if failures := _failures(drift, options):
        end = f"; {shown_path(options.output)} is not written" if _is_file(options.output) else ""
        for line in failures:
            cli.say(f"{line}{end}")
        sys.exit(cli.GATE_FAILED)


def _failures(drift: Drift, options: Namespace) -> list[str]:
    """Return a line for each limit that is broken."""
    lines, limit = [], options.fail_outside
    if limit is not None and drift.share > limit:
        share = f"{100 * drift.share:.3g} % of the rows are outside the range"
        lines.append(f"{share}, over the limit of {100 * limit:g} %")
    if options.fail_moved and (shifts := drift.shifts()):
        lines.append(drift_note(shifts, drift.levels))
    return lines


def _moved(drift: Drift, options: Namespace) -> dict[str, Any]:
    """Return what JSON tells of the features that moved."""
    return {"moved": [shift._asdict() for shift in drift.shifts()]} if options.fail_moved else {}


def _is_file(output: str | None) -> bool:
    """Whether the answers go to a file, which appears whole or not at all, and not to a stream."""
    if output in (None, "-") or str(output).startswith(("/dev/", "/proc/")):
        return False
    path = Path(str(output))
    return path.is_file() or not path.exists()


def _ranges_beside(path: str, model: Model) -> Calibration | None:
    """Return the ranges of the training, if the report beside the model names it."""
    from .store.report_file import training_of  # imported here because predict must start fast

    training = training_of(path, model.feature_names)
    return training.ranges if training else None


def _reference(range: str | None, model: Model, of: Callable[[str], dict[str, Any]]) -> Calibration | None:
    if range is None:
        return None
    from .store.report_file import ranges_of  # imported here because predict must start fast

    return ranges_of(range, model.columns, of)


def _open(opened: ExitStack, name: str, reading: dict[str, Any]) -> Rows:
    opened.close()
    rows = opened.enter_context(open_rows(name, **_of(name, reading)))
    for note in rows.notes:
        cli.note(f"{rows.source}: {note}")
    return rows


def _of(name: str, reading: dict[str, Any]) -> dict[str, Any]:
    """Return the options to read a file: its own format, by its name, comes before that of the answers."""
    return {**reading, "format": format_of(name) or reading["format"]}


def _format(options: Namespace, name: str = "") -> str | None:
    """Return the format of the answers: the one asked for, else that of the output, else that of the input."""
    if options.json:
        return "json"
    named = (format_of(each) for each in (options.output or "", name))
    return options.format or next((each for each in named if each in ANSWER_FORMATS), None)


def _is_beside(options: Namespace) -> bool:
    """Whether answers have to tell, or to show by their place, which rows they are for."""
    return options.rows or options.id is not None or options.on_error == "empty"


def _answers(model: Model, inputs: Iterable[Rows], drift: Drift, answer: Answer, options: Namespace) -> Iterator[Block]:
    """Yield predictions block by block; print a note on ignored columns."""
    for each in inputs:
        rows = each.having(model.columns)
        # Raises for a missing column before any note is printed.
        found = _blocks(model, rows, drift, answer, options)
        known = {*model.columns.as_in(rows.layout).names, *rows.layout.spelled([options.id] if options.id else [])}
        unused = [name for name in rows.columns if name not in known] if rows.named else []
        if ignored := [*unused, *(f"{name} ({why})" for name, why in rows.left_out.items())]:
            cli.note(f"ignored columns: {listed(ignored)}")
        yield from found


def _blocks(model: Model, rows: Rows, drift: Drift, answer: Answer, options: Namespace) -> Iterator[Block]:
    def plain(X: Floats) -> Block:
        drift.update(X)
        return Block(answered(model, X, answer.bounds))

    def beside(found: Numbered) -> Block:
        drift.update(found.X)
        return answered_beside(model, found, answer, options.on_error == "empty")

    if _is_beside(options):
        return map(beside, numbered(rows, model.columns, answer.id))
    return map(plain, rows.blocks(model.columns))


def _print_notes(drift: Drift, options: Namespace) -> None:
    """Print notes on rows outside the range, and on drift."""
    if drift.outside:
        count = drift.rows + drift.unknown
        cli.note(f"rows outside the range that the model was trained on: {drift.outside} of {count}")
    if options.fail_moved and not drift.tells_shifts:
        cli.note(f"too few rows to tell whether a mean has shifted: it takes {FEWEST}, here and in --range")
    if not options.fail_moved and (shifts := drift.shifts()):
        cli.note(drift_note(shifts, drift.levels))


def _write(
    answer: Answer, blocks: Iterable[Block], out: TextIO, format: str, more: Callable[[], Mapping[str, Any]] = dict
) -> None:
    for text in written(answer, blocks, format, more):
        out.write("\n".join(map(printable, text.split("\n"))) if out.isatty() else text)
        # Flushed, so that rows from a slow pipe are answered as they come.
        out.flush()


def _samples(model: Model, answer: Answer, out: TextIO, format: str | None) -> None:
    """Print predictions of the first bundled rows, as a table beside the true values unless a format is asked for."""
    X = california_rows(model.feature_names, SAMPLES)
    answers = answered(model, X, answer.bounds)
    if format is not None:
        _write(answer, [Block(answers, [range(1, SAMPLES + 1)] if answer.rows else [])], out, format)
        return
    columns = {"row": [str(i + 1) for i in range(SAMPLES)]}
    numbers = zip(answer.names, answers.T.tolist(), strict=True)
    for name, column in (*numbers, ("actual", load_california(SAMPLES).y.tolist())):
        columns[name] = [f"{x:.4f}" for x in column]
    out.write(tables.table([list(columns), *zip(*columns.values(), strict=True)]) + "\n")
