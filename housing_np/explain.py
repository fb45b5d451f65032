"""python -m housing_np.explain: the contents of a model file, and which feature its error comes from."""

if __name__ == "__main__":
    from .__main__ import script

    script("explain")

from argparse import Namespace
from collections.abc import Sequence
from typing import Any

import numpy as np

from .checks.arrays import Floats
from .checks.paths import shown_path
from .command import cli, tables
from .command.models import float_model
from .errors import HousingError, counted, cut
from .evaluation.deviation import Share, error_shares, guarantee
from .fit.display import grouped
from .fit.linear import LinearRegression
from .quantized.calibration import Calibration
from .quantized.model import Model, is_quantized
from .quantized.schemes import FIELDS
from .rows import Skipped
from .rows.california import california_rows
from .rows.columns import Columns
from .rows.table import open_known, read_rows
from .store.artifact import read
from .store.report_file import is_of_bundled_data


def main(arguments: Sequence[str]) -> int:
    """Print the contents of a model file, and with a float model each feature's share of the error."""
    parser = _parser()
    options = parser.parse(arguments)
    parser.require_one_stdin("MODEL, --against and --data", options.model, options.against, options.data)
    model, content = read(options.model)
    report: dict[str, Any] = {"file": options.model, **_contents(model), "file_bytes": len(content)}
    if options.against or options.data:
        report |= _errors(model, options)
    cli.show(cli.dumps(report) if options.json else "\n\n".join(_texts(report, model.columns)))
    return cli.DONE


def _parser() -> cli.Parser:
    parser = cli.Parser(
        "explain",
        "Show what is in a model file, and which feature its error comes from.",
        "models/uint8-integer.npz --against models/float64.npz",
    )
    parser.add_argument("model", metavar="MODEL.npz", help="a model, as train writes it (no default)")
    parser.add_argument("--against", metavar="FLOAT.npz", help="the float model that it was made from (default: none)")
    parser.add_once(
        "--data",
        "FILE",
        "rows to weigh the error with (default: the bundled data, for models that were trained on them); without "
        "--against, the float model is fitted to them, so they need the target",
    )
    parser.add_reading()
    parser.add_json()
    return parser


def _errors(model: Model, options: Namespace) -> dict[str, Any]:
    """Return each feature's share of the error, and of a quantized model how far predictions are from their bounds."""
    if options.against:
        reference, X = float_model(options.against, model), _rows(model.columns, options)
    else:
        reference, X = _fitted(options, model)
    shares = error_shares(model, reference, Calibration.of(X, covariance=False))
    report: dict[str, Any] = {"shares": [share._asdict() for share in shares]}
    if is_quantized(model):
        report["guarantee"] = guarantee(model, reference, X)._asdict()
    return report


def _rows(columns: Columns, options: Namespace) -> Floats:
    """Return the user's rows, else the bundled ones if a report says that one of the two models was trained on them."""
    if options.data is None:
        if any(is_of_bundled_data(path, columns.names) for path in (options.model, options.against)):
            return california_rows(columns.names)
        raise HousingError(
            f"{shown_path(options.model)}: not known to be trained on the bundled data; give the rows that it was "
            "trained on, or others like them, to weigh the error with: --data FILE"
        )
    skipped = Skipped() if options.on_error == "skip" else None
    X = read_rows(columns, options.data, skipped, **cli.reading(options))
    if skipped and skipped.count:
        cli.note(str(skipped))
    return X


def _fitted(options: Namespace, model: Model) -> tuple[LinearRegression, np.ndarray]:
    if len(model.target_names_) > 1:
        raise HousingError("a model of several targets is explained against its float model: give it with --against")
    reading = {"on_error": options.on_error, **cli.reading(options)}
    stream = open_known(options.data, model.target_names_[0], model.columns, **reading)
    cli.notes(stream.all_notes())
    table = stream.table()
    return LinearRegression().fit(table.X, table.y, columns=model.columns), table.X


def _contents(model: Model) -> dict[str, Any]:
    common: dict[str, Any] = {
        "scheme": model.scheme or "float64",
        "features": list(model.feature_names),
        "targets": list(model.target_names_),
        "weights": model.coef_.tolist(),
    }
    if is_quantized(model):
        common["numbers"] = {name: array.tolist() for name, array in model.numbers().items()}
    if not model.columns.is_plain:
        common |= {"levels": dict(model.columns.levels), "fills": dict(model.columns.fills)}
    return common | {"payload_bytes": model.payload_bytes}


def _texts(report: dict[str, Any], made_of: Columns) -> list[str]:
    """Return the parts of the answer, to be separated by empty lines."""
    parts = [_inside(report, made_of)]
    if "shares" in report:
        parts.append(_blame([Share(**share) for share in report["shares"]]))
    if "guarantee" in report:
        lines = (f"{name.replace('_', ' ')}: {tables.number(x, 3)}" for name, x in report["guarantee"].items())
        parts.append("\n".join(lines))
    return parts


def _inside(report: dict[str, Any], made_of: Columns) -> str:
    lines = [
        f"{report['file']}: {report['scheme']}, {report['file_bytes']} bytes, {report['payload_bytes']} of numbers",
        f"{counted(len(report['features']), 'feature')} to predict {', '.join(report['targets'])}",
    ]
    if made_of.fills:
        fills = (f"{name} with {tables.number(fill, 6)}" for name, fill in made_of.fills.items())
        lines.append(tables.paragraph(f"filled where missing: {', '.join(fills)}"))
    numbers = report.get("numbers", {})
    if numbers:
        lines.append("")
    columns = {"feature": report["features"]}
    fields = FIELDS.get(report["scheme"], {})
    # Numbers of features become columns; the weights of several targets stand side by side.
    for name, values in {**numbers, "weight stands for": report["weights"]}.items():
        if isinstance(values, list) and isinstance(values[0], list):
            columns[name] = [" ".join(map(_number, value)) for value in zip(*values, strict=True)]
        elif isinstance(values, list) and not (name in fields and fields[name].per == "target"):
            columns[name] = tables.numbers(values, 6)
        else:
            lines.append(f"{name}: {_number(values)}")
    zeros = _number([0 for _ in report["targets"]])
    baseline = [zeros if name == "weight stands for" else "" for name in [*columns][1:]]
    rows = grouped(made_of, [*zip(*columns.values(), strict=True)], baseline)
    return "\n".join([*lines, "", tables.table([list(columns), *rows])])


def _number(value: Any) -> str:
    return " ".join(map(_number, value)) if isinstance(value, list) else tables.number(value, 6)


def _blame(shares: list[Share]) -> str:
    total = sum(share.effect for share in shares) or 1.0
    head = ["feature", "float weight", "this weight", "error of a prediction", "share", "after the refit"]
    columns = [
        [share.feature for share in shares],
        tables.numbers([share.reference for share in shares], 6),
        tables.numbers([share.weight for share in shares], 6),
        tables.numbers([share.effect for share in shares], 3),
        [f"{share.effect / total:.0%}" for share in shares],
        tables.numbers([share.refitted for share in shares], 3),
    ]
    if not any(share.effect for share in shares):
        return "no error: the weights are those of the float model"
    worst, left = shares[0], max(shares, key=lambda share: share.refitted)
    return "\n".join(
        [
            tables.paragraph(
                "error of a prediction: how far the weight is from the float one, times the feature's usual size (rms)"
            ),
            tables.paragraph("after the refit: the error left after the intercept absorbs the mean"),
            tables.table([head, *zip(*columns, strict=True)]),
            tables.paragraph(
                f"{cut(worst.feature)} does most of it: its weight is off by "
                f"{tables.number(abs(worst.weight - worst.reference), 3)}, "
                f"and that moves a usual prediction by {tables.number(worst.effect, 3)}"
            ),
            tables.paragraph(
                f"after a refit it is {cut(left.feature)}: it moves a usual prediction by "
                f"{tables.number(left.refitted, 3)}"
            ),
        ]
    )
