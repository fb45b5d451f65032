"""A user's own files as a table: which of their columns are features, and their rows in memory or in the files."""

from array import array
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from ..checks.arrays import Floats, pieces
from ..checks.names import as_name, require_option
from ..checks.paths import as_path, shown_path
from ..errors import TableError, quoted
from . import Decimal, Format, Skipped, open_rows, stop
from .cells import UNKNOWN, Cells, cells_of, same_level
from .chosen import choose, large_shares, left_out_notes, missing_error, no_row_error
from .columns import Columns
from .in_memory import Block, Table
from .kinds import MOST_LEVELS
from .selection import reasons, require_columns_of, with_columns
from .source import open_source
from .stream import Stream as Stream
from .survey import Missing, Survey

OnError = Literal["stop", "skip"]
SurveyFiles = Callable[[Stream, Survey], Survey]

# A table with more numbers (128 MiB) stays in its files.
_MEMORY_NUMBERS = 1 << 24
_MOST_BLANK = 1 << 10  # bytes of a file that is looked through for anything but blanks


def read_table(
    path: str | Path,
    target: str,
    features: Sequence[str] | None = None,
    format: Format | None = None,
    *,
    ignore: Sequence[str] = (),
    categories: Sequence[str] = (),
    missing: Missing = "stop",
    on_error: OnError = "stop",
    separator: str | None = None,
    decimal: Decimal = ".",
    header: bool = True,
    encoding: str | None = None,
) -> Table:
    """Read a user's table in any format of rows; columns without names are called x0, x1, ….

    Parameters
    ----------
    path : str or Path
        A file, a pattern of files with the same columns ("part-*.csv"), or "-" for standard input.
    target : str
        The column to predict.
    features : sequence of str, optional
        The columns to predict it from, in this order; by default all others in the order of the file, except an index
        that pandas wrote, text of many levels, dates, amounts, and what never varies.
    format : str, optional
        A key of `housing_np.rows.FORMATS`, by default from the magic bytes or the extension of the file.
    ignore : sequence of str
        Columns that are not features.
    categories : sequence of str
        Columns whose cells are names of levels, whatever they look like. Text of few levels is a category unasked.
    missing : {"stop", "skip", "mean"}
        Whether missing cells raise; their rows are left out; or they are filled, numbers with their mean, and
        categories with a level of their own.
    on_error : {"stop", "skip"}
        Whether a bad row raises or is skipped.
    separator : str, optional
        The separator of CSV. By default detected from the first line; commas if unsure.
    decimal : {".", ","}
        The decimal mark of CSV.
    header : bool
        Whether the first line of CSV has the names of the columns.
    encoding : str, optional
        The encoding of CSV and JSON without a byte order mark, such as cp1252, which Excel writes. By default UTF-8.

    Returns
    -------
    Table
        Of features; its `columns` say what they are made of.

    Raises
    ------
    TableError
        With the file, row and column: for a missing file, a folder, an empty file; a missing or repeated name; a row
        with too few or too many cells; a cell that is not a finite number; a constant target.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "homes.csv")
    ...     _ = path.write_text("rooms,price\\n3,1.5\\n4,2\\n")
    ...     read_table(path, target="price").feature_names
    ('rooms',)
    """
    require_option(on_error, get_args(OnError), "on_error", TableError)
    reading: dict[str, Any] = {"format": format, "separator": separator, "decimal": decimal, "header": header}
    reading["encoding"] = encoding
    reading |= {"categories": categories, "missing": missing, "in_memory": True}
    return open_table(path, target, features, ignore, on_error, **reading).table()


def open_table(
    path: str | Path,
    target: str,
    features: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    on_error: OnError = "stop",
    *,
    categories: Sequence[str] = (),
    missing: Missing = "stop",
    in_memory: bool | None = None,
    survey: SurveyFiles = Stream.surveyed,
    **reading: Any,
) -> Stream:
    """Return the rows of files; the other arguments are those of `read_table`.

    Parameters
    ----------
    in_memory : bool, optional
        Whether the rows are held in memory, or stay in their files. By default they are held unless they are many.
    survey : callable
        Adds the cells of a stream to a survey, where there are categories or fills and the rows stay in their files.
    """
    require_option(missing, get_args(Missing), "missing", TableError)
    target = as_name(target, "target")
    stream = Stream(files(path), Columns(()), target, skip=on_error == "skip", reading=reading, missing=missing)
    with stream.open_first() as (stream, rows):
        stream, kinds = with_columns(stream, rows, features, ignore, categories)
        if in_memory is False:
            return _in_files(stream, kinds, features, survey)
        wanted = _cells(stream, kinds)
        # Grown in place, so that many rows are not in memory twice.
        X, y, others = array("d"), array("d"), replace(stream, paths=stream.paths[1:])
        for cells in chain(stream.cells(rows, wanted), others.cells_of_files(wanted)):
            X.frombytes(np.ascontiguousarray(cells[:, :-1]).data.cast("B"))
            y.frombytes(np.ascontiguousarray(cells[:, -1]).data.cast("B"))
            if len(X) + len(y) > _MEMORY_NUMBERS and in_memory is None:
                if not Path(stream.paths[0]).is_file():  # standard input or a pipe, which cannot be read twice
                    raise TableError(f"{rows.source}: more than {_MEMORY_NUMBERS} numbers; give them in a file")
                return _in_files(stream, kinds, features, survey)
    if not y:
        plain = Columns(tuple(name for name in stream.columns.names if name not in kinds), stream.columns.named)
        raise _without_rows(rows.source, replace(stream, columns=plain))
    return _held(stream, wanted, np.frombuffer(X).reshape(len(y), -1), np.frombuffer(y), features)


def open_known(path: str | Path, target: str, columns: Columns, on_error: OnError = "stop", **reading: Any) -> Stream:
    """Return the rows of files in memory, as the features of a model with these columns."""
    stream = Stream(files(path), columns, target, skip=on_error == "skip", reading=reading)
    blocks: list[Block] = []
    for name in stream.paths:
        with stream.open(name) as rows:
            if rows.is_empty():
                continue
            found, (target,) = columns.as_in(rows.layout), rows.layout.spelled([target])
            require_columns_of(rows, found.names, target)
            known = replace(stream, left_out=rows.columns)
            for cells in known.cells(rows, [*cells_of(found), Cells(target)]):
                blocks.append((found.encode(cells[:, :-1]), cells[:, -1]))
    if not blocks:
        raise _without_rows(stream.source or stream.paths[0], stream)
    X, y = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return replace(stream, columns=Columns(columns.feature_names, columns.named), held=(X, y))


def _cells(stream: Stream, kinds: Mapping[str, int]) -> list[Cells]:
    """Return how the cells of a first pass are read, the target last."""
    names = (*stream.columns.names, stream.target_name)
    # Rows that do not count may have more levels than a category may.
    return [
        Cells(name, {} if name in kinds else None, stream.takes_missing, MOST_LEVELS if name in kinds else 0)
        for name in names
    ]


def _in_files(stream: Stream, kinds: Mapping[str, int], features: Sequence[str] | None, survey: SurveyFiles) -> Stream:
    """Return the stream of rows that stay in their files."""
    if not kinds and stream.missing != "mean":
        return stream
    return _settled(stream, _cells(stream, kinds), features, lambda empty: survey(stream, empty))


def _held(stream: Stream, wanted: list[Cells], X: Floats, y: Floats, features: Sequence[str] | None) -> Stream:
    """Return the stream with all cells in memory."""

    place = {each: i for i, each in enumerate(wanted)}

    def survey(empty: Survey) -> Survey:
        places = [place[each] for each in empty.cells[:-1]]
        for piece in pieces(X):
            empty.update(np.column_stack([X[piece][:, places], y[piece]]))
        return empty

    settled = _settled(stream, wanted, features, survey)
    names = set(settled.columns.names)
    chosen = [each for each in wanted[:-1] if each.name in names]
    if len(chosen) < X.shape[1]:
        X = np.take(X, [place[each] for each in chosen], axis=1)
    _recode(X, chosen, settled.columns)
    if settled.missing != "stop":
        X, y = settled.without_missing(stream.source, X, y)
    if len(y) > 1 and np.all(y == y[0]):
        raise TableError(
            f"{stream.source}: the target {quoted(stream.target_name)} is {y[0]} in all {len(y)} rows: nothing to "
            "predict"
        )
    return replace(settled, held=(X, y))


def _recode(X: Floats, chosen: Sequence[Cells], columns: Columns) -> None:
    """Give a category's levels their final positions."""
    for column, each in zip(X.T, chosen, strict=True):
        if each.levels is not None:
            positions = {level: position for position, level in enumerate(columns.levels[each.name])}
            known = (same_level(level, positions) for level in each.levels)
            final = np.array([*(UNKNOWN if level is None else positions[level] for level in known), np.nan])
            column[:] = final[np.where(np.isnan(column), -1, column).astype(np.intp)]


def _settled(
    stream: Stream, wanted: Sequence[Cells], features: Sequence[str] | None, survey: Callable[[Survey], Survey]
) -> Stream:
    """Return the stream with the columns that a survey of its cells leaves."""
    missing, source, target = stream.missing, stream.source, stream.target_name
    found = survey(Survey(wanted, "mean" if missing == "skip" else missing))
    # Where rows are left out, the levels of those that stay count.
    most = dict.fromkeys(stream.checked, MOST_LEVELS) if missing == "skip" else stream.checked
    chosen = choose(found, stream.columns.named, features or (), most, source)
    absent = found.absent((*chosen.columns.names, target))
    if found.missing[-1] == found.rows or (absent and missing == "stop"):
        raise missing_error(source, absent, found.rows, target)
    if missing == "skip" and not absent:
        chosen = choose(found, stream.columns.named, features or (), stream.checked, source)
    left_out = costly = chosen.left_out
    while absent and missing == "skip" and (costly or found.policy != missing):
        found = survey(Survey([each for each in wanted if each.name not in left_out], missing))
        if not found.kept.rows:
            raise no_row_error(source, found.absent([each.name for each in found.cells]), found.rows, target)
        chosen = choose(found, stream.columns.named, features or (), stream.checked, source)
        # A column that is left out must not cost the others their rows.
        costly = {name: chosen.left_out[name] for name in found.absent(chosen.left_out)}
        left_out |= costly or chosen.left_out
    if not chosen.columns.names:
        raise TableError(f"{source}: no column is left to predict from: {reasons(left_out)}")
    large = large_shares(found.absent((*chosen.columns.names, target)), found.rows, target)
    notes = [*left_out_notes(source, left_out), *([f"{source}: {large}"] if large else [])]
    return replace(
        stream,
        columns=chosen.columns,
        left_out=(*stream.left_out, *left_out),
        notes=(*stream.notes, *notes),
        filled=chosen.filled,
        counts=chosen.counts,
    )


def _without_rows(source: str, stream: Stream) -> TableError:
    skipped = stream.all_skipped
    if not skipped.count:
        return TableError(f"{source}: no rows below the names of the columns; expected at least one")
    problem = skipped.first
    if Path(stream.paths[0]).is_file():
        try:  # read again without skipping, for the error about a whole column
            deque(replace(stream, skip=False, skipped={}), maxlen=0)
        except TableError as error:
            problem = error
    return TableError(f"{source}: no row is left, {skipped.count} were skipped: {problem}")


def files(path: str | Path) -> tuple[str, ...]:
    """Return the file of a path, or all files that match a pattern, in the order of their names."""
    path = as_path(path, TableError)
    try:
        if set("*?[").isdisjoint(str(path)) or path.exists():
            return (str(path),)
        found = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    except (OSError, ValueError) as error:
        raise TableError(f"{shown_path(path)}: not a pattern of files ({error})") from None
    if not found:
        raise TableError(
            f"{shown_path(path)}: no file matches; give the path of a file, or a pattern such as 'part-*.csv'"
        )
    return with_content(map(str, found))


def with_content(paths: Iterable[str]) -> tuple[str, ...]:
    """Return these files without those of blanks alone, which are parts without rows in any format; all if all are."""
    paths = tuple(paths)
    return tuple(path for path in paths if not _is_blank(path)) or paths


def _is_blank(path: str) -> bool:
    try:
        if path == "-" or not Path(path).is_file() or Path(path).stat().st_size > _MOST_BLANK:
            return False
        with open_source(path) as source:
            return not b"".join(source.pieces()).decode(source.encoding, "replace").strip("\ufeff \t\r\n")
    except (OSError, ValueError):  # said where the file is read
        return False


def read_rows(
    columns: Columns | Sequence[str], path: str | Path, skipped: Skipped | None = None, **reading: Any
) -> Floats:
    """Return these columns of a file, or of all files that match a pattern, as features; shape (n, p).

    Bad rows are skipped and counted in ``skipped`` if it is given. The other arguments are those of `open_rows`.

    Raises
    ------
    TableError
        If a column is missing, or there are no rows.
    """
    blocks: list[Floats] = []
    for each in files(path):
        with open_rows(each, on_error=stop if skipped is None else skipped.add, **reading) as rows:
            blocks += rows.blocks(columns)
    if not blocks:
        if skipped and skipped.count:
            raise TableError(
                f"{shown_path(path)}: no row is left, {skipped.count} were skipped; the first: {skipped.first}"
            )
        raise TableError(f"{shown_path(path)}: no rows; expected at least one")
    return np.concatenate(blocks)
