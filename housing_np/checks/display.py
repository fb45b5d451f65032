"""How objects are shown: one line for a terminal, a small HTML table for a notebook."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import islice
from typing import Any

import numpy as np

from ..errors import counted, quoted

_ROWS, _COLUMNS = 20, 12


def in_brackets(what: object, facts: Iterable[str]) -> str:
    """Return the line that a terminal shows for an object.

    >>> in_brackets(Ellipsis, [counted(20640, "row"), columns(["rooms"], ["price"])])
    "<ellipsis: 20,640 rows, 1 feature, target 'price'>"
    """
    return f"<{titled(what, facts)}>"


def titled(what: object, facts: Iterable[str]) -> str:
    """Return the class of an object and the facts about it."""
    return f"{type(what).__name__}: {', '.join(facts)}"


def columns(features: Sequence[str], targets: Sequence[str]) -> str:
    """Return the number of features, and the name of the target or the number of targets."""
    what = f"target {quoted(targets[0])}" if len(targets) == 1 else counted(len(targets), "target")
    return f"{counted(len(features), 'feature')}, {what}"


def html_table(
    title: str, names: Sequence[Any], columns: Mapping[str, Sequence[Any] | np.ndarray], lines: Iterable[str] = ()
) -> str:
    """Return a table as HTML, in the font and colours of the page around it.

    The rows have ``names``, and columns are numbers or text, by their heads; ``lines`` are paragraphs below the table.
    A large table is cut to its first rows and columns, and a last paragraph says so.
    """
    heads = list(islice(columns, _COLUMNS))
    rows = zip(names[:_ROWS], *(columns[head][:_ROWS] for head in heads), strict=True)
    cut = f"{min(len(names), _ROWS)} of {counted(len(names), 'row')}, {len(heads)} of {counted(len(columns), 'column')}"
    table = [
        "<table>",
        f"<tr>{''.join(map(_head, ['', *heads]))}</tr>",
        *(f"<tr>{_head(name, 'left')}{''.join(map(_cell, cells))}</tr>" for name, *cells in rows),
        "</table>",
    ]
    is_cut = len(names) > _ROWS or len(columns) > _COLUMNS
    below = [f"<p>{escape(line)}</p>" for line in [*lines, *([f"shown: {cut}"] if is_cut else [])]]
    return "\n".join(["<div>", f"<p>{escape(title)}</p>", *(table if heads else []), *below, "</div>"])


def _head(name: Any, side: str = "right") -> str:
    return f'<th style="text-align: {side}">{escape(str(name))}</th>'


def _cell(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)
    return f'<td style="text-align: right">{escape(text)}</td>'
