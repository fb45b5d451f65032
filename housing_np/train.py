"""python -m housing_np.train: fit a model, evaluate it, quantize it and save it."""

import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from . import cli
from .artifact import save, to_bytes
from .errors import HousingError
from .evaluation import Limits, Reduce, calibration, error_shares, held_out, leave_one_out, require_variance, scores
from .linear import LinearRegression, summarize
from .quantized import SCHEMES, Model, QuantizedLinear
from .table import Stream, Table, load_california, open_stream, open_table

SAMPLES = 5
_UNSEEN = (("r2", "R²", "f"), ("mse", "MSE", "g"))


def main(arguments: Sequence[str]) -> int:
    """Train on the bundled data or a user's file; print the comparison of the float and the uint8 models."""
    parser = cli.Parser("train", "Fit a linear model, evaluate it, quantize it to uint8 and save all of it.")
    parser.add_data()
    parser.add_argument("--out", metavar="FOLDER", default="models", help="where the models go (default: models)")
    parser.add_limits()
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--dask", metavar="ADDRESS", help="run on a Dask cluster: its scheduler, tcp://host:port")
    options = parser.parse_args(arguments)
    parser.check_data(options)
    if options.dask is None:
        table = load_california() if options.data is None else open_table(options.data, options.target)
        return _train(table, lambda doing: partial(table.reduce, watch=cli.Progress(doing)), options)
    if options.data in (None, "-"):
        parser.error("--dask needs --data: files that every worker sees")
    from .distributed import Cluster, connect

    stream = open_stream(options.data, options.target)
    with connect(options.dask) as client:
        cluster = Cluster(client, stream)
        return _train(
            stream, lambda doing: partial(cluster.reduce, watch=cli.Progress(doing, "files", lambda _: 1)), options
        )


def _train(table: Table | Stream, passing: Callable[[str], Reduce], options: Namespace) -> int:
    """Make each pass over the rows with what `passing` gives for its name."""
    summary = partial(summarize, feature_names=table.feature_names, target_names=(table.target_name,))
    model = LinearRegression().set_solution(passing("fit")(summary))
    rows = passing("calibration")(calibration)
    models: dict[str, Model] = {"float64": model}
    for scheme in SCHEMES:
        try:
            quantized = QuantizedLinear.from_linear(model, rows, scheme)
            to_bytes(quantized)  # refuses what no file can hold
            models[f"uint8-{scheme}"] = quantized
        except HousingError as error:
            cli.note(f"no uint8 model of the scheme {scheme}: {error}")
    scored = passing("evaluation")(partial(scores, models, model))
    require_variance(scored["float64"], table.target_name)
    measured = scored.figures()

    limits = Limits(options.max_r2_drop, options.max_deviation)
    shares = {name: error_shares(each, model, rows) for name, each in models.items()}
    broken = [
        line for name in models for line in limits.broken(name, measured[name], measured["float64"], shares[name])
    ]
    if broken:
        print("\n".join(broken), file=sys.stderr)
        return cli.GATE_FAILED

    stages: list[dict[str, Any]] = [
        {"stage": name, "file": str(Path(options.out, f"{name}.npz")), **measured[name]._asdict()} for name in models
    ]
    # All that can fail comes before the first file is written.
    report = {
        "rows": rows.rows,
        "features": list(table.feature_names),
        "target": table.target_name,
        "stages": stages,
        "leave_one_out": leave_one_out(model, passing("leave-one-out"))._asdict(),
        "held_out": held_out(passing("held-out"), table.feature_names)._asdict(),
        "samples": _samples(models, table),
    }
    for stage, each in zip(stages, models.values(), strict=True):
        stage |= {"payload_bytes": each.payload_bytes, "file_bytes": save(each, stage["file"])}
    for scheme in SCHEMES:
        # What an earlier run left there is of another model.
        if f"uint8-{scheme}" not in models:
            Path(options.out, f"uint8-{scheme}.npz").unlink(missing_ok=True)
    print(cli.dumps(report) if options.json else _text(report))
    return cli.DONE


def _samples(models: dict[str, Model], table: Table | Stream) -> list[dict[str, Any]]:
    """The first rows of a table: the true value, and each model's prediction."""
    X, y = next(iter(table))
    predicted = {name: model.predict(X[:SAMPLES]).tolist() for name, model in models.items()}
    return [
        {"row": i + 1, "actual": actual} | {name: values[i] for name, values in predicted.items()}
        for i, actual in enumerate(y[:SAMPLES].tolist())
    ]


def _text(report: dict[str, Any]) -> str:
    head = ["stage", "file", *cli.MEASURED]
    rows = [[stage["stage"], stage["file"], *cli.measured(stage)] for stage in report["stages"]]
    columns = list(report["samples"][0])
    sample_rows = [[str(row["row"]), *(f"{row[name]:.4g}" for name in columns[1:])] for row in report["samples"]]
    return "\n".join(
        [
            f"{report['rows']:,} rows, {len(report['features'])} features, target {report['target']}",
            "",
            cli.table([head, *rows], left=2),
            "",
            f"on rows that the fit has not seen: {_unseen('leave-one-out', report['leave_one_out'])}; "
            f"{_unseen('held-out fifth', report['held_out'])}",
            "",
            cli.table([columns, *sample_rows]),
        ]
    )


def _unseen(name: str, values: dict[str, float | None]) -> str:
    shown = [f"{label} {values[key]:.4{kind}}" for key, label, kind in _UNSEEN if values[key] is not None]
    return f"{name} {', '.join(shown) or 'too few rows'}"


if __name__ == "__main__":
    cli.leave(cli.run(main, sys.argv[1:]))
