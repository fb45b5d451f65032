"""Tables and paragraphs that fit the terminal: names are cut before numbers are."""

import math
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import printable

MEASURED = ("R²", "MSE", "largest dev.", "RMS dev.", "payload", "file size")
_GAP = "  "
_NAME = 16  # characters of a name that are left at any width
_START = 5  # characters that a name begins with where it is cut
_HEAD = 12  # characters of a head's line, unless the numbers below are wider


class _Column(NamedTuple):
    head: list[str]
    cells: list[str]

    @property
    def width(self) -> int:
        return max(map(len, [*self.head, *self.cells]))


def table(rows: Sequence[Sequence[str]], width: int | None = None) -> str:
    """Return lines of aligned columns: names at the left, numbers at the right.

    The first row is the head, and the first cell of each row its name. A table that is too wide, by default for the
    terminal, gets heads of several lines, then shorter names, then several tables below each other.

    >>> print(table([["stage", "R²"], ["float64", "0.6"]]))
    stage     R²
    float64  0.6
    """
    width = width or terminal_width()
    names, *numbers = map(_column, zip(*rows, strict=True))
    if _width([names, *numbers]) > width:
        numbers = [_Column(_broken(each), each.cells) for each in numbers]
        names = _cut(names, max(_NAME, width - _width(numbers) - len(_GAP)))
    return "\n\n".join("\n".join(_lines(each)) for each in _groups(names, numbers, width))


def measured(models: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Return a row of cells below the heads `MEASURED` for each model, whose figures are known by name."""
    columns = [
        [f"{each['r2']:.4f}" if abs(each["r2"]) < 1000 else f"{each['r2']:,.0f}" for each in models],
        numbers([each["mse"] for each in models], 4),
        numbers([each["largest_deviation"] for each in models], 3),
        numbers([each["rms_deviation"] for each in models], 3),
        [f"{each['payload_bytes']:,} B" for each in models],
        [f"{each['file_bytes']:,} B" for each in models],
    ]
    return [list(cells) for cells in zip(*columns, strict=True)]


def numbers(values: Sequence[float], digits: int) -> list[str]:
    """Return the numbers of a column: if a large one has an exponent, all from 1,000 on have one.

    >>> numbers([-3.645e7, -1312000.0, 0.5], 4)
    ['-3.645e7', '-1.312e6', '0.5']
    """
    cells = [number(value, digits) for value in values]
    is_large = [math.isfinite(value) and abs(value) >= 1000 for value in values]
    if not any(large and "e" in cell for large, cell in zip(is_large, cells, strict=True)):
        return cells
    columns = zip(values, is_large, cells, strict=True)
    return [_exponential(value, digits) if large else cell for value, large, cell in columns]


def _exponential(value: float, digits: int) -> str:
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def number(value: float, digits: int) -> str:
    """Return a number with so many significant digits, and an exponent only where that is shorter; integers whole.

    >>> number(139812.0, 4), number(4.832e9, 4), number(1.31e-6, 3), number(12345678, 4)
    ('139,800', '4.832e9', '1.31e-6', '12,345,678')
    """
    if isinstance(value, int):
        return f"{value:,}"
    short = f"{value:,.{digits}g}"
    digits_of, exponential, exponent = short.partition("e")
    if not exponential:
        return short
    plain = f"{float(short):,.0f}"
    return plain if abs(value) >= 1 and len(plain) <= len(short) else f"{digits_of}e{int(exponent)}"


def paragraph(text: str) -> str:
    """Return text broken into lines that fit the terminal, all but the first indented."""
    return textwrap.fill(
        printable(text), terminal_width(), subsequent_indent=_GAP, break_long_words=False, break_on_hyphens=False
    )


def terminal_width() -> int:
    """Return how many characters a line of the terminal has; 80 where there is no terminal."""
    return shutil.get_terminal_size().columns


def _column(cells: Sequence[str]) -> _Column:
    head, *below = map(printable, cells)
    return _Column([head], below)


def _width(columns: Sequence[_Column]) -> int:
    return sum(each.width for each in columns) + len(_GAP) * (len(columns) - 1)


def _broken(column: _Column) -> list[str]:
    """Return the head in lines that are not much wider than the numbers below it."""
    (head,) = column.head
    longest = max(map(len, head.replace("-", "- ").split()), default=1)
    room = max([min(longest, _HEAD), *map(len, column.cells)])
    return textwrap.wrap(head, room, max_lines=3, placeholder="…") or [""]


def _cut(names: _Column, width: int) -> _Column:
    """Return the names cut to a width, or to the next above it at which they still differ."""
    for room in range(width, names.width):
        cells = [_shortened(each, room) for each in names.cells]
        if len(set(cells)) == len(set(names.cells)):
            return _Column([_shortened(each, room) for each in names.head], cells)
    return names


def _shortened(name: str, width: int) -> str:
    """Return a name without its middle: files, and columns of one kind, differ at their end."""
    return name if len(name) <= width else f"{name[:_START]}…{name[_START + 1 - width :]}"


def _groups(names: _Column, numbers: Sequence[_Column], width: int) -> Iterator[list[_Column]]:
    """Yield the columns of each table: the names, and as many numbers as fit beside them."""
    group = [names]
    for column in numbers:
        if len(group) > 1 and _width([*group, column]) > width:
            yield group
            group = [names]
        group.append(column)
    yield group


def _lines(columns: Sequence[_Column]) -> Iterator[str]:
    height = max(len(each.head) for each in columns)
    texts = [[""] * (height - len(each.head)) + each.head + each.cells for each in columns]
    widths = [each.width for each in columns]
    for name, *numbers in zip(*texts, strict=True):
        aligned = [f"{cell:>{width}}" for cell, width in zip(numbers, widths[1:], strict=True)]
        yield _GAP.join([f"{name:<{widths[0]}}", *aligned]).rstrip()
