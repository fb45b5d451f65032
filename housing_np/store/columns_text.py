"""The columns of a model as text in its file: JSON of one entry a column, as docs/format.md says."""

import json
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from ..errors import HousingError
from ..rows.columns import Columns

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_LONGEST_ENTRY = 40  # bytes of a fill, or of the commas and brackets of a category, for each of its features


def columns_text(columns: Columns) -> bytes:
    """Return the text: null for a number, its fill for one that has a fill, [name, level, …] for a category.

    >>> columns_text(Columns(("age", "sea", "size"), levels={"sea": ("far", "near")}, fills={"age": 30.0}))
    b'[30.0,["sea","far","near"],null]'
    """
    entries = [
        [name, *columns.levels[name]] if name in columns.levels else columns.fills.get(name) for name in columns.names
    ]
    return json.dumps(entries, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def columns_of_text(text: bytes, features: Sequence[str]) -> Columns:
    """Return the columns of which the features are made; refuse text that `columns_text` does not write.

    >>> columns_of_text(b'[null,["sea","far","near"]]', ["age", "sea=near"]).names
    ('age', 'sea')
    """
    try:
        # Judged before it is parsed, which takes many times the memory of the text.
        in_quotes = sum(each.end() - each.start() for each in _STRING.finditer(text))
        if len(text) - in_quotes > _LONGEST_ENTRY * (len(features) + 1):
            raise ValueError("more entries than features")
        entries = json.loads(text.decode(), parse_constant=_refuse)
        columns = _columns(entries, list(features))
        if columns_text(columns) != text or columns.feature_names != tuple(features) or columns.is_plain:
            raise ValueError("other text than train writes")
    except (ValueError, TypeError, IndexError, OverflowError, RecursionError):
        raise HousingError("the columns do not say what the features are made of") from None
    return columns


def _columns(entries: Any, features: list[str]) -> Columns:
    """Return the columns of these entries, whose numbers have the names of their features."""
    names: list[str] = []
    levels: dict[str, tuple[str, ...]] = {}
    fills: dict[str, float] = {}
    place = 0
    for entry in entries:
        name = entry[0] if isinstance(entry, list) else features[place]
        if isinstance(entry, list):
            levels[name] = tuple(entry[1:])
        elif entry is not None:
            fills[name] = float(entry)
        place += max(len(entry) - 2, 0) if isinstance(entry, list) else 1
        names.append(name)
    if len(set(names)) < len(names):
        raise ValueError("a column stands twice")
    return Columns(tuple(names), levels=levels, fills=fills)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not finite")
