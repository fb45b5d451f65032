"""python -m housing_np.quantize: a saved float model to uint8, if it stays within the caller's limits."""

if __name__ == "__main__":
    from .__main__ import script

    script("quantize")

from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress

from .command import cli
from .errors import HousingError
from .evaluation.deviation import error_shares
from .evaluation.gates import Gates, is_lossy, losses
from .evaluation.scores import figures
from .fit.linear import LinearRegression
from .quantized.calibration import Calibration
from .quantized.model import Model, QuantizedLinear
from .quantized.schemes import ROUNDINGS, SCHEMES, Scheme
from .rows.california import FEATURES, TARGET, load_california
from .rows.table import Stream, open_table
from .store.artifact import load, save


def main(arguments: Sequence[str]) -> int:
    """Quantize a float model on rows like those that it will be used on."""
    parser = _parser()
    options = parser.parse(arguments)
    model = load(options.model)
    if model.scheme is not None:
        raise HousingError(f"{options.model} is quantized already: give the float model that it was made from")
    stream = _calibration(model, options)
    table = stream.table()
    rows = Calibration.of(table.X, options.percentile)
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
        "file_bytes": save(quantized, options.out),
    }
    cli.show(cli.dumps(report) if options.json else "\n".join(f"{name}: {value}" for name, value in report.items()))
    return cli.DONE


def _others(model: LinearRegression, rows: Calibration, options: Namespace) -> dict[str, Model]:
    """Return the models that other options would make, by these options."""
    choices: dict[str, tuple[Scheme, int]] = {
        f"--scheme {scheme}": (scheme, options.bits) for scheme in SCHEMES if scheme != options.scheme
    }
    if options.bits < 8:
        choices["--bits 8"] = options.scheme, 8
    models: dict[str, Model] = {}
    for name, (scheme, bits) in choices.items():
        with suppress(HousingError):  # a scheme that cannot hold the model is no advice
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
    parser.add_argument("--data", metavar="FILE", help="calibration rows with the target (default: the bundled data)")
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
        names = model.target_names_[0], model.feature_names
        reading = {"on_error": options.on_error, **cli.reading(options)}
        stream = open_table(options.data, *names, in_memory=True, **reading)
        cli.notes(stream.told())
        return stream
    if model.feature_names != FEATURES or model.target_names_ != (TARGET,):
        raise HousingError("the model has other columns than the bundled data: give its rows with --data")
    return Stream.of(load_california())
