"""The registry of row formats: a new format needs its reader and its entry here."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

from .rows import Rows

Format = Literal["csv", "json", "jsonl", "npy", "parquet"]


@dataclass(frozen=True)
class RowFormat:
    """How rows of one format are recognized and read."""

    name: Format  # as in --format and `open_rows`
    title: str  # what texts for users call it
    reader: str  # a module of this package and a function in it; imported only if there is a file of this format
    endings: tuple[str, ...]  # of file names, with the point, in lower case
    media_types: tuple[str, ...]  # the values of Content-Type, the usual one first
    magic: bytes = b""  # the first bytes of a binary format; empty for text
    answer_type: str = ""  # the Content-Type of predictions in this format; empty if they are not written in it

    def load(self) -> Callable[..., Rows]:
        """Import and return the reader."""
        module, function = self.reader.split(".")
        reader: Callable[..., Rows] = getattr(import_module(f".{module}", __package__), function)
        return reader


FORMATS: dict[str, RowFormat] = {
    each.name: each
    for each in (
        RowFormat(
            "csv",
            "CSV",
            "csv.read",
            (".csv", ".tsv"),
            ("text/csv", "application/csv"),
            answer_type="text/csv; charset=utf-8",
        ),
        RowFormat(
            "json",
            "JSON",
            "json.read_document",
            (".json",),
            ("application/json", "text/json"),
            answer_type="application/json",
        ),
        RowFormat(
            "jsonl",
            "JSON Lines",
            "json.read_lines",
            (".jsonl", ".ndjson"),
            ("application/x-ndjson", "application/jsonl", "application/jsonlines"),
            answer_type="application/x-ndjson",
        ),
        RowFormat("npy", ".npy", "npy.read", (".npy",), ("application/x-npy",), b"\x93NUMPY"),
        RowFormat(
            "parquet",
            "Parquet",
            "parquet.read",
            (".parquet", ".pq", ".parq"),
            ("application/vnd.apache.parquet",),
            b"PAR1",
        ),
    )
}
TEXT_FORMATS = tuple(name for name, each in FORMATS.items() if not each.magic)
ANSWER_FORMATS = tuple(name for name, each in FORMATS.items() if each.answer_type)

# First bytes of files that are often taken for rows: what they are, and what to do.
FOREIGN = {
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an old Excel workbook: save it as CSV",
    b"ARROW1\0\0": "an Arrow IPC (Feather) file: save it as Parquet or CSV",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file: save its table as Parquet or CSV",
    b"SQLite format 3\0": "an SQLite database: export its table as CSV",
    b"%PDF-": "a PDF document: export its table as CSV",
    b"BZh": "compressed with bzip2: uncompress it, or use gzip",
    b"\xfd7zXZ\0": "compressed with xz: uncompress it, or use gzip",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: uncompress it, or use gzip",
    **{
        b"\x80" + bytes([protocol]): "a pickle, which can run code: save CSV, .npy or Parquet"
        for protocol in range(2, 6)
    },
}


def format_of(path: str | Path) -> str | None:
    """Return the format that a file's name ends in, None if the ending is unknown.

    >>> format_of("rows.ndjson"), format_of("rows.csv.gz")
    ('jsonl', 'csv')
    """
    ending = Path(Path(path).name.lower().removesuffix(".gz")).suffix
    return next((name for name, each in FORMATS.items() if ending in each.endings), None)


def titles(names: Iterable[str] = FORMATS) -> str:
    """Return formats as a sentence lists them.

    >>> titles(["csv", "json", "jsonl"])
    'CSV, JSON or JSON Lines'
    """
    return any_of(FORMATS[name].title for name in names)


def any_of(words: Iterable[str]) -> str:
    """Return words as a sentence lists alternatives.

    >>> any_of([".csv", ".json"])
    '.csv or .json'
    """
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last
