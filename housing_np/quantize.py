"""python -m housing_np.quantize: a saved float model to uint8, if it stays within the caller's limits."""

if __name__ == "__main__":
    from .__main__ import script

    script("quantize")

from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from .checks.arrays import Floats
from .checks.paths import as_path, shown_path
from .checks.unchanged import Stamp, changed, stamp
from .command import cli
from .errors import ArtifactError, HousingError
from .evaluation.deviation import error_shares
from .evaluation.gates import Gates, is_lossy, losses
from .evaluation.scores import Figures, figures
from .fit.linear import LinearRegression
from .quantized.calibration import Calibration
from .quantized.from_float import needs_covariance
from .quantized.model import Model, QuantizedLinear
from .quantized.schemes import ROUNDINGS, SCHEMES, Scheme
from .rows.california import load_california
from .rows.table import Stream, open_known
from .store.artifact import load, to_bytes
from .store.files import locked, write_all
from .store.report import sums_beside, with_stage
from .store.report_file import NAME, is_of_bundled_data, report_beside

_LABELS = {
    "file": "file",
    "scheme": "scheme",
    "bits": "bits",
    "rounding": "rounding",
    "rows_skipped": "bad rows skipped",
    "proven_optimal": "proven to be the best integers for its scales",
    "r2_float": "R² of the float model",
    "r2": "R²",
    "mse": "MSE",
    "largest_deviation": "largest deviation from the float model",
    "rms_deviation": "RMS deviation from the float model",
    "mae": "MAE",
    "payload_bytes": "bytes of numbers",
    "file_bytes": "bytes of the file",
}


def main(arguments: Sequence[str]) -> int:
    """Quantize a float model on rows like those that it will be used on."""
    parser = _parser()
    options = parser.parse(arguments)
    if options.percentile != 100 and options.scheme != "integer":
        parser.error(f"--percentile is for --scheme integer, not {options.scheme}")
    loaded = stamp(options.model)
    model = load(options.model)
    if model.scheme is not None:
        raise HousingError(
            f"{shown_path(options.model)} is quantized already: give the float model that it was made from"
        )
    stream = _calibration(model, options)
    table = stream.table()
    rows = Calibration.of(table.X, options.percentile, needs_covariance(options.rounding))
    quantized = QuantizedLinear.from_linear(model, rows, options.scheme, options.bits, options.rounding)
    before, after = figures({"float": model, "uint8": quantized}, model, table).values()
    gates, shares = Gates(options.max_r2_drop, options.max_deviation), error_shares(quantized, model, rows)
    broken = gates.failures(options.scheme, after, before, shares)
    if broken:
        for line in broken:
            cli.say(line)
        return cli.GATE_FAILED
    if is_lossy(after, before):
        others = figures(_others(model, rows, options), model, table)
        cli.notes(losses({options.scheme: after}, before, others or {options.scheme: after}))
    report = {
        "file": options.out,
        "scheme": options.scheme,
        "bits": options.bits,
        "rounding": options.rounding,
        "rows_skipped": stream.all_skipped.count,
        "proven_optimal": quantized.proven,
        "r2_float": before.r2,
        **after._asdict(),
        "payload_bytes": quantized.payload_bytes,
        "file_bytes": _write(quantized, after, table.X, options, loaded),
    }
    cli.show(cli.dumps(report) if options.json else _text(report))
    return cli.DONE


def _write(quantized: QuantizedLinear, measured: Figures, X: Floats, options: Namespace, loaded: Stamp | None) -> int:
    """Write the model, and with it the report that is beside both it and the float model; return the file's size.

    Raises HousingError if the float model is no longer that of its stamp: the report is then of another training.
    """
    content, path = to_bytes(quantized), as_path(options.out, ArtifactError)
    contents, folder = {path: content}, Path(options.model).parent
    # Commands look for the report beside the model: one elsewhere would never be asked for it.
    if path.parent.resolve() != folder.resolve():
        write_all(contents, ArtifactError, make_folders=True, alone_in=path.parent)
        return len(content)
    with locked(folder):
        if stamp(options.model) != loaded:
            raise changed(options.model, HousingError)
        if record := report_beside(options.model):
            stage = path.name.removesuffix(".npz")
            record = with_stage(record, stage, quantized, measured, content, X)
            contents[path.with_name(NAME)] = f"{cli.dumps(record, indent=2)}\n".encode()
            contents |= sums_beside(contents)
        write_all(contents, ArtifactError)
    return len(content)


def _text(report: dict[str, Any]) -> str:
    # Whether the integers are the best is known of optimal rounding alone.
    return "\n".join(f"{_LABELS[name]}: {_shown(value)}" for name, value in report.items() if value is not None)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _others(model: LinearRegression, rows: Calibration, options: Namespace) -> dict[str, Model]:
    """Return the models that other options would make, by these options."""
    choices: dict[str, tuple[Scheme, int]] = {
        f"--scheme {scheme}": (scheme, options.bits) for scheme in SCHEMES if scheme != options.scheme
    }
    if options.bits < 8:
        choices["--bits 8"] = options.scheme, 8
    models: dict[str, Model] = {}
    for name, (scheme, bits) in choices.items():
        with suppress(HousingError):  # a scheme that cannot hold the model cannot be advised
            models[name] = QuantizedLinear.from_linear(model, rows, scheme, bits, options.rounding)
    return models


def _parser() -> cli.Parser:
    parser = cli.Parser(
        "quantize",
        "Quantize a saved float model to uint8, on rows like those that it will be used on.",
        "models/float64.npz --scheme integer --percentile 99.9 --out small.npz",
    )
    parser.add_argument("model", metavar="MODEL.npz", help="a float model, as train writes it (no default)")
    parser.add_argument("--scheme", choices=SCHEMES, default="per-channel", help="(default: per-channel)")
    parser.add_out("--out", metavar="FILE", required=True, help="where the uint8 model goes (no default)")
    parser.add_argument(
        "--data",
        metavar="FILE",
        action=cli.Once,
        help="calibration rows with the target (default: the bundled data, for a model that was trained on them)",
    )
    parser.add_reading()
    parser.add_argument("--bits", type=int, choices=range(2, 9), default=8, help="(default: 8)", metavar="2..8")
    parser.add_argument("--rounding", choices=ROUNDINGS, default="nearest", help="(default: nearest)")
    parser.add_argument(
        "--percentile",
        metavar="P",
        type=float,
        default=100.0,
        help="the integer scheme's inputs cover the values from the (100 - P)th percentile to the Pth (default: 100)",
    )
    parser.add_limits()
    parser.add_json()
    return parser


def _calibration(model: LinearRegression, options: Namespace) -> Stream:
    if len(model.target_names_) > 1:
        raise HousingError("a model of several targets is quantized in Python: QuantizedLinear.from_linear(model, X)")
    if options.data is not None:
        reading = {"on_error": options.on_error, **cli.reading(options)}
        stream = open_known(options.data, model.target_names_[0], model.columns, **reading)
        cli.notes(stream.told())
        return stream
    if not is_of_bundled_data(options.model, model.feature_names):
        raise HousingError(
            f"{shown_path(options.model)}: not known to be trained on the bundled data; give the rows that it was "
            "trained on, or others like them with the target, to calibrate on: --data FILE"
        )
    return Stream.of(load_california())
