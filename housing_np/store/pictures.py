"""The pictures of a report, in SVG by matplotlib: of equal inputs they are equal."""

import warnings
from collections.abc import Callable, Mapping
from io import StringIO
from math import isfinite
from typing import Any

import numpy as np

from ..checks.arrays import Floats
from ..errors import extra
from ..evaluation.sample import Sample
from ..fit.linear import LinearRegression

_POINTS = 2000
_BARS = 20
_STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # names are names
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 10,
}


def import_matplotlib() -> Any:
    """Return matplotlib, or say how to install it."""
    with extra("plot", "--report in HTML needs matplotlib"):
        import matplotlib.figure
        import matplotlib.style
        import matplotlib.ticker
    return matplotlib


def pictures(report: Mapping[str, Any], model: LinearRegression, sample: Sample) -> dict[str, str]:
    """Return the pictures of a report by name, as SVG to stand in a page of HTML."""
    drawn = sample.least(_POINTS)
    predicted, actual = model.predict(drawn.X), drawn.y
    of_rows = "" if len(actual) == sample.rows else f" ({len(actual):,} of {sample.rows:,} rows, drawn at random)"
    target = report["target"]["name"]
    return {
        "predicted": _svg("predicted", lambda axes: _predicted(axes, predicted, actual, target, of_rows)),
        "residuals": _svg("residuals", lambda axes: _residuals(axes, predicted, actual, target, of_rows)),
        "stages": _svg("stages", lambda axes: _stages(axes, report)),
        "contributions": _svg("contributions", lambda axes: _contributions(axes, report)),
    }


def _svg(name: str, draw: Callable[[Any], None]) -> str:
    matplotlib = import_matplotlib()
    out = StringIO()
    # The salt makes the names within the picture equal in each run, and others than those of the next picture.
    with matplotlib.style.context(["default", {**_STYLE, "svg.hashsalt": name}]), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a character that the font lacks, the reader's has
        figure = matplotlib.figure.Figure(figsize=(7.5, 4.5), layout="constrained")
        draw(figure.subplots())
        figure.savefig(out, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    svg = out.getvalue()
    return svg[svg.index("<svg") :]


def _predicted(axes: Any, predicted: Floats, actual: Floats, target: str, of_rows: str) -> None:
    axes.plot(actual, predicted, ".", markersize=3, alpha=0.4)
    ends = [min(actual.min(), predicted.min()), max(actual.max(), predicted.max())]
    axes.plot(ends, ends, color="black", linewidth=0.8)
    axes.set(xlabel=f"actual {target}", ylabel="predicted", title=f"Predicted against actual{of_rows}")


def _residuals(axes: Any, predicted: Floats, actual: Floats, target: str, of_rows: str) -> None:
    axes.plot(predicted, actual - predicted, ".", markersize=3, alpha=0.4)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set(xlabel=f"predicted {target}", ylabel="actual − predicted", title=f"Residuals{of_rows}")


def _stages(axes: Any, report: Mapping[str, Any]) -> None:
    """Draw deviation and bound of each uint8 model."""
    stages = {name: each for name, each in report["stages"].items() if name != "float64"}
    keys = ("median_bound", "largest_deviation", "rms_deviation")
    for i, key in enumerate(keys):
        heights = [stage[key] for stage in stages.values()]
        axes.bar(np.arange(len(stages)) + (i - 1) * 0.27, heights, 0.25, label=key.replace("_", " "))
    positive = any(stage[key] > 0 for stage in stages.values() for key in keys)
    axes.set(ylabel=f"from the float model, in {report['target']['name']}", title="Deviation and bound")
    if positive:
        axes.set_yscale("log")
        for set_formatter in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
            set_formatter(import_matplotlib().ticker.LogFormatter())  # the default one writes formulas
    axes.set_xticks(range(len(stages)), list(stages))
    axes.legend(frameon=False)


def _contributions(axes: Any, report: Mapping[str, Any]) -> None:
    """Draw weight times standard deviation, the largest first."""
    moves = {
        name: each["coefficient"] * report["features"][name]["deviation"]
        for name, each in report["coefficients"].items()
    }
    moves = {name: move for name, move in moves.items() if isfinite(move)}
    shown = sorted(moves, key=lambda name: -abs(moves[name]))[:_BARS]
    axes.barh(range(len(shown)), [moves[name] for name in shown])
    axes.set_yticks(range(len(shown)), shown)
    axes.invert_yaxis()
    axes.axvline(0, color="black", linewidth=0.8)
    cut = f" (the {_BARS} largest of {len(moves)})" if len(moves) > _BARS else ""
    axes.set(xlabel=f"weight · standard deviation, in {report['target']['name']}", title=f"Contributions{cut}")
