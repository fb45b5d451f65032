"""Rows in: CSV, JSON, JSON Lines, .npy and Parquet, from a file or standard input, a block at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Literal

from ..checks.names import require_option
from ..checks.paths import as_path
from ..errors import TableError
from .rows import WAY_OUT, OnError, Rows, Skipped, TextColumnError, nearest, positional_names, stop
from .source import open_source, refused

__all__ = [
    "WAY_OUT",
    "Decimal",
    "Format",
    "OnError",
    "Rows",
    "Skipped",
    "TextColumnError",
    "expect",
    "format_of",
    "nearest",
    "open_rows",
    "positional_names",
    "stop",
]

Format = Literal["csv", "json", "jsonl", "npy", "parquet"]
Decimal = Literal[".", ","]

# The module and the function that read each format: imported only when there is a file of it.
FORMATS = {
    "csv": ("csv", "read"),
    "json": ("json", "read_document"),
    "jsonl": ("json", "read_lines"),
    "npy": ("npy", "read"),
    "parquet": ("parquet", "read"),
}
_ENDINGS = {"ndjson": "jsonl", "pq": "parquet", "parq": "parquet", "tsv": "csv"} | {name: name for name in FORMATS}


@contextmanager
def open_rows(
    path: str | Path | BytesIO,
    format: Format | None = None,
    on_error: OnError = stop,
    *,
    separator: str | None = None,
    decimal: Decimal = ".",
    header: bool = True,
    wait: bool = False,
) -> Iterator[Rows]:
    """Open a file of rows, or standard input for "-".

    Parameters
    ----------
    path : str or Path or BytesIO
        A file, which may be compressed by gzip, or "-"; or the body of a request.
    format : {"csv", "json", "jsonl", "npy", "parquet"}, optional
        What the first bytes say is stronger. By default what the name of the file ends with, and CSV for any other.
    on_error : callable, optional
        It is given the TableError of each bad row; if it returns, the row is left out. By default the error is raised.
    separator : str, optional
        Of CSV, one character. By default commas, or what else the first line has between its names.
    decimal : {".", ","}
        Of CSV, the mark before a number's decimals.
    header : bool
        Whether the first line of CSV holds the names of the columns; they are x0, x1, … if not.
    wait : bool
        Whether to read the first rows of a slow pipe before its columns are told, for who needs to know them all.

    Raises
    ------
    TableError
        If there is no such file, it is a folder, it is empty, its columns are doubled, or the format is another.

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
    with open_source(path) as source:
        if wait:
            source.wait()
        name = source.format or format or (None if isinstance(path, BytesIO) else format_of(path)) or "csv"
        module, function = FORMATS[name]
        read: Callable[..., Rows] = getattr(import_module(f".{module}", __name__), function)
        options = {"separator": separator, "decimal": decimal, "header": header} if name == "csv" else {}
        yield read(source, on_error, **options)


def expect(path: str | Path) -> None:
    """Refuse a path where there is nothing, as `open_rows` would, before anything is done for its rows."""
    with refused(path):
        as_path(path, TableError).stat()


def format_of(path: str | Path) -> str | None:
    """Return the format that the end of a file's name stands for; None for a name that says nothing.

    >>> format_of("rows.ndjson"), format_of("rows.csv.gz")
    ('jsonl', 'csv')
    """
    name = Path(path).name.lower().removesuffix(".gz")
    return _ENDINGS.get(Path(name).suffix.removeprefix("."))
