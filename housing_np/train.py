"""python -m housing_np.train: fit a model, evaluate it, quantize it and save it."""

if __name__ == "__main__":
    from .__main__ import script

    script("train")

from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from .checks.paths import as_path, shown_path
from .command import cli, tables
from .errors import HousingError, TableError, counted, printable
from .evaluation.deviation import error_shares
from .evaluation.first_pass import FirstPass
from .evaluation.gates import Gates, losses
from .evaluation.leave_one_out import rows_alone
from .evaluation.sample import Head
from .evaluation.scores import Figures, require_figures
from .evaluation.second_pass import SecondPass
from .fit.linear import LinearRegression
from .fit.passes import total
from .quantized.calibration import Calibration
from .quantized.model import Model, QuantizedLinear
from .quantized.schemes import INTEGERS, SCHEMES, stage_of
from .rows.california import bundled_file, load_california
from .rows.table import Stream, files, open_table
from .store.artifact import to_bytes, write_set
from .store.report import Sums, report_of
from .store.report_file import NAME as _REPORT

_OUT_OF_SAMPLE = (("r2", "R²", "{:.4f}".format), ("mse", "MSE", lambda mse: tables.number(mse, 4)))
# The stages, and the scheme of each.
_QUANTIZED = {stage_of(scheme): scheme for scheme in SCHEMES}
# The options that decide the numbers, or whether there are any.
_OPTIONS = (
    *("data", "target", "features", "ignore", "categories", "missing"),
    *("format", "separator", "decimal", "no_header", "encoding", "on_error"),
    *("max_r2_drop", "max_deviation"),
)
_NAMES = 40  # shown in the text; --json has all
# Returns the sum of all rows, for an empty sum and the name of the pass.
Pass = Callable[[Any, str], Any]


def main(arguments: Sequence[str]) -> int:
    """Train on the bundled data or a user's file; print the comparison of the float and the uint8 models."""
    parser = _parser()
    options = parser.parse(arguments)
    parser.check_data(options)
    as_path(options.out, HousingError)
    if options.report is not None:
        _require_page(options.report)
    if options.dask is not None and options.data in (None, "-"):
        parser.error("--dask needs --data: files that every worker sees")
    with _rows(options) as (table, make_pass, sums):
        return _train(LinearRegression(), table, make_pass, options, sums)


def _parser() -> cli.Parser:
    parser = cli.Parser(
        "train",
        "Fit a linear model, evaluate it, quantize it and save all of it.",
        "--data housing.csv --target median_house_value --missing mean",
    )
    parser.add_data()
    parser.add_out("--out", metavar="FOLDER", type=str, default="models", help="where the models go (default: models)")
    parser.add_argument(
        "--report",
        metavar="FILE",
        help="a page of report.json, the record of the training beside the models: .html (with pictures; needs the "
        "extra plot) or .md (default: none)",
    )
    parser.add_limits()
    parser.add_json()
    parser.add_argument(
        "--dask", metavar="ADDRESS", help="run on a Dask cluster: its scheduler, tcp://host:port (default: in here)"
    )
    return parser


@contextmanager
def _rows(options: Namespace) -> Iterator[tuple[Stream, Pass, Sums]]:
    """Yield the rows, the function that makes a pass over them, and the checksums of their files."""
    reading = cli.table_options(options)
    if options.dask is not None:
        from .distributed.cluster import connect, survey_on_cluster, total_on_cluster  # imported here: they need Dask

        with connect(options.dask) as client:
            survey = partial(survey_on_cluster, client, watch=_files_done("columns"))
            stream = open_table(options.data, options.target, in_memory=False, survey=survey, **reading)
            # Only the workers read the files, so there are no checksums.
            yield stream, lambda empty, name: total_on_cluster(client, stream, empty, _files_done(name)), Sums([])
        return
    if options.data is None:
        sums, table = Sums([bundled_file()]), Stream.of(load_california())
    else:
        sums, table = Sums(files(options.data)), open_table(options.data, options.target, **reading)
    yield table, lambda empty, name: total(empty, cli.Progress(name)(table)), sums


def _files_done(name: str) -> cli.Progress:
    return cli.Progress(name, "files", lambda _: 1)


def _train(model: LinearRegression, table: Stream, make_pass: Pass, options: Namespace, sums: Sums) -> int:
    """Fit in a first pass over the rows, evaluate in a second one, and write all files or, if a gate fails, none."""
    first = _first_pass(model, table, make_pass, options.features)
    model.set_solution(first.all_rows, table.columns)
    models, contents = _packed(model, first.features)
    second: SecondPass = make_pass(SecondPass.of(models, model, first), "evaluation")
    _require_same_rows(first, second)
    figures = second.scores.figures()
    require_figures(figures["float64"], table.target_name)
    failures = _gate_failures(options, models, figures, model, first.features)
    if failures:
        for line in failures:
            cli.say(line)
        return cli.GATE_FAILED
    uint8 = {name: each for name, each in figures.items() if _QUANTIZED.get(name) in INTEGERS}
    cli.notes(losses(uint8, figures["float64"], {name: figures[name] for name in figures if name in _QUANTIZED}))
    # All that can fail comes before the first file is written.
    checksums = {
        Path(path).name if options.data is None else path: sum for path, sum in sums.found(table.stamps).items()
    }
    chosen = {name: getattr(options, name) for name in _OPTIONS}
    record = report_of(table, checksums, chosen, first, second, contents)
    report = _report(record, table, _stages(models, figures, contents, options.out), _samples(models, first.head))
    page = _page(options.report, record, first, models)
    # A scheme that does not fit gets no file, and that of an earlier run is removed.
    files = {f"{name}.npz": contents.get(name) for name in ("float64", *_QUANTIZED)}
    write_set(files | {_REPORT: f"{cli.dumps(record, indent=2)}\n".encode()}, options.out, page)
    cli.show(cli.dumps(report) if options.json else _text(report))
    return cli.DONE


def _first_pass(model: LinearRegression, table: Stream, make_pass: Pass, asked: Sequence[str]) -> FirstPass:
    """Return the sums of all rows; the notes on a table are complete once it has been read."""
    if table.rows is not None:
        cli.notes(table.all_notes(table.rows))
    empty = FirstPass.of(table, model)
    empty.require_rows(table)
    first: FirstPass = make_pass(empty, "fit")
    table.require_some_left(int(first.all_rows.rows))
    if table.rows is None:
        if first.all_rows.rows > 1 and table.leave_out_constant(first.features.low, first.features.high, asked):
            return _first_pass(model, table, make_pass, asked)  # without them, as a table in memory is
        cli.notes(table.all_notes(int(first.all_rows.rows)))
    first.require_variance(table.columns)
    return first


def _require_same_rows(first: FirstPass, second: SecondPass) -> None:
    """Raise TableError if the passes read another number of rows, although no file tells that it changed."""
    before, after = first.all_rows.rows, second.scores.scores["float64"].rows
    if before != after:
        raise TableError(f"the files changed while they were read ({before:,} rows, then {after:,}); run again")


def _packed(model: LinearRegression, rows: Calibration) -> tuple[dict[str, Model], dict[str, bytes]]:
    """Return the float model and those of all schemes that can hold it, and their files, by the name of their stage."""
    models: dict[str, Model] = {"float64": model}
    contents = {"float64": to_bytes(model)}
    for name, scheme in _QUANTIZED.items():
        try:
            quantized = QuantizedLinear.from_linear(model, rows, scheme)
            contents[name] = to_bytes(quantized)  # raises HousingError for what no file can hold
            models[name] = quantized
        except HousingError as error:
            cli.note(f"no {name.partition('-')[0]} model of the scheme {scheme}: {error}")
    return models, contents


def _gate_failures(
    options: Namespace,
    models: Mapping[str, Model],
    figures: Mapping[str, Figures],
    reference: LinearRegression,
    rows: Calibration,
) -> list[str]:
    """Return one line for each limit that a model breaks."""
    gates = Gates(options.max_r2_drop, options.max_deviation)
    if len(models) == 1:
        return gates.failures_without_model()
    return [
        line
        for name, model in models.items()
        for line in gates.failures(name, figures[name], figures["float64"], error_shares(model, reference, rows))
    ]


def _require_page(path: str) -> None:
    """Raise HousingError for a page that cannot be made, before anything is fitted."""
    suffix = as_path(path, HousingError).suffix
    if suffix not in (".html", ".md"):
        raise HousingError(f"{shown_path(path)}: a report is a page in HTML or Markdown; end the name in .html or .md")
    if suffix == ".html":
        from .store.pictures import import_matplotlib

        import_matplotlib()


def _page(path: str | None, record: dict[str, Any], first: FirstPass, models: Mapping[str, Model]) -> dict[Path, bytes]:
    """Return the page that --report asks for, by its path."""
    if path is None:
        return {}
    from .store.report_page import html, markdown  # imported here because most trainings make no page

    if path.endswith(".md"):
        return {Path(path): markdown(record).encode()}
    from .store.pictures import pictures

    return {Path(path): html(record, pictures(record, models, first.sample)).encode()}


def _stages(
    models: Mapping[str, Model], figures: Mapping[str, Figures], contents: Mapping[str, bytes], folder: str
) -> list[dict[str, Any]]:
    return [
        {
            "stage": name,
            "file": str(Path(folder, f"{name}.npz")),
            **figures[name]._asdict(),
            "payload_bytes": model.payload_bytes,
            "file_bytes": len(contents[name]),
        }
        for name, model in models.items()
    ]


def _samples(models: Mapping[str, Model], head: Head) -> list[dict[str, Any]]:
    """Return the first rows: the true value, and each model's prediction."""
    columns = {"actual": head.y.tolist(), **{name: model.predict(head.X).tolist() for name, model in models.items()}}
    rows = zip(*columns.values(), strict=True)
    return [{"row": number, **dict(zip(columns, row, strict=True))} for number, row in enumerate(rows, 1)]


def _report(
    record: dict[str, Any], table: Stream, stages: list[dict[str, Any]], samples: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return what is printed."""
    return {
        "rows": record["data"]["rows"],
        "rows_skipped": record["data"]["rows_skipped"],
        "rows_missing": record["data"]["rows_missing"],
        "features": list(table.feature_names),
        "columns": list(table.columns.names),
        "categories": record["data"]["categories"],
        "filled": record["data"]["filled"],
        "left_out": list(table.left_out),
        "target": table.target_name,
        "stages": stages,
        "leave_one_out": record["leave_one_out"],
        "leave_one_out_others": record["leave_one_out_others"],
        "held_out": record["held_out"],
        "samples": samples,
    }


def _text(report: dict[str, Any]) -> str:
    head = ["file", *tables.MEASURED]
    # The names of files alone: with their folder they would be too long for the table, and cut.
    files = [Path(stage["file"]) for stage in report["stages"]]
    stages = [[file.name, *cells] for file, cells in zip(files, tables.measured(report["stages"]), strict=True)]
    columns = {"row": [str(row["row"]) for row in report["samples"]]}
    for name in list(report["samples"][0])[1:]:
        columns[name.removeprefix("uint8-")] = tables.numbers([row[name] for row in report["samples"]], 4)
    leave_one_out = report["leave_one_out_others"] or report["leave_one_out"]
    return "\n".join(
        [
            *_data_lines(report),
            "",
            tables.paragraph(f"in {files[0].parent}:"),
            tables.table([head, *stages]),
            "",
            "on rows that the fit has not seen:",
            tables.paragraph(_out_of_sample("leave-one-out", leave_one_out)),
            tables.paragraph(_out_of_sample("held-out fifth", report["held_out"])),
            "",
            tables.table([list(columns), *zip(*columns.values(), strict=True)]),
        ]
    )


def _data_lines(report: dict[str, Any]) -> list[str]:
    size = f"{counted(report['rows'], 'row')}, {counted(len(report['features']), 'feature')}"
    skipped = f"; bad rows skipped: {report['rows_skipped']:,}" if report["rows_skipped"] else ""
    missing = f"; left out for missing cells: {report['rows_missing']:,}" if report["rows_missing"] else ""
    categories = {name: counted(len(counts), "level") for name, counts in report["categories"].items()}
    filled = {name: f"{each['cells']:,}, with {_fill(each['fill'])}" for name, each in report["filled"].items()}
    named = {
        "features": [name for name in report["columns"] if name not in categories],
        "categories": [f"{name} ({levels})" for name, levels in categories.items()],
        "filled": [f"{name} ({how})" for name, how in filled.items()],
        "left out": report["left_out"],
    }
    head = f"{size}, target {printable(report['target'])}{skipped}{missing}"
    return [head, *(_names(what, names) for what, names in named.items() if names)]


def _fill(value: float | str) -> str:
    return value if isinstance(value, str) else tables.number(value, 4)


def _names(what: str, names: list[str]) -> str:
    more = f", … and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return tables.paragraph(f"{what}: {', '.join(names[:_NAMES])}{more}")


def _out_of_sample(name: str, values: dict[str, Any]) -> str:
    shown = [f"{label} {show(values[key])}" for key, label, show in _OUT_OF_SAMPLE if values[key] is not None]
    alone = f" without {rows_alone(values['rows_alone'], values['features_alone'])}" if "rows_alone" in values else ""
    return f"{name} {', '.join(shown) or 'too few rows'}{alone}"
