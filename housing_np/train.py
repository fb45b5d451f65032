"""python -m housing_np.train: fit a model, evaluate it, quantize it and save it."""

if __name__ == "__main__":
    from .__main__ import script

    script("train")

from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .checks.paths import as_path, shown_path
from .command import cli, tables
from .errors import HousingError, counted, printable
from .evaluation.evaluation import Head, Limits, Seen, Worth, error_shares, losses, require_figures, rows_alone
from .fit.linear import LinearRegression
from .fit.passes import connect, total, total_on_cluster
from .quantized.calibration import Calibration
from .quantized.model import SCHEMES, Model, QuantizedLinear
from .rows.california import bundled_file, load_california
from .rows.table import Stream, files, open_stream, open_table
from .store.artifact import to_bytes, write_set
from .store.report import Sums, report_of

_UNSEEN = (("r2", "R²", "{:.4f}".format), ("mse", "MSE", lambda mse: tables.number(mse, 4)))
_UINT8 = {f"uint8-{scheme}": scheme for scheme in SCHEMES}  # the stages
_REPORT = "report.json"
# What of the options decides the numbers, or whether there are any.
_OPTIONS = (
    *("data", "target", "features", "ignore", "format", "separator", "decimal", "no_header", "on_error"),
    *("max_r2_drop", "max_deviation"),
)
_NAMES = 40  # that are shown; all are in --json
# Gives the sum of all rows, for an empty one and the name of the pass.
Pass = Callable[[Any, str], Any]


def main(arguments: Sequence[str]) -> int:
    """Train on the bundled data or a user's file; print the comparison of the float and the uint8 models."""
    parser = cli.Parser(
        "train",
        "Fit a linear model, evaluate it, quantize it to uint8 and save all of it.",
        "--data housing.csv --target median_house_value --ignore ocean_proximity --on-error skip",
    )
    parser.add_data()
    parser.add_out("--out", metavar="FOLDER", default="models", help="where the models go (default: models)")
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
    options = parser.parse(arguments)
    parser.check_data(options)
    if options.report is not None:
        _require_page(options.report)
    columns = {"features": options.features, "ignore": options.ignore, "on_error": options.on_error}
    if options.dask is None:
        sums = Sums([bundled_file()] if options.data is None else files(options.data))
        table = (
            Stream.of(load_california())
            if options.data is None
            else open_table(options.data, options.target, **columns, **cli.reading(options))
        )
        return _train(table, lambda empty, name: total(empty, cli.Progress(name)(table)), options, sums)
    if options.data in (None, "-"):
        parser.error("--dask needs --data: files that every worker sees")
    stream = open_stream(options.data, options.target, **columns, **cli.reading(options))
    with connect(options.dask) as client:

        def on_cluster(empty: Any, name: str) -> Any:
            return total_on_cluster(client, stream, empty, cli.Progress(name, "files", lambda _: 1))

        # Its workers alone read the files.
        return _train(stream, on_cluster, options, Sums([]))


def _train(table: Stream, make_pass: Pass, options: Namespace, sums: Sums) -> int:
    """Make two passes over the rows: one for what needs no model, one for what the models are worth."""
    if table.rows is not None:
        cli.notes(table.told())
    Seen.require_rows(table)
    seen: Seen = make_pass(Seen.of(table), "fit")
    if table.rows is None:
        cli.notes(table.told())
    seen.require_variance()
    model = LinearRegression().set_solution(seen.all_rows)
    models, packed = _packed(model, seen.features)
    worth: Worth = make_pass(Worth.of(models, model, seen), "evaluation")
    measured = worth.scores.figures()
    require_figures(measured["float64"], table.target_name)

    limits = Limits(options.max_r2_drop, options.max_deviation)
    broken = [
        line
        for name, each in models.items()
        for line in limits.broken(name, measured[name], measured["float64"], error_shares(each, model, seen.features))
    ]
    uint8 = {name: figures for name, figures in measured.items() if name in _UINT8}
    if not uint8:
        broken = limits.unjudged()
    if broken:
        for line in broken:
            cli.say(line)
        return cli.GATE_FAILED
    cli.notes(losses(uint8, measured["float64"]))

    stages: list[dict[str, Any]] = [
        {
            "stage": name,
            "file": str(Path(options.out, f"{name}.npz")),
            **measured[name]._asdict(),
            "payload_bytes": each.payload_bytes,
            "file_bytes": len(packed[name]),
        }
        for name, each in models.items()
    ]
    # All that can fail comes before the first file is written.
    found = {Path(path).name if options.data is None else path: sum for path, sum in sums.found().items()}
    chosen = {name: getattr(options, name) for name in _OPTIONS}
    record = report_of(table, found, chosen, seen, worth, packed)
    report = {
        "rows": seen.all_rows.rows,
        "rows_skipped": table.all_skipped.count,
        "features": list(table.feature_names),
        "left_out": list(table.left_out),
        "target": table.target_name,
        "stages": stages,
        "leave_one_out": record["leave_one_out"],
        "leave_one_out_others": record["leave_one_out_others"],
        "held_out": record["held_out"],
        "samples": _samples(models, seen.head),
    }
    # A scheme that does not fit gets no file, nor keeps that of an earlier run.
    contents = {f"{name}.npz": packed.get(name) for name in ("float64", *_UINT8)}
    contents[_REPORT] = f"{cli.dumps(record, indent=2)}\n".encode()
    write_set(contents, options.out, _page(options.report, record, seen, model))
    cli.show(cli.dumps(report) if options.json else _text(report))
    return cli.DONE


def _require_page(path: str) -> None:
    """Refuse a page that could not be made, before anything is fitted."""
    suffix = as_path(path, HousingError).suffix
    if suffix not in (".html", ".md"):
        raise HousingError(f"{shown_path(path)}: a report is a page in HTML or Markdown; end the name in .html or .md")
    if suffix == ".html":
        from .store.pictures import import_matplotlib

        import_matplotlib()


def _page(path: str | None, record: dict[str, Any], seen: Seen, model: LinearRegression) -> dict[Path, bytes]:
    """Return the page that is asked for, by its path."""
    if path is None:
        return {}
    from .store.report_page import html, markdown  # here, not above: a training without a page must not pay for it

    if path.endswith(".md"):
        return {Path(path): markdown(record).encode()}
    from .store.pictures import pictures

    return {Path(path): html(record, pictures(record, model, seen.sample)).encode()}


def _packed(model: LinearRegression, rows: Calibration) -> tuple[dict[str, Model], dict[str, bytes]]:
    """Return the float model and those of all schemes that can hold it, and their files, by the name of their stage."""
    models: dict[str, Model] = {"float64": model}
    files = {"float64": to_bytes(model)}
    for name, scheme in _UINT8.items():
        try:
            quantized = QuantizedLinear.from_linear(model, rows, scheme)
            files[name] = to_bytes(quantized)  # refuses what no file can hold
            models[name] = quantized
        except HousingError as error:
            cli.note(f"no uint8 model of the scheme {scheme}: {error}")
    return models, files


def _samples(models: dict[str, Model], head: Head) -> list[dict[str, Any]]:
    """Return the first rows: the true value, and each model's prediction."""
    assert head.X is not None and head.y is not None
    predicted = {name: model.predict(head.X).tolist() for name, model in models.items()}
    return [
        {"row": i + 1, "actual": actual} | {name: values[i] for name, values in predicted.items()}
        for i, actual in enumerate(head.y.tolist())
    ]


def _text(report: dict[str, Any]) -> str:
    head = ["file", *tables.MEASURED]
    rows = [[stage["file"], *tables.measured(stage)] for stage in report["stages"]]
    columns = list(report["samples"][0])
    sample_rows = [
        [str(row["row"]), *(tables.number(row[name], 4) for name in columns[1:])] for row in report["samples"]
    ]
    left_out = report["leave_one_out_others"] or report["leave_one_out"]
    size = f"{counted(report['rows'], 'row')}, {counted(len(report['features']), 'feature')}"
    return "\n".join(
        [
            f"{size}, target {printable(report['target'])}"
            + f"; bad rows skipped: {report['rows_skipped']:,}" * bool(report["rows_skipped"]),
            _names("features", report["features"]),
            *[_names("left out", report["left_out"])] * bool(report["left_out"]),
            "",
            tables.table([head, *rows]),
            "",
            "on rows that the fit has not seen:",
            tables.paragraph(_unseen("leave-one-out", left_out)),
            tables.paragraph(_unseen("held-out fifth", report["held_out"])),
            "",
            tables.table([columns, *sample_rows]),
        ]
    )


def _names(what: str, names: list[str]) -> str:
    shown = ", ".join(names[:_NAMES]) + f", … and {len(names) - _NAMES} more" * (len(names) > _NAMES)
    return tables.paragraph(f"{what}: {shown}")


def _unseen(name: str, values: dict[str, Any]) -> str:
    shown = [f"{label} {show(values[key])}" for key, label, show in _UNSEEN if values[key] is not None]
    alone = f" without {rows_alone(values['rows_alone'], values['features_alone'])}" if "rows_alone" in values else ""
    return f"{name} {', '.join(shown) or 'too few rows'}{alone}"
