"""python -m housing_np.quantize: a saved float model to few bytes, if it stays within the caller's limits."""

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
from .command import cli, tables
from .errors import ArtifactError, HousingError, counted, listed, quoted
from .evaluation.deviation import error_shares
from .evaluation.gates import Gates, is_lossy, losses
from .evaluation.scores import Figures, figures
from .evaluation.smallest import Way, by_size, nearest, ways
from .fit.linear import LinearRegression
from .quantized.calibration import Calibration
from .quantized.from_float import needs_covariance
from .quantized.model import Model, QuantizedLinear
from .quantized.schemes import INTEGERS, ROUNDINGS, SCHEMES, Scheme
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
    options = _options(arguments)
    loaded = stamp(options.model)
    model = load(options.model)
    if model.scheme is not None:
        raise HousingError(
            f"{shown_path(options.model)} is quantized already: give the float model that it was made from"
        )
    stream = _calibration(model, options)
    table = stream.table()
    if options.max_r2_drop is not None and (table.y == table.y[0]).all():
        every = f"{table.y[0]:g} in all of {counted(len(table.y), 'row')}"
        raise HousingError(
            f"--max-r2-drop: {quoted(table.target_name)} is {every}: R² cannot drop there; give rows that differ, or "
            "--max-deviation"
        )
    tried = ways(options.scheme, options.bits, options.rounding) if options.smallest else [_way(options)]
    rows = Calibration.of(table.X, options.percentile, any(map(needs_covariance, (way.rounding for way in tried))))
    models, contents = _packed(model, rows, tried)
    named: dict[str, Model] = {str(way): each for way, each in models.items()}
    before, *others = figures({"float": model, **named}, model, table).values()
    measured, gates = dict(zip(models, others, strict=True)), Gates(options.max_r2_drop, options.max_deviation)
    order = by_size(models, measured)
    holding = [way for way in order if gates.hold(measured[way], before)]
    best = holding[0] if holding else nearest(measured, gates)
    quantized, after = models[best], measured[best]
    found = [_entry(way, models[way], measured[way], contents[way]) | {"holds": way in holding} for way in order]
    name = f"nothing holds; the nearest is {best}" if options.smallest else best.scheme
    if broken := gates.failures(name, after, before, error_shares(quantized, model, rows)):
        if options.smallest:
            _show(options, {"file": None, "tried": found}, order)
        for line in broken:
            cli.say(line)
        return cli.GATE_FAILED
    if is_lossy(after, before):
        better = figures(_others(model, rows, best), model, table)
        cli.notes(losses({best.scheme: after}, before, better or {best.scheme: after}))
    file = min(holding, key=lambda way: len(contents[way]))
    if len(contents[file]) < len(contents[best]):
        cli.note(
            f"{best} has the fewest bytes of numbers; the smallest file is that of {file}, {len(contents[file])} bytes"
        )
    _write(quantized, after, contents[best], table.X, options, loaded)
    report = {
        "file": options.out,
        **_entry(best, quantized, after, contents[best]),
        "rows_skipped": stream.all_skipped.count,
        "proven_optimal": quantized.proven,
        "r2_float": before.r2,
    }
    _show(options, report | ({"tried": found} if options.smallest else {}), order)
    return cli.DONE


def _show(options: Namespace, report: dict[str, Any], order: Sequence[Way]) -> None:
    """Print the report, and before it the table of what was tried; as notes where standard output gets the model."""
    parts = [_table(order, report["tried"])] if "tried" in report else []
    parts += [_text(report)] if report["file"] else []
    if options.out == "-":
        cli.notes("\n".join(parts).split("\n"))
    else:
        cli.show(cli.dumps(report) if options.json else "\n\n".join(parts))


def _packed(
    model: LinearRegression, rows: Calibration, tried: Sequence[Way]
) -> tuple[dict[Way, QuantizedLinear], dict[Way, bytes]]:
    """Return the models of all ways that can hold the float one, and their files; raise HousingError if none can."""
    models: dict[Way, QuantizedLinear] = {}
    contents: dict[Way, bytes] = {}
    problems: dict[Scheme, dict[Way, HousingError]] = {}
    for way in cli.Progress("quantization", "models", lambda _: 1)(tried):
        try:
            quantized = _quantized(model, rows, way)
            contents[way] = to_bytes(quantized)  # raises HousingError for what no file can hold
            models[way] = quantized
        except HousingError as error:
            problems.setdefault(way.scheme, {})[way] = error
    if not models:
        raise next(error for failed in problems.values() for error in failed.values())
    for scheme, failed in problems.items():
        which = f"for {listed(failed)}" if any(way.scheme == scheme for way in models) else f"of the scheme {scheme}"
        cli.note(f"no model {which}: {next(iter(failed.values()))}")
    return models, contents


def _quantized(model: LinearRegression, rows: Calibration, way: Way) -> QuantizedLinear:
    return QuantizedLinear.from_linear(model, rows, way.scheme, way.bits or 8, way.rounding or "nearest")


def _entry(way: Way, quantized: QuantizedLinear, measured: Figures, content: bytes) -> dict[str, Any]:
    return {
        "scheme": way.scheme,
        "bits": quantized.bits,
        "rounding": way.rounding,
        **measured._asdict(),
        "payload_bytes": quantized.payload_bytes,
        "file_bytes": len(content),
    }


def _table(order: Sequence[Way], found: list[dict[str, Any]]) -> str:
    head = ["scheme bits rounding", *tables.MEASURED, "holds"]
    rows = zip(order, tables.measured(found), found, strict=True)
    # Shorter than their names, so that the table has 80 columns.
    return tables.table(
        [head, *([str(way).replace(" bits", ""), *cells, _shown(each["holds"])] for way, cells, each in rows)]
    )


def _way(options: Namespace) -> Way:
    """Return the way that the options ask for."""
    scheme: Scheme = options.scheme or "per-channel"
    return Way(scheme, options.bits or 8, options.rounding or "nearest") if scheme in INTEGERS else Way(scheme)


def _write(
    quantized: QuantizedLinear, measured: Figures, content: bytes, X: Floats, options: Namespace, loaded: Stamp | None
) -> None:
    """Write the model's file, and with it the report that is beside both it and the float model.

    Raises HousingError if the float model is no longer that of its stamp: the report is then of another training.
    """
    if options.out == "-":
        cli.show_bytes(content)
        return
    path, folder = as_path(options.out, ArtifactError), Path(options.model).parent
    contents = {path: content}
    # Commands look for the report beside the model: one elsewhere would never be asked for it.
    if path.parent.resolve() != folder.resolve():
        write_all(contents, ArtifactError, make_folders=True, alone_in=path.parent)
        return
    with locked(folder):
        if stamp(options.model) != loaded:
            raise changed(options.model, HousingError)
        if record := report_beside(options.model):
            stage = path.name.removesuffix(".npz")
            record = with_stage(record, stage, quantized, measured, content, X)
            contents[path.with_name(NAME)] = f"{cli.dumps(record, indent=2)}\n".encode()
            contents |= sums_beside(contents)
        write_all(contents, ArtifactError)


def _text(report: dict[str, Any]) -> str:
    # Whether the integers are the best is known of optimal rounding alone.
    return "\n".join(f"{label}: {_shown(report[name])}" for name, label in _LABELS.items() if report[name] is not None)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _others(model: LinearRegression, rows: Calibration, taken: Way) -> dict[str, Model]:
    """Return the models that other options would make, by these options."""
    choices = {f"--scheme {scheme}": taken._replace(scheme=scheme) for scheme in INTEGERS if scheme != taken.scheme}
    if taken.bits is not None and taken.bits < 8:
        choices["--bits 8"] = taken._replace(bits=8)
    if taken.scheme in INTEGERS:
        choices["--scheme float32"] = Way("float32")
    models: dict[str, Model] = {}
    for name, way in choices.items():
        with suppress(HousingError):  # a scheme that cannot hold the model cannot be advised
            models[name] = _quantized(model, rows, way)
    return models


def _options(arguments: Sequence[str]) -> Namespace:
    parser = cli.Parser(
        "quantize",
        "Quantize a saved float model to few bytes, on rows like those that it will be used on.",
        "models/float64.npz --smallest --max-deviation 0.05 --out small.npz",
    )
    parser.add_argument("model", metavar="MODEL.npz", help="a float model, as train writes it (no default)")
    parser.add_argument("--scheme", choices=SCHEMES, help="(default: per-channel; with --smallest, all)")
    parser.add_out(
        "--out", metavar="FILE", required=True, help="where the quantized model goes; - for stdout (no default)"
    )
    parser.add_once(
        "--data",
        "FILE",
        "calibration rows with the target (default: the bundled data, for a model that was trained on them)",
    )
    parser.add_reading()
    parser.add_argument(
        "--bits", type=int, choices=range(2, 9), help="(default: 8; with --smallest, all)", metavar="2..8"
    )
    parser.add_argument("--rounding", choices=ROUNDINGS, help="(default: nearest; with --smallest, both)")
    parser.add_flag(
        "--smallest",
        "try all schemes, bits and roundings; take the fewest bytes of numbers that hold the limits on --data",
    )
    parser.add_argument(
        "--percentile",
        metavar="P",
        type=float,
        default=100.0,
        help="the integer scheme's inputs cover the values from the (100 - P)th percentile to the Pth (default: 100)",
    )
    parser.add_limits()
    parser.add_json()
    options = parser.parse(arguments)
    parser.require_one_stdin("MODEL and --data", options.model, options.data)
    if options.out == "-" and options.json:
        parser.error("--json tells what was written: name a file with --out")
    if options.smallest and options.max_r2_drop is None and options.max_deviation is None:
        parser.error("--smallest needs a limit: --max-deviation D, --max-r2-drop D or both")
    scheme = options.scheme or ("integer" if options.smallest else "per-channel")
    if options.percentile != 100 and scheme != "integer":
        parser.error(f"--percentile is for --scheme integer, not {scheme}")
    if scheme not in INTEGERS and (options.bits or options.rounding):
        parser.error(f"--bits and --rounding are for weights that are integers, not for --scheme {scheme}")
    return options


def _calibration(model: LinearRegression, options: Namespace) -> Stream:
    if len(model.target_names_) > 1:
        raise HousingError("a model of several targets is quantized in Python: QuantizedLinear.from_linear(model, X)")
    if options.data is not None:
        reading = {"on_error": options.on_error, **cli.reading(options)}
        stream = open_known(options.data, model.target_names_[0], model.columns, **reading)
        cli.notes(stream.all_notes())
        return stream
    if not is_of_bundled_data(options.model, model.feature_names):
        raise HousingError(
            f"{shown_path(options.model)}: not known to be trained on the bundled data; give the rows that it was "
            "trained on, or others like them with the target, to calibrate on: --data FILE"
        )
    return Stream.of(load_california())
