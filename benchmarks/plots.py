"""Pictures of a record, each for a light page and for a dark one: labels stand at what they name, no legends."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from measure import OURS, installed, progress
from pages import slug

from housing_np import LinearRegression, load_california

Record = dict[str, Any]


class Theme(NamedTuple):
    """Colors that are legible on a page, and told apart by color-blind readers."""

    name: str
    page: str
    ink: str
    faint: str
    ours: str
    peer: str
    usual: str


LIGHT = Theme("light", "#ffffff", "#1f2328", "#d1d9e0", "#0969da", "#8250df", "#bc4c00")
DARK = Theme("dark", "#0d1117", "#e6edf3", "#3d444d", "#58a6ff", "#bc8cff", "#f0883e")
CITIES = {
    "San Francisco": (-122.42, 37.77),
    "Los Angeles": (-118.24, 34.05),
    "Sacramento": (-121.49, 38.58),
    "San Diego": (-117.16, 32.72),
    "Fresno": (-119.79, 36.74),
}


def draw(record: Record, folder: Path) -> None:
    """Draw whatever the record has numbers for."""
    if not installed("matplotlib"):
        print("\nNo pictures: matplotlib is not installed.")
        return
    folder.mkdir(parents=True, exist_ok=True)
    pictures: dict[str, Callable[[Any, Record, Theme], None]] = {"residuals": _residuals, "predicted": _predicted}
    if "quantization" in record["sections"]:
        pictures["deviation"] = _deviation
    if "fit" in record["sections"] and not record["quick"]:
        pictures[f"fit-{slug(record)}"] = _fit
    for name, picture in pictures.items():
        for theme in (LIGHT, DARK):
            progress(f"plots: {name}, {theme.name}")
            _save(picture, record, theme, folder / f"{name}-{theme.name}.svg")
    progress("")


def _save(picture: Callable[[Any, Record, Theme], None], record: Record, theme: Theme, path: Path) -> None:
    import matplotlib
    from matplotlib.figure import Figure

    style = {
        "font.size": 12,
        "svg.hashsalt": path.stem,
        "axes.facecolor": theme.page,
        "figure.facecolor": theme.page,
        "savefig.facecolor": theme.page,
        "axes.edgecolor": theme.faint,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "grid.color": theme.faint,
        "grid.linewidth": 0.5,
    } | dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), theme.ink)
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(9, 6), layout="constrained")
        picture(figure, record, theme)
        # No date: equal records give equal pictures.
        figure.savefig(path, metadata={"Date": None})


def _deviation(figure: Any, record: Record, theme: Theme) -> None:
    """RMS deviation against bytes, with the model's own error to compare with."""
    every = record["sections"]["quantization"]["schemes"]
    axes = figure.subplots()
    axes.set(
        yscale="log",
        xlim=(0, 160),
        xlabel="bytes of numbers in the model",
        ylabel="RMS deviation from the float model, in $100,000",
        title="What a linear model in fewer bytes costs",
    )
    axes.grid()
    error = next(each for each in every if each["scheme"] == "float64")["mse"] ** 0.5
    axes.axhline(error, color=theme.ink, linewidth=1, linestyle=(0, (4, 3)))
    _label(axes, "the float model's own error", (160, error), theme.ink, (-2, 9), "right")
    for each in every:
        if each["kind"] != "ours" and each["rms_deviation"] > 0:
            color = theme.peer if each["kind"] == "ONNX Runtime" else theme.usual
            place = (each["payload_bytes"], each["rms_deviation"])
            axes.plot(*place, "o", color=color)
            text, offset, side = _BESIDE.get(each["scheme"], (each["scheme"], (8, 0), "left"))
            _label(axes, text, place, color, offset, side)
    for way in ("per-tensor", "per-channel", "integer"):
        _our_line(axes, [each for each in every if each.get("way") == way and each["rounding"] == "optimal"], theme)


# Labels that would lie on others: what they say, how many points from their dots they stand, and on which side.
_BESIDE: dict[str, tuple[str, tuple[int, int], str]] = {
    "min-max, truncated": ("min-max, truncated: the original", (8, 0), "left"),
    "min-max, rounded": ("min-max, rounded", (8, -4), "left"),
    "symmetric, zero point 128": ("symmetric, zero point 128", (0, 9), "center"),
    "float16": ("float16", (-8, 0), "right"),
    "float32": ("float32", (-8, 0), "right"),
    "ONNX Runtime, static, raw features": ("ONNX Runtime, raw features: static", (8, 7), "left"),
    "ONNX Runtime, dynamic, raw features": ("ONNX Runtime, raw features: dynamic", (8, 0), "left"),
    "ONNX Runtime, static, standardised": ("ONNX Runtime, standardised: static", (8, 0), "left"),
    "ONNX Runtime, dynamic, standardised": ("dynamic", (-8, 0), "right"),
}


def _our_line(axes: Any, line: list[dict[str, Any]], theme: Theme) -> None:
    """Nearly a column of points: of nine numbers, a bit less of each weight takes a byte less."""
    x, y = ([each[name] for each in line] for name in ("payload_bytes", "rms_deviation"))
    axes.plot(x, y, "o-", color=theme.ours)
    for each, offset, side in ((line[0], (8, 0), "left"), (line[-1], (-8, -4), "right")):
        place = (each["payload_bytes"], each["rms_deviation"])
        _label(axes, f"{each['bits']} bits", place, theme.ours, offset, side)
    _label(
        axes, line[0]["way"], (max(x), (min(y) * max(y)) ** 0.5), theme.ours, (8, 0), "left", weight="bold", fontsize=12
    )


def _label(
    axes: Any, text: str, place: tuple[float, float], color: str, offset: tuple[float, float], side: str, **style: Any
) -> Any:
    """Text beside a point: so many points away from it, with its left, its right or its center there."""
    style = {"va": "center", "fontsize": 10.5, "annotation_clip": False} | style
    return axes.annotate(text, place, offset, textcoords="offset points", ha=side, color=color, **style)


def _fit(figure: Any, record: Record, theme: Theme) -> None:
    """Time against rows, with what one pass over memory takes."""
    growth = [each for each in record["sections"]["fit"]["growth"] if each["source"] == "in memory"]
    rows = [each["rows"] for each in growth]
    lines = {name: [each["seconds"][name] for each in growth] for name in growth[0]["seconds"]}
    speed = record["machine"]["memory_bytes_per_second"]
    lines["one pass over memory"] = [each["bytes"] / speed for each in growth]
    axes = figure.subplots()
    axes.set(xscale="log", yscale="log", xlabel="rows of 8 features", ylabel="seconds", title="Time of a fit")
    axes.grid()
    colors = {OURS: theme.ours, "intelex": theme.peer, "scikit-learn": theme.usual}
    heights = _spread([line[-1] for line in lines.values()])
    for (name, line), height in zip(lines.items(), heights, strict=True):
        color = colors.get(name, theme.ink)
        axes.plot(rows, line, "--" if name not in growth[0]["seconds"] else "o-", color=color)
        _label(axes, name, (rows[-1], height), color, (10, 0), "left", fontsize=12)


def _spread(values: list[float], apart: float = 1.55) -> list[float]:
    """Heights on a logarithmic axis, moved up until no two are closer than a factor."""
    heights = dict.fromkeys(range(len(values)), 0.0)
    last = 0.0
    for i in sorted(heights, key=values.__getitem__):
        heights[i] = last = max(values[i], last * apart)
    return list(heights.values())


def _residuals(figure: Any, record: Record, theme: Theme) -> None:
    """Where in California the model is too high, and where too low."""
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patheffects import withStroke

    table, predicted = _california()
    longitude, latitude = table.X[:, 7], table.X[:, 6]
    colors = LinearSegmentedColormap.from_list("residuals", [theme.ours, theme.faint, theme.usual])
    axes = figure.subplots()
    style = {"gridsize": (62, 42), "cmap": colors, "vmin": -1, "vmax": 1, "linewidths": 0.2}
    cells = axes.hexbin(longitude, latitude, table.y - predicted, **style)
    axes.set(
        aspect=1 / np.cos(np.radians(37)),
        xlim=(-126.2, -113.8),
        xlabel="degrees of longitude",
        ylabel="degrees of latitude",
        title="Actual value minus predicted, mean of each cell",
    )
    for city, (x, y) in CITIES.items():
        inland = city in ("Sacramento", "Fresno")
        axes.plot(x, y, "o", color=theme.ink, markersize=3)
        label = _label(axes, city, (x, y), theme.ink, (8 if inland else -10, 0), "left" if inland else "right")
        label.set_path_effects([withStroke(linewidth=3, foreground=theme.page)])
    bar = figure.colorbar(cells, ax=axes, extend="both", shrink=0.8)
    below, above = (f"$100,000\n{word} the\nprediction" for word in ("below", "above"))
    bar.set_ticks([-1, 0, 1], labels=[below, "as\npredicted", above])
    bar.outline.set_visible(False)


def _predicted(figure: Any, record: Record, theme: Theme) -> None:
    """Predicted against actual, as density."""
    from matplotlib.colors import LinearSegmentedColormap

    table, predicted = _california()
    colors = LinearSegmentedColormap.from_list("density", [theme.faint, theme.ours])
    axes = figure.subplots()
    style = {"gridsize": (60, 40), "extent": (0, 5.1, -1, 8), "bins": "log", "mincnt": 1, "linewidths": 0.2}
    cells = axes.hexbin(table.y, predicted, cmap=colors, **style)
    axes.plot([0, 5.6], [0, 5.6], color=theme.usual)
    _label(axes, "exact", (5.6, 5.6), theme.usual, (4, 0), "left")
    _label(axes, "the census\nstops at\n$500,000", (5.1, 0.3), theme.ink, (4, 0), "left")
    axes.set(
        xlim=(0, 6.1),
        ylim=(-1, 8),
        xlabel="actual value, in $100,000",
        ylabel="predicted value, in $100,000",
        title="Predicted against actual",
    )
    bar = figure.colorbar(cells, ax=axes, shrink=0.8, label="block groups in a cell", format="%g")
    bar.outline.set_visible(False)


def _california() -> tuple[Any, np.ndarray]:
    table = load_california()
    return table, LinearRegression().fit(table.X, table.y).predict(table.X)
