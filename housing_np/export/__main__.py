"""python -m housing_np.export: a model to C, ONNX or a web page."""

if __name__ == "__main__":
    from ..__main__ import script

    script("export")

import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from ..checks.arrays import Floats
from ..command import cli
from ..command.models import float_model, float_model_beside
from ..errors import HousingError, quoted
from ..evaluation.ranges import own_range
from ..fit.linear import LinearRegression
from ..quantized.calibration import Calibration
from ..quantized.model import Model
from ..rows import Skipped, stop
from ..rows.california import california_rows
from ..rows.columns import Columns
from ..store.artifact import read
from ..store.files import write_all
from ..store.report_file import is_of_bundled_data, ranges_of
from . import Target
from .facts import Facts

_ENDINGS: dict[str, Target] = {".c": "c", ".h": "c", ".onnx": "onnx", ".html": "html", ".htm": "html"}
# The target of each option that has only one.
_ONLY = {"header_only": "c", "golden": "c", "float32": "onnx", "against": "html"}


def main(arguments: Sequence[str]) -> int:
    """Write a model in another form: to files, or to standard output."""
    parser = _parser()
    options = parser.parse(arguments)
    parser.require_one_stdin("MODEL, --range and --against", options.model, options.range, options.against)
    to = _target(parser, options)
    paths = _paths(parser, options, to)
    for path in paths:
        if path.is_file() and not options.force:
            raise HousingError(f"{path}: is there already; give another name, or --force to replace it")
    model, content = read(options.model)
    given, rows = (None, _test_rows(model, options)) if options.range is None else _read(model.columns, options)
    name = paths[0].stem if paths else "model"
    facts = Facts.of_file(options.model, model, content, name, given, _against(model, options, to))
    if to == "c":
        from .c import renamed

        cli.notes(renamed(facts))
    made = _contents(model, facts, to, options, paths, rows)
    if not paths:
        _print(made[0])
        return cli.DONE
    contents = dict(zip(paths, map(_bytes, made), strict=True))
    write_all(contents, HousingError)
    report = {"to": to, "scheme": facts.scheme, "sha256": facts.sha256}
    sizes = {str(path): len(content) for path, content in contents.items()}
    lines = (f"{path}: {size} bytes" for path, size in sizes.items())
    cli.show(cli.dumps(report | {"files": sizes}) if options.json else "\n".join(lines))
    return cli.DONE


def _parser() -> cli.Parser:
    parser = cli.Parser(
        "export",
        "Take a saved model to C, to ONNX or to a web page.",
        "models/uint8-integer.npz -o price.c --golden 100",
    )
    parser.add_argument("model", metavar="MODEL.npz", help="a model, as train writes it (no default)")
    parser.add_argument("--to", choices=get_args(Target), help="(default: what the name of --out ends in)")
    parser.add_out(
        "--out",
        metavar="FILE",
        help="write there, whole or not at all: NAME.c, with NAME.h beside it, NAME.h, NAME.onnx or NAME.html "
        "(default: stdout)",
    )
    parser.add_flag("--force", "replace files that are there (default: keep them)")
    parser.add_flag("--header-only", "C as one header, as for NAME.h (default: as NAME.c and NAME.h)")
    parser.add_argument(
        "--golden",
        metavar="N",
        type=_count,
        help="write NAME_test.c too: N rows, Python's answers, and whether C gives the same; the rows are those of "
        "--range, else the bundled ones for a model that was trained on them, else drawn in the integer model's range "
        "(default: none)",
    )
    parser.add_argument(
        "--range",
        metavar="FILE",
        help="rows like those that the model is for, or the report.json of a training: the export tells their range, "
        "and --golden uses the first rows (default: the integer model's own range, else that in the report.json "
        "beside the model)",
    )
    parser.add_argument(
        "--against",
        metavar="FLOAT.npz",
        help="the float model that a page shows beside a uint8 one (default: float64.npz beside the model, if it is of "
        "the same columns)",
    )
    parser.add_flag("--float32", "ONNX that takes its inputs in float32 (default: float64)")
    parser.add_reading(format="format of --range if its extension is unknown")
    parser.add_json()
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is no number of rows: expected 1 or more")
    return int(text)


def _target(parser: cli.Parser, options: Namespace) -> Target:
    """Return the target; end the command if the options do not fit together."""
    ending = _ENDINGS.get(Path(options.out or "").suffix)
    to: Target | None = options.to or ending
    if to is None and options.out not in (None, "-"):
        parser.error(f"cannot tell the target from {quoted(Path(options.out).suffix)}; give --to c, onnx or html")
    if to is None:
        parser.error("--to says what to make (c, onnx, html), or the end of --out (.c, .h, .onnx, .html)")
    if ending not in (None, to) or (to == "c" and ending is None and options.out not in (None, "-")):
        expected = {"c": ".c or .h", "onnx": ".onnx", "html": ".html"}[to]
        parser.error(f"--out {options.out} does not fit --to {to}: end it in {expected}")
    for name, only in _ONLY.items():
        if getattr(options, name) and to != only:
            parser.error(f"--{name.replace('_', '-')} is for --to {only}, not {to}")
    return to


def _paths(parser: cli.Parser, options: Namespace, to: Target) -> list[Path]:
    """Return the files to write; an empty list for standard output."""
    if options.out in (None, "-"):
        if options.golden:
            parser.error("--golden writes a second file: name the first with --out")
        if options.json:
            parser.error("--json tells what was written: name a file with --out")
        return []
    path = Path(options.out)
    if to != "c":
        return [path]
    if options.header_only and path.suffix != ".h":
        parser.error("--header-only writes one header: end --out in .h")
    if not path.name.isprintable() or any(sign in path.name for sign in ('"', "\\", "??")):
        raise HousingError(f"{path.name!r}: no #include can name this file; give it a plain name")
    header, test = path.with_suffix(".h"), path.with_name(f"{path.stem}_test.c")
    paths = list(dict.fromkeys([path, header]))
    return [*paths, test] if options.golden else paths


def _against(model: Model, options: Namespace, to: Target) -> LinearRegression | None:
    """Return the float model that a page shows beside a quantized one."""
    if options.against and model.scheme is None:
        raise HousingError(f"{options.model} is a float model: --against is for uint8 ones, which were made from one")
    if options.against:
        return float_model(options.against, model)
    beside = float_model_beside(options.model)
    if to != "html" or model.scheme is None or not beside.is_file():
        return None
    try:
        return float_model(beside, model)
    except HousingError as error:
        cli.note(f"the page shows no float model beside this one: {error}")
        return None


def _test_rows(model: Model, options: Namespace) -> Floats:
    """Return the rows of --golden for a model whose user gave none: bundled or drawn."""
    count = options.golden or 0
    if not count:
        return np.empty((0, len(model.feature_names)))
    if not is_of_bundled_data(options.model, model.feature_names):
        return _drawn(model, count)
    rows = california_rows(model.feature_names)
    _require(len(rows), count, "the bundled data")
    return rows[:count]


def _read(columns: Columns, options: Namespace) -> tuple[Calibration, Floats]:
    """Return the calibration of --range, and its first rows for --golden."""
    count, skipped = options.golden or 0, Skipped()
    first = [np.empty((0, len(columns.feature_names)))]
    reading = {"on_error": skipped.add if options.on_error == "skip" else stop, **cli.reading(options)}

    def keep(block: Floats) -> None:
        first.append(block[: max(0, count - sum(map(len, first)))].copy())

    ranges = ranges_of(options.range, columns, lambda name: reading, keep)
    if skipped.count:
        cli.note(str(skipped))
    if not ranges.rows:
        raise HousingError(f"{options.range}: no rows; expected at least one")
    rows = np.concatenate(first)
    _require(len(rows) if count else ranges.rows, count, options.range)
    return ranges, rows


def _require(rows: int, count: int, where: str) -> None:
    if rows < count:
        found = f"{rows} {'row' if rows == 1 else 'rows'}"
        raise HousingError(f"--golden {count}: {where} has {found}; ask for fewer, or give more with --range FILE")


def _drawn(model: Model, count: int) -> Floats:
    """Return made-up rows in the range of an integer model, and a tenth beyond it."""
    known = own_range(model)
    if known is None:
        raise HousingError(
            "--golden needs rows, and the model is not known to be trained on the bundled ones; "
            "give some with --range FILE"
        )
    low, high = known
    span = high - low
    rng = np.random.default_rng(0)
    X = rng.uniform(low - span / 10, low + span * 1.1, (count, len(low)))
    columns, drawn = model.columns, dict(zip(model.feature_names, X.T, strict=True))
    if columns.is_plain:
        return X
    cells = [
        rng.integers(len(columns.levels[name]), size=count) if name in columns.levels else drawn[name]
        for name in columns.names
    ]
    return columns.encode(np.column_stack(cells).astype(np.float64))


def _contents(
    model: Model, facts: Facts, to: Target, options: Namespace, paths: Sequence[Path], rows: Floats
) -> Sequence[str | bytes]:
    """Return the content of each file; for standard output, of one that holds the whole model."""
    if to == "onnx":
        from .onnx import graph

        return [graph(model, facts, float32=options.float32)]
    if to == "html":
        from .page import page

        return [page(model, facts)]
    from .c import header, header_and_source

    if not paths or paths[0].suffix == ".h":
        texts = [header(model, facts)]
    else:
        texts = [*reversed(header_and_source(model, facts, paths[1].name))]
    if options.golden:
        from .golden import program

        texts.append(program(model, facts, paths[0].with_suffix(".h").name, rows))
    return texts


def _bytes(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.encode()


def _print(content: str | bytes) -> None:
    if isinstance(content, str) and sys.stdout.isatty():
        cli.show(content.removesuffix("\n"))
    else:
        cli.show_bytes(_bytes(content))
