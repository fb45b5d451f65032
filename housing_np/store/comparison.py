"""The picture of a comparison: what each way to store a model in few bytes costs, by matplotlib."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ..errors import extra

_INK, _LINE = "#1f2328", "#d1d9e0"


class Kind(NamedTuple):
    """A kind of models, as the legend has it; its dots are filled or hollow."""

    name: str
    color: str
    is_filled: bool = True


OPTIMAL = Kind("this package, optimal rounding", "#0969da")
NEAREST = Kind("this package, nearest", "#0969da", False)
FLOATS = Kind("narrower floats", "#8250df")
CASTS = Kind("usual casts to uint8", "#bc4c00")
_ROOM = 5  # points from a dot to its label
# Where a label may stand: from its dot to the right and up, and which of its sides is there.
_PLACES = (
    *((1.6, 0, "left", "center"), (-1.6, 0, "right", "center")),
    *((0, 1.2, "center", "bottom"), (0, -1.2, "center", "top")),
    *((1, 1, "left", "bottom"), (1, -1, "left", "top"), (-1, 1, "right", "bottom"), (-1, -1, "right", "top")),
)


class Point(NamedTuple):
    """A model in the picture."""

    label: str  # empty for none
    kind: Kind
    payload_bytes: int
    deviation: float  # RMS, from the float model
    line: str = ""  # points of one kind and line are joined: a scheme at several numbers of bits; empty for none


def comparison_figure(points: Iterable[Point], error: float, target: str) -> Any:
    """Return the figure of the points that deviate, in the unit ``target``, with the float model's own RMS error."""
    with extra("plot", "--plot needs matplotlib"):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    shown = [point for point in points if point.deviation > 0]
    figure = Figure(figsize=(9, 6.5), layout="constrained")
    axes = figure.subplots()
    if shown and error > 0:
        axes.set_yscale("log")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=_LINE, linewidth=0.5)
    axes.axhline(error, color=_INK, linewidth=1, linestyle=(0, (4, 3)), label="the float model's own RMS error")
    for (kind, name), line in _lines(shown).items():
        axes.plot(
            [point.payload_bytes for point in line],
            [point.deviation for point in line],
            "o-" if name else "o",
            color=kind.color,
            markerfacecolor=kind.color if kind.is_filled else "white",
            markersize=5,
            linewidth=1 if kind.is_filled else 0,
            label=None if kind.name in axes.get_legend_handles_labels()[1] else kind.name,
        )
    axes.margins(x=0.15)
    axes.set_xlim(left=0)
    axes.set(
        xlabel="bytes of numbers",
        ylabel=f"RMS deviation from the float model, in {target}",
        title="What a linear model in fewer bytes costs",
    )
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    figure.set_layout_engine("none")  # labels are placed in what is now the layout
    _label(axes, shown, canvas.get_renderer())
    return figure


def _lines(points: Sequence[Point]) -> dict[tuple[Kind, str], list[Point]]:
    """Return the points by kind and line."""
    lines: dict[tuple[Kind, str], list[Point]] = {}
    for point in points:
        lines.setdefault((point.kind, point.line), []).append(point)
    return lines


def _label(axes: Any, points: Sequence[Point], renderer: Any) -> None:
    """Write each label beside its dot, where it covers the fewest dots and other labels."""
    from matplotlib.transforms import Bbox

    dots = axes.transData.transform([(point.payload_bytes, point.deviation) for point in points]) if points else []
    covered = [Bbox.from_bounds(x - 4, y - 4, 8, 8) for x, y in dots]
    frame = axes.get_window_extent(renderer)
    for point in filter(lambda point: point.label, points):
        label = axes.annotate(
            point.label,
            (point.payload_bytes, point.deviation),
            (0, 0),
            textcoords="offset points",
            color=point.kind.color,
            fontsize=9,
        )
        boxes = []
        for right, up, ha, va in _PLACES:
            label.set(ha=ha, va=va)
            label.xyann = (right * _ROOM, up * _ROOM)
            boxes.append(label.get_window_extent(renderer))
        # Labels count twice: two on each other are read worse than one on a dot.
        taken = [*covered, *covered[len(dots) :]]
        cost = [box.count_overlaps(taken) + (0 if _is_within(box, frame) else len(points)) for box in boxes]
        best = cost.index(min(cost))
        right, up, ha, va = _PLACES[best]
        label.set(ha=ha, va=va)
        label.xyann = (right * _ROOM, up * _ROOM)
        covered.append(boxes[best])


def _is_within(box: Any, frame: Any) -> bool:
    return bool(frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1)
