"""python -m housing_np.compare: what people do to fit a linear model into uint8, and what it costs."""

if __name__ == "__main__":
    from .__main__ import script

    script("compare")

from argparse import Namespace
from collections.abc import Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from .checks.paths import as_path, shown_path
from .command import cli, tables
from .errors import HousingError, cut
from .evaluation.deviation import Share, error_shares
from .evaluation.scores import figures
from .fit.linear import LinearRegression
from .quantized.calibration import Calibration
from .quantized.model import Model, QuantizedLinear
from .quantized.naive import naive_models
from .quantized.schemes import ROUNDINGS, Scheme
from .rows.california import load_california
from .rows.table import Stream, open_table
from .store.artifact import to_bytes
from .store.files import open_whole, unwritten

if TYPE_CHECKING:
    from .store.comparison import Point

OURS: list[tuple[Scheme, int]] = [
    ("per-tensor", 8),
    ("integer", 8),
    *(("per-channel", bits) for bits in (8, 6, 5, 4, 3, 2)),
]


class Candidate(NamedTuple):
    """A model to measure beside the float one."""

    name: str
    model: Model
    payload_bytes: int
    file_bytes: int
    why: str = ""


def main(arguments: Sequence[str]) -> int:
    """Measure the naive schemes and ours on the same float model and rows."""
    parser = cli.Parser("compare", "Compare the ways to fit a linear model into uint8.", "--plot compare.svg")
    parser.add_data()
    parser.add_argument(
        "--plot", metavar="FILE", help="draw deviation against bytes (needs the extra plot; no default)"
    )
    parser.add_json()
    options = parser.parse(arguments)
    parser.check_data(options)
    stream = Stream.of(load_california()) if options.data is None else _own_rows(options)
    table = stream.table()
    model = LinearRegression().fit(table.X, table.y, target_names=(table.target_name,), columns=table.columns)
    rows = Calibration.of(table.X)
    candidates = list(_candidates(model, rows))
    measured = figures({each.name: each.model for each in candidates}, model, table)
    report = [
        {
            "scheme": each.name,
            **measured[each.name]._asdict(),
            "payload_bytes": each.payload_bytes,
            "file_bytes": each.file_bytes,
            **_worst(error_shares(each.model, model, rows)),
            "why": each.why,
        }
        for each in candidates
    ]
    if options.plot:
        _plot(report, candidates, table.target_name, options.plot)
    cli.show(
        cli.dumps({"schemes": report, "rows_skipped": stream.all_skipped.count}) if options.json else _text(report)
    )
    return cli.DONE


def _own_rows(options: Namespace) -> Stream:
    stream = open_table(options.data, options.target, in_memory=True, **cli.table_options(options))
    cli.notes(stream.all_notes())
    return stream


def _candidates(model: LinearRegression, rows: Calibration) -> Iterator[Candidate]:
    yield Candidate("float64", model, model.payload_bytes, len(to_bytes(model)))
    for name, (rounded, naive) in naive_models(model).items():
        yield Candidate(name, rounded, naive.payload_bytes, naive.file_bytes, naive.why)
    for (scheme, bits), rounding in product(OURS, ROUNDINGS):
        name = f"{scheme}, {bits} bits, {rounding}"
        try:
            quantized = QuantizedLinear.from_linear(model, rows, scheme, bits, rounding)
            yield Candidate(name, quantized, quantized.payload_bytes, len(to_bytes(quantized)))
        except HousingError as error:
            cli.note(f"no model for {name}: {error}")


def _worst(shares: Sequence[Share]) -> dict[str, Any]:
    return {"worst": shares[0].feature, "worst_weight": [shares[0].reference, shares[0].weight]}


def _text(rows: list[dict[str, Any]]) -> str:
    head = ["scheme", *tables.MEASURED]
    cells = [[_short(row["scheme"]), *cells] for row, cells in zip(rows, tables.measured(rows), strict=True)]
    reasons = [tables.paragraph(f"{row['scheme']}: {row['why']}; {_largest_error(row)}") for row in rows if row["why"]]
    return "\n".join([tables.table([head, *cells]), "", "what is wrong with the usual ways:", *reasons])


def _short(name: str) -> str:
    """Return the name of a candidate as the table has it, which fits 80 columns so."""
    return name.replace(", ", " ") if " bits, " in name else name


def _largest_error(row: dict[str, Any]) -> str:
    before, after = (tables.number(weight, 6) for weight in row["worst_weight"])
    return f"largest error: {cut(row['worst'])}" + (f", stored as {after}" if before != after else "")


def _plot(rows: list[dict[str, Any]], candidates: Sequence[Candidate], target: str, path: str) -> None:
    from .store.comparison import comparison_figure  # imported here because most comparisons draw nothing

    file = as_path(path, HousingError)
    points = [_point(each, row["rms_deviation"]) for each, row in zip(candidates, rows, strict=True)]
    figure = comparison_figure(points, rows[0]["mse"] ** 0.5, target)
    try:
        with open_whole(file) as out:
            figure.savefig(out, format=file.suffix[1:] or "png")
    except OSError as error:
        raise HousingError(unwritten(path, error)) from None
    except ValueError as error:
        raise HousingError(
            f"{shown_path(path)}: cannot be drawn ({cut(str(error))}); give a .png, .svg or .pdf file"
        ) from None


def _point(each: Candidate, deviation: float) -> "Point":
    from .store.comparison import CASTS, FLOATS, NEAREST, OPTIMAL, Point

    if each.name.startswith("float"):
        return Point(each.name, FLOATS, each.payload_bytes, deviation)
    if each.why:
        return Point(each.name, CASTS, each.payload_bytes, deviation)
    scheme, bits, rounding = each.name.split(", ")
    # Of a scheme at several numbers of bits, the first point has its name; those of nearest rounding are above others.
    label = f"{scheme}, {bits}" if bits == "8 bits" else bits
    is_optimal = rounding == "optimal"
    return Point(label if is_optimal else "", OPTIMAL if is_optimal else NEAREST, each.payload_bytes, deviation, scheme)
