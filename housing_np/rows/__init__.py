"""Rows in, a block at a time: the formats of `formats.FORMATS`, from a file, standard input or a request."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from ..checks.names import require_option
from ..checks.paths import as_path
from ..errors import TableError
from .formats import FORMATS, Format, format_of
from .partitions import partitions_of, with_partitions
from .rows import OnError, Rows, Skipped, TextColumnError, TooLargeError, nearest, stop
from .source import UTF8, open_source, readable

__all__ = [
    "FORMATS",
    "Decimal",
    "Format",
    "OnError",
    "Rows",
    "Skipped",
    "TextColumnError",
    "TooLargeError",
    "expect",
    "format_of",
    "nearest",
    "open_rows",
    "stop",
]

Decimal = Literal[".", ","]


@contextmanager
def open_rows(
    path: str | Path | BytesIO,
    format: Format | None = None,
    on_error: OnError = stop,
    *,
    separator: str | None = None,
    decimal: Decimal = ".",
    header: bool = True,
    encoding: str | None = None,
    wait: bool = False,
    most: int | None = None,
) -> Iterator[Rows]:
    """Open a file of rows, or standard input for "-".

    Parameters
    ----------
    path : str or Path or BytesIO
        A file, which may be compressed by gzip, or "-"; or the body of a request. Folders called ``name=value`` are
        columns, as Hive has them.
    format : str, optional
        A key of `FORMATS`. Magic bytes override it. By default from the file's extension, CSV for an unknown one.
    on_error : callable, optional
        Called with the TableError of each bad row; if it returns, the row is skipped, or, if it returns True, kept as
        one of `cells.UNKNOWN`. By default the error is raised.
    separator : str, optional
        The separator of CSV, one character. By default detected from the first line; commas if unsure.
    decimal : {".", ","}
        The decimal mark of CSV.
    header : bool
        Whether the first line of CSV has the names of the columns; without names they are x0, x1, ….
    encoding : str, optional
        The encoding of CSV and JSON without a byte order mark, such as cp1252, which Excel writes. By default UTF-8.
    wait : bool
        Whether to wait for the first rows of a slow pipe before the columns are determined, so that none is missed.
    most : int, optional
        The most bytes of Parquet's pages without their compression, as for the body of a request.

    Raises
    ------
    TooLargeError
        For more bytes than ``most``.
    TableError
        For a missing file, a folder, an empty file, a repeated column name or a wrong format.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "rows.csv")
    ...     _ = path.write_text("rooms,price\\n3,1.5\\n4,2\\n")
    ...     with open_rows(path) as rows:
    ...         print(rows.columns, [block.tolist() for block in rows.blocks(["price"])])
    ('rooms', 'price') [[[1.5], [2.0]]]
    """
    if format is not None:
        require_option(format, FORMATS, "format", TableError)
    with open_source(path, UTF8 if encoding is None else encoding) as source:
        if wait:
            source.wait()
        name = source.format or format or (None if isinstance(path, BytesIO) else format_of(path)) or "csv"
        of_csv: dict[str, Any] = {"separator": separator, "decimal": decimal, "header": header}
        options = {"csv": of_csv, "parquet": {"most": most}}.get(name, {})
        rows = FORMATS[name].load()(source, on_error, **options)
        yield rows if isinstance(path, BytesIO) else with_partitions(rows, partitions_of(path), on_error)


def expect(path: str | Path) -> None:
    """Raise the error of `open_rows` for a missing file, before any work is done."""
    with readable(path):
        as_path(path, TableError).stat()
