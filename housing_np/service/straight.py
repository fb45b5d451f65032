"""The straight way from a JSON request, all numbers, to its rows: faster than the readers, which take files."""

import re
from functools import lru_cache
from itertools import chain
from json import JSONDecoder
from math import hypot
from typing import Any, NamedTuple

import numpy as np

from ..checks.arrays import Floats
from ..rows.columns import Columns, positional_names
from ..rows.json_forms import Found, find_rows
from ..rows.rows import Request
from ..rows.source import UTF8
from .wanted import Wanted

_MOST = 1 << 20  # bytes of a body: it is parsed again where there is no straight way


class Straight(NamedTuple):
    """The rows of a request, shape (n, p), and its form."""

    X: Floats
    request: Request


def straight(columns: Columns, body: bytes, want: Wanted) -> Straight | None:
    """Return the rows of a request for a model's columns; None for all that only the readers can take or refuse."""
    is_json = want.format == "json" and want.encoding == UTF8 and body.startswith((b"[", b"{"))
    if not is_json or len(body) > _MOST or not columns.is_plain:
        return None
    try:
        text = body.decode().rstrip(" \t\r\n")
        document, end = _DECODER.raw_decode(text)
        found = find_rows(document)
        numbers = _numbers(found, columns.names)
        # One test for all: a value that is not finite, or an integer that float64 may round, makes the norm this large.
        if end < len(text) or numbers is None or not hypot(*numbers) < 2**52:
            return None
    except (ValueError, OverflowError, RecursionError):
        return None
    return Straight(np.array(numbers, np.float64).reshape(len(found.rows), -1), found.request)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


_DECODER = JSONDecoder(object_pairs_hook=_unique)


def _numbers(found: Found, names: tuple[str, ...]) -> list[float] | None:
    """Return the cells of all rows, in the order of the model's columns; None if they are not all plain numbers."""
    rows: list[Any] = found.rows
    kinds = set(map(type, rows))
    if kinds == {dict} and not found.columns:
        known = set(names)
        if any(row.keys() != known for row in rows):
            return None
        rows = [[row[name] for name in names] for row in rows]
    elif kinds != {list} or (found.columns != names if found.columns else not _go_by_place(names)):
        return None
    numbers = list(chain.from_iterable(rows))
    is_plain = set(map(len, rows)) == {len(names)} and set(map(type, numbers)) <= {int, float}
    return numbers if is_plain else None


@lru_cache(1)
def _go_by_place(names: tuple[str, ...]) -> bool:
    """Whether the numbers of a list are these columns' in their order: one may be called as the place of another."""
    return names == positional_names(len(names)) or not any(re.fullmatch(r"[# ]*x\d+", name) for name in names)
