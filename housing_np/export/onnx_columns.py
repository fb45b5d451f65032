"""The first nodes of an ONNX graph whose inputs are a user's columns: they make features of cells."""

import json

import numpy as np
from numpy.typing import ArrayLike

from ..checks.names import apart_from
from ..errors import HousingError
from ..rows.columns import MISSING, Columns
from .onnx_graph import DOUBLE, FLOAT, ML, STRING, Graph, Input, Node

_UNKNOWN = -1  # the position of text that is no level


def inputs_of(columns: Columns, number: int) -> list[Input]:
    """Return an input for each column by its name: text for a category, a number of this type for the others."""
    if not all(columns.names):
        raise HousingError("a column has an empty name, which cannot name an input of ONNX: give it a name")
    types = (STRING if name in columns.levels else number for name in columns.names)
    return [Input(name, type, 1, _meaning(columns, name)) for name, type in zip(columns.names, types, strict=True)]


def with_columns(made: Graph, columns: Columns, number: int, x: str) -> Graph:
    """Return the graph on columns, whose numbers are of this type, for one on features x in float64.

    Its output, and the values within it, have other names where a column has theirs.
    """
    nodes, constants = _encoder(columns, number, x)
    whole = made._replace(nodes=[*nodes, *made.nodes], constants={**constants, **made.constants})
    inside = [*whole.constants, *(node.output for node in whole.nodes if node.output != made.output)]
    names = dict(zip(inside, apart_from(columns.names, inside), strict=True))
    names[made.output] = apart_from(columns.names, [made.output])[0]
    return whole.renamed(names | {_cells(place): name for place, name in enumerate(columns.names)})


def _encoder(columns: Columns, number: int, x: str) -> tuple[list[Node], dict[str, ArrayLike]]:
    """Return the nodes that make the features x of the columns' cells, and their constants."""
    nodes: list[Node] = []
    parts: list[str] = []
    constants: dict[str, ArrayLike] = {}
    for place, name in enumerate(columns.names):
        if name in columns.levels:
            nodes += _category(place, columns.levels[name], number)
            constants[f"positions_{place}"] = np.arange(1, len(columns.levels[name]), dtype=np.int64)
        parts.append(nodes[-1].output if name in columns.levels else _cells(place))
    if columns.levels:
        nan = np.array(np.nan, np.float32 if number == FLOAT else np.float64)
        constants |= {"unknown": np.int64(_UNKNOWN), "nan": nan}
    if columns.fills:
        # NaN for a feature without a fill, which stays NaN so.
        constants["fills"] = np.array([columns.fills.get(name, np.nan) for name in columns.feature_names])
    return [*nodes, *_joined(parts, number, bool(columns.fills), x)], constants


def _category(place: int, levels: tuple[str, ...], number: int) -> list[Node]:
    """Return the nodes from a category's text to its features, which are all NaN for text that is no level."""
    positions = {level: position for position, level in enumerate(levels)}
    if MISSING in positions:
        positions[""] = positions[MISSING]
    keys = {"keys_strings": list(positions), "values_int64s": list(positions.values()), "default_int64": _UNKNOWN}
    position, is_level, is_unknown, ones = (
        f"{name}_{place}" for name in ("position", "is_level", "is_unknown", "zeros_and_ones")
    )
    return [
        Node("LabelEncoder", (_cells(place),), position, keys, ML),
        Node("Equal", (position, f"positions_{place}"), is_level),
        Node("Cast", (is_level,), ones, {"to": number}),
        Node("Equal", (position, "unknown"), is_unknown),
        Node("Where", (is_unknown, "nan", ones), f"features_{place}"),
    ]


def _joined(parts: list[str], number: int, has_fills: bool, x: str) -> list[Node]:
    """Return the nodes that join the features of the columns, in float64, and fill in the missing ones."""
    nodes = [Node("Concat", tuple(parts), "joined", {"axis": 1})]
    if number == FLOAT:
        nodes.append(Node("Cast", ("joined",), "wide", {"to": DOUBLE}))
    if has_fills:
        given = nodes[-1].output
        nodes += [Node("IsNaN", (given,), "is_missing"), Node("Where", ("is_missing", "fills", given), "filled")]
    return [*nodes[:-1], nodes[-1]._replace(output=x)]


def _cells(place: int) -> str:
    """Return the name of a column within this module: the user's may be that of any other value."""
    return f"column_{place}"


def _meaning(columns: Columns, name: str) -> str:
    """Return the description of an input, in ASCII."""
    if name in columns.fills:
        return f"NaN stands for {columns.fills[name]!r}"
    if name not in columns.levels:
        return ""
    levels = columns.levels[name]
    empty = f"; an empty text is {MISSING}" if MISSING in levels else ""
    return f"one of {json.dumps(levels)}{empty}"
