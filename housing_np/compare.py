"""python -m housing_np.compare: what people do to fit a linear model into uint8, and what it costs."""

import sys
from collections.abc import Callable, Sequence
from io import BytesIO
from itertools import product
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from . import cli
from .artifact import to_bytes
from .calibration import Calibration
from .errors import HousingError
from .evaluation import error_shares, figures
from .linear import LinearRegression
from .quantized import ROUNDINGS, Model, QuantizedLinear, Scheme
from .table import load_california, read_table

OURS: list[tuple[Scheme, int]] = [
    ("per-tensor", 8),
    ("integer", 8),
    *(("per-channel", bits) for bits in (8, 6, 5, 4, 3, 2)),
]


class Naive(NamedTuple):
    """Weights as a scheme leaves them, what it has to store for them, and why it fails."""

    coef: np.ndarray
    stored: dict[str, np.ndarray]
    why: str


def _min_max(rounded: bool) -> Callable[[np.ndarray], Naive]:
    def scheme(coef: np.ndarray) -> Naive:
        low = coef.min()
        scale = (coef.max() - low) / 255 or 1.0
        steps = (coef - low) / scale
        q = (np.rint(steps) if rounded else steps).astype(np.uint8)
        why = "one step for all weights, however small, and 0 need not be one of the 256 values"
        stored = {"q": q, "scale": np.array(scale), "low": low}
        return Naive(q * scale + low, stored, why if rounded else f"{why}; always down")

    return scheme


def _cast(coef: np.ndarray) -> Naive:
    q = (coef * 100).astype(np.int64).astype(np.uint8)
    return Naive(q / 100, {"q": q}, "what is below 0 or above 2.55 wraps around")


def _symmetric(coef: np.ndarray) -> Naive:
    scale = np.abs(coef).max() / 127 or 1.0
    q = (np.rint(coef / scale) + 128).astype(np.uint8)
    return Naive(
        (q - 128.0) * scale, {"q": q, "scale": np.array(scale)}, "0 is exact, but the intercept is left as it was"
    )


def _scale_each(coef: np.ndarray) -> Naive:
    scale = np.where(coef == 0, 1.0, np.abs(coef) / 127).astype(np.float32)
    q = (np.rint(coef / scale) + 128).astype(np.uint8)
    return Naive((q - 128.0) * scale, {"q": q, "scale": scale}, "vacuous: each scale is its weight, in four bytes more")


def _narrow(dtype: type[np.floating[Any]], why: str) -> Callable[[np.ndarray], Naive]:
    def scheme(coef: np.ndarray) -> Naive:
        with np.errstate(over="ignore"):
            small = coef.astype(dtype)
        return Naive(small.astype(np.float64), {"coef": small}, why)

    return scheme


NAIVE: dict[str, Callable[[np.ndarray], Naive]] = {
    "min-max, truncated": _min_max(rounded=False),
    "min-max, rounded": _min_max(rounded=True),
    "cast of 100·w": _cast,
    "symmetric, zero point 128": _symmetric,
    "one scale per coefficient": _scale_each,
    "float16": _narrow(np.float16, "not uint8; nothing below 6e-8 or above 65504 survives"),
    "float32": _narrow(np.float32, "not uint8: four bytes a weight"),
}


def main(arguments: Sequence[str]) -> int:
    """Measure the naive schemes and ours on the same float model and rows."""
    parser = cli.Parser("compare", "Compare the ways to fit a linear model into uint8.")
    parser.add_data()
    parser.add_argument("--plot", metavar="FILE", help="draw deviation against bytes (needs the extra plot)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    parser.check_data(options)
    table = load_california() if options.data is None else read_table(options.data, options.target)
    model = LinearRegression().fit(
        table.X, table.y, feature_names=table.feature_names, target_names=(table.target_name,)
    )

    calibration = Calibration.of(table.X)

    def measured(name: str, each: Model, payload: int, file: int, why: str) -> dict[str, Any]:
        worst = error_shares(each, model, calibration)[0]
        values = figures({name: each}, model, table)[name]
        return {
            "scheme": name,
            **values._asdict(),
            "payload_bytes": payload,
            "file_bytes": file,
            "worst": worst.feature,
            "worst_weight": [worst.reference, worst.weight],
            "why": why,
        }

    rows = [measured("float64", model, model.payload_bytes, len(to_bytes(model)), "")]
    for name, scheme in NAIVE.items():
        with np.errstate(all="ignore"):  # what a scheme overflows is what it is measured by
            naive = scheme(model.coef_)
        stored = naive.stored | {"intercept": np.array(model.intercept_)}
        rounded = LinearRegression.from_coefficients(
            naive.coef, model.intercept_, model.feature_names_in_, model.target_names_
        )
        rows.append(measured(name, rounded, sum(a.nbytes for a in stored.values()), _npz_size(stored), naive.why))
    for (kind, bits), rounding in product(OURS, ROUNDINGS):
        name = f"{kind}, {bits} bits, {rounding}"
        try:
            quantized = QuantizedLinear.from_linear(model, calibration, kind, bits, rounding)
            size = len(to_bytes(quantized))
        except HousingError as error:
            cli.note(f"no model for {name}: {error}")
            continue
        rows.append(measured(name, quantized, quantized.payload_bytes, size, ""))
    if options.plot:
        _plot(rows, options.plot)
    print(cli.dumps({"schemes": rows}) if options.json else _text(rows))
    return cli.DONE


def _npz_size(arrays: dict[str, np.ndarray]) -> int:
    file = BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return len(file.getvalue())


def _text(rows: list[dict[str, Any]]) -> str:
    head = ["scheme", *cli.MEASURED]
    cells = [[row["scheme"], *cli.measured(row)] for row in rows]
    reasons = [f"{row['scheme']}: {row['why']}; {_worst(row)}" for row in rows if row["why"]]
    return "\n".join([cli.table([head, *cells]), "", "what is wrong with the usual ways:", *reasons])


def _worst(row: dict[str, Any]) -> str:
    before, after = (f"{weight:.6g}" for weight in row["worst_weight"])
    return f"most through {row['worst']}" + (f", whose weight {before} becomes {after}" if before != after else "")


def _plot(rows: list[dict[str, Any]], path: str) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise HousingError("--plot needs matplotlib: pip install 'housing_np[plot]'") from None
    shown = [row for row in rows if row["rms_deviation"] > 0]
    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots()
    axes.set(
        yscale="log",
        xlabel="bytes of numbers",
        ylabel="RMS deviation from the float model, in target units",
        title="What a linear model in fewer bytes costs",
    )
    axes.grid(alpha=0.3)
    # The names stand in a column of their own, where they have room; a thin line leads from each to its point.
    for height, row in zip(np.linspace(0, 1, len(shown)), sorted(shown, key=itemgetter("rms_deviation")), strict=True):
        color = "tab:red" if row["why"] else "tab:blue"
        point = (row["payload_bytes"], row["rms_deviation"])
        axes.plot(*point, "o", color=color)
        axes.annotate(
            row["scheme"],
            point,
            xytext=(1.03, height),
            textcoords="axes fraction",
            va="center",
            fontsize=8,
            color=color,
            arrowprops={"arrowstyle": "-", "color": color, "lw": 0.4, "alpha": 0.6, "relpos": (0, 0.5)},
        )
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise HousingError(f"{path}: cannot be drawn ({error}); give a .png, .svg or .pdf file") from None


if __name__ == "__main__":
    cli.leave(cli.run(main, sys.argv[1:]))
