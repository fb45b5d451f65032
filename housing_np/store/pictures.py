"""The pictures of a report, in SVG by matplotlib, in the colors of its page: of equal inputs they are equal."""

import re
import warnings
from collections.abc import Callable, Mapping
from io import StringIO
from math import isfinite, log10
from typing import Any, NamedTuple

import numpy as np

from ..checks.arrays import Floats
from ..errors import counted, cut, extra
from ..evaluation.sample import Sample
from ..quantized.model import Model, QuantizedLinear, is_quantized
from .report_text import deviation_of, number, power_of_ten, with_unit

_POINTS, _FEW = 1500, 300
_FEATURES = 20
_NAME, _LABEL = 24, 36  # characters of a feature's name, and of a label
_PANELS = 2  # beside each other
# The variables of the page's style that stand for these.
_INK, _LINE, _OURS = "#1f2328", "#d1d9e0", "#0969da"
_VARIABLES = {_INK: "ink", _LINE: "line", _OURS: "ours"}
_STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # names are names
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.edgecolor": _LINE,
    "grid.color": _LINE,
    "grid.linewidth": 0.6,
    "font.size": 10,
    "path.simplify": False,
} | dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), _INK)


class Picture(NamedTuple):
    """A picture in SVG, its title, and what it shows in words."""

    svg: str
    title: str
    text: str


def import_matplotlib() -> Any:
    """Return matplotlib, or say how to install it."""
    with extra("plot", "--report in HTML needs matplotlib"):
        import matplotlib.figure
        import matplotlib.patches
        import matplotlib.path
        import matplotlib.style
        import matplotlib.ticker
    return matplotlib


def pictures(report: Mapping[str, Any], models: Mapping[str, Model], sample: Sample) -> dict[str, Picture]:
    """Return the pictures of a report by name; those of rows show some of the sample, drawn at random.

    The models are by the names of their stages; ``float64`` is the one that the others deviate from.
    """
    drawn, target = sample.least(_POINTS), cut(with_unit(report, report["target"]["name"]), _LABEL)
    predicted, actual = models["float64"].predict(drawn.X), drawn.y
    of_rows = counted(sample.rows, "row")
    if len(actual) < sample.rows:
        of_rows = f"{len(actual):,} of {of_rows}, drawn at random"
    quantized = {name: model for name, model in models.items() if is_quantized(model)}
    found = {
        "predicted": Picture(
            _svg("predicted", lambda figure: _predicted(figure.subplots(), predicted, actual, target)),
            f"Predicted against actual ({of_rows})",
            f"A scatter of predicted against actual {target}; a row on the diagonal is predicted exactly.",
        ),
        "residuals": Picture(
            _svg("residuals", lambda figure: _residuals(figure.subplots(), predicted, actual, target)),
            f"Residuals against predicted ({of_rows})",
            f"A scatter of actual minus predicted {target} against predicted; rows below 0 are predicted too high.",
        ),
        "effects": _effects(report, target),
    }
    if quantized:
        found["bounds"] = Picture(
            _bounds(quantized, predicted, drawn.X, target),
            f"Deviation against bound ({of_rows})",
            f"A scatter for each of {', '.join(quantized)}: the deviation of each row from the float model against its "
            "bound. All rows are below the diagonal, on which a deviation is equal to its bound.",
        )
    return found


def _svg(name: str, draw: Callable[[Any], None], height: float = 3.6) -> str:
    matplotlib = import_matplotlib()
    out = StringIO()
    # The salt makes the names within the picture equal in each run, and others than those of the next picture.
    with matplotlib.style.context(["default", {**_STYLE, "svg.hashsalt": name}]), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a character that the font lacks, the reader's has
        figure = matplotlib.figure.Figure(figsize=(4.8, height), layout="constrained")
        draw(figure)
        unset = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(out, format="svg", transparent=True, metadata=unset)
    svg = out.getvalue()
    svg = re.sub(r' d="[^"]*"', lambda found: _short(found[0]), svg[svg.index("<svg") :])
    return re.sub(r' style="[^"]*"', lambda found: _themed(found[0]), svg)


def _short(path: str) -> str:
    """Return a path with two decimals, and without the lines to where it is: its points."""
    rounded = re.sub(r"\d+\.\d+", lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), path)
    return re.sub(r"M (\S+ \S+) \s*L \1 ", r"M\1h0", rounded)


def _themed(style: str) -> str:
    for color, variable in _VARIABLES.items():
        style = style.replace(color, f"var(--{variable})")
    return style


def _points(axes: Any, x: Floats, y: Floats) -> None:
    """Draw points as one path of lines without length, which takes a fifth of the bytes that markers take."""
    matplotlib = import_matplotlib()
    ends = np.repeat(np.column_stack([x, y]), 2, axis=0)
    codes = np.tile([matplotlib.path.Path.MOVETO, matplotlib.path.Path.LINETO], len(x))
    style = {"edgecolor": _OURS, "facecolor": "none", "capstyle": "round", "alpha": 0.5}
    size = 2 if len(x) > _FEW else 5
    axes.add_patch(matplotlib.patches.PathPatch(matplotlib.path.Path(ends, codes), linewidth=size, **style))
    axes.autoscale_view()


def _predicted(axes: Any, predicted: Floats, actual: Floats, target: str) -> None:
    _points(axes, actual, predicted)
    ends = [min(actual.min(), predicted.min()), max(actual.max(), predicted.max())]
    axes.plot(ends, ends, color=_INK, linewidth=0.8)
    axes.set(xlabel=f"actual {target}", ylabel="predicted")
    _write_numbers(axes.xaxis, axes.yaxis)


def _residuals(axes: Any, predicted: Floats, actual: Floats, target: str) -> None:
    _points(axes, predicted, actual - predicted)
    axes.axhline(0, color=_INK, linewidth=0.8)
    axes.set(xlabel=f"predicted {target}", ylabel="actual − predicted")
    _write_numbers(axes.xaxis, axes.yaxis)


def _bounds(models: Mapping[str, QuantizedLinear], expected: Floats, X: Floats, target: str) -> str:
    """Draw deviation against bound, row by row, a panel for each model."""

    def draw(figure: Any) -> None:
        panels = list(figure.subplots(-(-len(models) // _PANELS), _PANELS, squeeze=False).flat)
        for (name, model), axes in zip(models.items(), panels, strict=False):
            with np.errstate(over="ignore", invalid="ignore"):
                bound, deviation = model.error_bound(X), np.abs(model.predict(X) - expected)
            some = np.isfinite(bound) & np.isfinite(deviation) & (deviation > 0)
            if some.any():
                _panel(axes, bound[some], deviation[some])
            else:
                axes.set(xticks=[], yticks=[])
                axes.text(0.5, 0.5, "no deviation", ha="center", transform=axes.transAxes)
            axes.set_box_aspect(1)
            axes.set_title(name, fontsize=10)
        for axes in panels[len(models) :]:
            axes.remove()
        figure.supxlabel(f"bound, in {target}", fontsize=10)
        figure.supylabel("deviation from the float model", fontsize=10)

    return _svg("bounds", draw, 0.5 + 2.3 * -(-len(models) // _PANELS))


def _panel(axes: Any, bound: Floats, deviation: Floats) -> None:
    """Draw a panel of rows that deviate; the smallest hundredth of the deviations is at its edge."""
    ticker = import_matplotlib().ticker
    high = bound.max()
    low = min(np.percentile(deviation, 1), bound.min(), high / 20)
    _points(axes, bound, np.maximum(deviation, low))
    axes.plot([low, high], [low, high], color=_INK, linewidth=0.8)
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(ticker.LogLocator(numticks=3))
        axis.set_major_formatter(lambda value, _: power_of_ten(round(log10(value))))
        axis.set_minor_locator(ticker.NullLocator())


def _effects(report: Mapping[str, Any], target: str) -> Picture:
    """Draw the effect of one standard deviation of each feature, the largest first, with its interval."""
    scaled = {
        name: (each["coefficient"] * deviation, 2 * (each["standard_error"] or 0.0) * deviation)
        for name, each in report["coefficients"].items()
        for deviation in [report["features"][name]["deviation"]]
    }
    known = {name: (effect, reach) for name, (effect, reach) in scaled.items() if isfinite(effect)}
    shown = sorted(known, key=lambda name: -abs(known[name][0]))[:_FEATURES]

    def draw(figure: Any) -> None:
        axes, places = figure.subplots(), range(len(shown))
        effects, reaches = zip(*(known[name] for name in shown), strict=True) if shown else ((), ())
        axes.axvline(0, color=_INK, linewidth=0.8)
        reach = np.nan_to_num(reaches, posinf=0.0)
        axes.errorbar(effects, places, xerr=reach, fmt="o", color=_OURS, markersize=4, elinewidth=2, capsize=3)
        axes.set_yticks(places, [_label(report, name) for name in shown], fontsize=9)
        axes.invert_yaxis()
        _write_numbers(axes.xaxis)
        axes.grid(axis="x")
        figure.supxlabel(f"effect on {target}", fontsize=10)

    largest = f" (the {_FEATURES} largest of {len(known)})" if len(known) > _FEATURES else ""
    return Picture(
        _svg("effects", draw, 1.0 + 0.36 * max(len(shown), 2)),
        f"Effect of one standard deviation of each feature, with two standard errors{largest}",
        f"Points with intervals: {'; '.join(f'{name} {number(known[name][0], 2)}' for name in shown)}.",
    )


def _label(report: Mapping[str, Any], name: str) -> str:
    return f"{cut(name, _NAME)}\nper {deviation_of(report, name)}"


def _write_numbers(*axes: Any) -> None:
    """Write the numbers at axes as the page does, without a factor at their end."""
    for axis in axes:
        axis.get_major_locator().set_params(nbins=5)
        axis.set_major_formatter(lambda value, _: number(value, 6))
