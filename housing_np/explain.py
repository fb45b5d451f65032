"""python -m housing_np.explain: what is in a model file, and which feature is to blame for its error."""

if __name__ == "__main__":
    from .__main__ import script

    script("explain")

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .checks.arrays import Floats
from .checks.paths import shown_path
from .command import cli, tables
from .errors import HousingError, counted
from .evaluation.evaluation import Share, error_shares, guarantee
from .fit.linear import LinearRegression
from .quantized.calibration import Calibration
from .quantized.model import Model, QuantizedLinear
from .rows import Skipped
from .rows.california import california_rows
from .rows.table import open_table, read_rows
from .store.artifact import load

# There is one for each target.
_OF_TARGETS = ("slack", "intercept", "bias")


def main(arguments: Sequence[str]) -> int:
    """Print what a model file holds, and beside a float model, each feature's share of the error."""
    parser = cli.Parser(
        "explain",
        "Show what is in a model file, and which feature its error comes from.",
        "models/uint8-integer.npz --against models/float64.npz",
    )
    parser.add_argument("model", metavar="MODEL.npz", help="a model, as train writes it (no default)")
    parser.add_argument("--against", metavar="FLOAT.npz", help="the float model that it was made from (default: none)")
    parser.add_argument(
        "--data",
        metavar="FILE",
        help="rows to weigh the error with (with --against, by default the bundled data); without --against, the float "
        "model is fitted to them, so they need the target",
    )
    parser.add_reading()
    parser.add_json()
    options = parser.parse(arguments)
    model = load(options.model)
    report: dict[str, Any] = {
        "file": options.model,
        **_contents(model),
        "file_bytes": Path(options.model).stat().st_size,
    }
    if options.against or options.data:
        if options.against:
            reference = float_model(options.against, model)
            names = model.feature_names
            X = california_rows(names) if options.data is None else _own_rows(names, options)
        else:
            reference, X = _fitted(options, model)
        shares = error_shares(model, reference, Calibration.of(X))
        report["shares"] = [share._asdict() for share in shares]
        text = f"{_text(report)}\n\n{_blame(shares)}"
        if isinstance(model, QuantizedLinear):
            report["guarantee"] = guarantee(model, reference, X)._asdict()
            text += "\n\n" + "\n".join(
                f"{name.replace('_', ' ')}: {tables.number(x, 3)}" for name, x in report["guarantee"].items()
            )
    else:
        text = _text(report)
    cli.show(cli.dumps(report) if options.json else text)
    return cli.DONE


def float_model(path: str, model: Model) -> LinearRegression:
    """Return the float model in a file, which must have the columns of another model."""
    reference = load(path)
    if not isinstance(reference, LinearRegression):
        raise HousingError(f"{shown_path(path)} is quantized: --against takes the float model")
    if (reference.feature_names, reference.target_names_) != (model.feature_names, model.target_names_):
        raise HousingError(
            f"{shown_path(path)} has other features or targets than the model: not the one that it was made from"
        )
    return reference


def _own_rows(names: Sequence[str], options: Namespace) -> Floats:
    skipped = Skipped() if options.on_error == "skip" else None
    X = read_rows(names, options.data, skipped, **cli.reading(options))
    if skipped and skipped.count:
        cli.note(str(skipped))
    return X


def _fitted(options: Namespace, model: Model) -> tuple[LinearRegression, np.ndarray]:
    if len(model.target_names_) > 1:
        raise HousingError("a model of several targets is explained against its float model: give it with --against")
    reading = {"on_error": options.on_error, **cli.reading(options)}
    stream = open_table(options.data, model.target_names_[0], model.feature_names, in_memory=True, **reading)
    cli.notes(stream.told())
    table = stream.table()
    return LinearRegression().fit(table.X, table.y, feature_names=table.feature_names), table.X


def _contents(model: Model) -> dict[str, Any]:
    common: dict[str, Any] = {
        "scheme": model.scheme if isinstance(model, QuantizedLinear) else "float64",
        "features": list(model.feature_names),
        "targets": list(model.target_names_),
        "weights": model.coef_.tolist(),
    }
    if isinstance(model, QuantizedLinear):
        numbers = {name: array.tolist() for name, array in model.numbers().items()}
        common |= {"numbers": numbers}
    return common | {"payload_bytes": model.payload_bytes}


def _text(report: dict[str, Any]) -> str:
    lines = [
        f"{report['file']}: {report['scheme']}, {report['file_bytes']} bytes, {report['payload_bytes']} of numbers",
        f"{counted(len(report['features']), 'feature')} to predict {', '.join(report['targets'])}",
    ]
    numbers = report.get("numbers", {})
    lines += [""] * bool(numbers)
    columns = {"feature": report["features"]}
    # What there is one of for each feature; where there are several targets, their weights stand side by side.
    for name, values in {**numbers, "weight stands for": report["weights"]}.items():
        if isinstance(values, list) and isinstance(values[0], list):
            columns[name] = [" ".join(map(_number, value)) for value in zip(*values, strict=True)]
        elif isinstance(values, list) and name not in _OF_TARGETS:
            columns[name] = [_number(value) for value in values]
        else:
            lines.append(f"{name}: {_number(values)}")
    return "\n".join([*lines, "", tables.table([list(columns), *zip(*columns.values(), strict=True)])])


def _number(value: Any) -> str:
    return " ".join(map(_number, value)) if isinstance(value, list) else tables.number(value, 6)


def _blame(shares: list[Share]) -> str:
    total = sum(share.effect for share in shares) or 1.0
    head = ["feature", "float weight", "this weight", "error of a prediction", "share", "after the refit"]
    rows = [
        [
            share.feature,
            tables.number(share.reference, 6),
            tables.number(share.weight, 6),
            tables.number(share.effect, 3),
            f"{share.effect / total:.0%}",
            tables.number(share.refitted, 3),
        ]
        for share in shares
    ]
    worst, left = shares[0], max(shares, key=lambda share: share.refitted)
    return "\n".join(
        [
            tables.paragraph(
                "error of a prediction: how far the weight is from the float one, times the feature's usual size (rms)"
            ),
            tables.paragraph("after the refit: the error left after the intercept absorbs the mean"),
            tables.table([head, *rows]),
            tables.paragraph(
                f"{worst.feature} does most of it: its weight is off by "
                f"{tables.number(abs(worst.weight - worst.reference), 3)}, "
                f"and that moves a usual prediction by {tables.number(worst.effect, 3)}"
            ),
            tables.paragraph(
                f"after a refit it is {left.feature}: it moves a usual prediction by {tables.number(left.refitted, 3)}"
            ),
        ]
    )
