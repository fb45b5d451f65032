"""A table of numbers: features, a target and their names; the bundled California Housing, or a user's own file."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import chain
from operator import add
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .errors import TableError
from .rows import Rows, open_rows

Block = tuple[NDArray[np.float64], NDArray[np.float64]]
T = TypeVar("T")
Watch = Callable[[Iterable[Any]], Iterable[Any]]

# Above so many numbers (128 MiB) a table stays in its files.
_MEMORY_NUMBERS = 1 << 24

CALIFORNIA_FEATURES = (
    "MedInc",
    "HouseAge",
    "AveRooms",
    "AveBedrms",
    "Population",
    "AveOccup",
    "Latitude",
    "Longitude",
)
CALIFORNIA_TARGET = "MedHouseVal"


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of features with their target.

    Attributes
    ----------
    X : ndarray of float64, shape (n, p)
    y : ndarray of float64, shape (n,)
    feature_names : tuple of str, length p
    target_name : str
    """

    X: NDArray[np.float64]
    y: NDArray[np.float64]
    feature_names: tuple[str, ...]
    target_name: str

    def __iter__(self) -> Iterator[Block]:
        yield self.X, self.y

    def reduce(self, function: Callable[[Iterable[Block]], T], watch: Watch = iter) -> T:
        """What a function makes of the blocks; `watch` sees each of them pass."""
        return function(watch(self))


@dataclass(frozen=True)
class Stream:
    """The rows of files that need not fit in memory: each iteration reads them anew, as blocks (X, y).

    Attributes
    ----------
    paths : tuple of str
        Files of the same columns.
    feature_names, target_name
        As those of a `Table`.
    ignored : tuple of str
        The columns that are neither.
    format : str, optional
        As that of `read_table`.
    """

    paths: tuple[str, ...]
    feature_names: tuple[str, ...]
    target_name: str
    ignored: tuple[str, ...] = ()
    format: str | None = None

    def __iter__(self) -> Iterator[Block]:
        for path in self.paths:
            with open_rows(path, self.format) as rows:
                yield from self.blocks(rows)

    def blocks(self, rows: Rows) -> Iterator[Block]:
        """The blocks of one open file."""
        names = [*self.feature_names, self.target_name]
        if rows.named and (other := [name for name in rows.columns if name not in (*names, *self.ignored)]):
            raise TableError(f"{rows.source}: column {other[0]!r} is not in the first file; all need the same columns")
        for block in rows.blocks(names):
            yield block[:, :-1], block[:, -1]

    def parts(self) -> list["Stream"]:
        """One stream for each file."""
        return [replace(self, paths=(path,)) for path in self.paths]

    def reduce(self, function: Callable[[Iterable[Block]], T], watch: Watch = iter) -> T:
        """What a function makes of the blocks of each file, added up; `watch` sees each block pass."""
        total: T | None = add_up([of_rows(function, watch(part)) for part in self.parts()])
        return self.whole(total)

    def whole(self, result: T | None) -> T:
        """The result of all parts; a TableError where none of them had rows."""
        if result is None:
            raise TableError(f"{self.paths[0]}: no rows below the names of the columns, nor in any other file")
        return result


def of_rows(function: Callable[[Iterable[Block]], T], blocks: Iterable[Block]) -> T | None:
    """What a function makes of blocks; None where there is no block."""
    blocks = iter(blocks)
    first = next(blocks, None)
    return None if first is None else function(chain([first], blocks))


def add_up(results: Sequence[Any]) -> Any:
    """The sum of those that are not None; None where all are."""
    found = [result for result in results if result is not None]
    return reduce(add, found) if found else None


def load_california(rows: int | None = None) -> Table:
    """The 1990 US census table of Pace and Barry (1997), bundled with the package; nothing is downloaded.

    Parameters
    ----------
    rows : int, optional
        Only the first so many rows; all 20,640 by default.

    Returns
    -------
    Table
        scikit-learn's eight features, in its order, and MedHouseVal in 100,000 dollars: equal to the last bit to
        ``sklearn.datasets.fetch_california_housing``.

    Examples
    --------
    >>> table = load_california()
    >>> table.X.shape, table.feature_names[0], table.y[0]
    ((20640, 8), 'MedInc', np.float64(4.526))
    """
    # In a checkout the data stand beside the package, in an installed one inside it.
    here = Path(__file__).parent
    path = next((p for p in (here / "data", here.parent / "data") if p.is_dir()), here / "data") / "cal_housing.csv"
    try:
        with path.open(encoding="ascii") as file:
            raw = np.loadtxt(file, delimiter=",", skiprows=1, max_rows=rows, ndmin=2)
    except OSError:
        raise TableError(f"{path}: the bundled data are missing; install the package again") from None
    longitude, latitude, age, rooms, bedrooms, population, households, income, value = raw.T
    X = np.column_stack(
        [
            income,
            age,
            rooms / households,
            bedrooms / households,
            population,
            population / households,
            latitude,
            longitude,
        ]
    )
    return Table(X, value / 100_000, CALIFORNIA_FEATURES, CALIFORNIA_TARGET)


def read_table(
    path: str | Path, target: str, features: Sequence[str] | None = None, format: str | None = None
) -> Table:
    """Read a user's table: CSV with a header line, JSON, JSON Lines, Parquet, or .npy (columns x0, x1, … unless named).

    Parameters
    ----------
    path : str or Path
        A file, a pattern that files of the same columns match ("part-*.csv"), or "-" for standard input.
    target : str
        The column to predict.
    features : sequence of str, optional
        The columns to predict it from, in the wanted order; by default all others, in the order of the file.
    format : {"csv", "json", "jsonl", "npy", "parquet"}, optional
        By default what the name of the file ends with.

    Returns
    -------
    Table

    Raises
    ------
    TableError
        With the file, row and column: no such file, a folder, an empty one; a name that is missing or doubled; a row
        with too few or too many cells; a cell that is not a finite number; a target that is constant.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "homes.csv")
    ...     _ = path.write_text("rooms,price\\n3,1.5\\n4,2\\n")
    ...     read_table(path, target="price").feature_names
    ('rooms',)
    """
    table = open_table(path, target, features, format, in_memory=True)
    assert isinstance(table, Table)
    return table


def open_stream(
    path: str | Path, target: str, features: Sequence[str] | None = None, format: str | None = None
) -> Stream:
    """As `read_table`, but only the names of the columns are read."""
    paths = _files(path)
    with open_rows(paths[0], format) as rows:
        return _stream(rows, paths, target, features, format)


def open_table(
    path: str | Path,
    target: str,
    features: Sequence[str] | None = None,
    format: str | None = None,
    in_memory: bool = False,
) -> Table | Stream:
    """As `read_table`, but a table that is large stays in its files, unless it has to be in memory."""
    paths = _files(path)
    with open_rows(paths[0], format) as rows:
        stream = _stream(rows, paths, target, features, format)
        blocks, size = [], 0
        for X, y in chain(stream.blocks(rows), replace(stream, paths=paths[1:])):
            blocks.append((X, y))
            size += X.size + y.size
            if size > _MEMORY_NUMBERS and not in_memory:
                if not Path(paths[0]).is_file():  # what cannot be read twice: standard input, a pipe
                    raise TableError(f"{rows.source}: more than {_MEMORY_NUMBERS} numbers; give them in a file")
                return stream
    if not blocks:
        raise TableError(f"{rows.source}: no rows below the names of the columns; expected at least one")
    X, y = map(np.concatenate, zip(*blocks, strict=True))
    if len(y) > 1 and np.all(y == y[0]):
        raise TableError(f"{path}: the target {target!r} is {y[0]} in all {len(y)} rows: nothing to predict")
    return Table(X, y, stream.feature_names, target)


def _files(path: str | Path) -> tuple[str, ...]:
    """The file of a path, or all that match a pattern, in the order of their names."""
    path = Path(path)
    try:
        if set("*?[").isdisjoint(str(path)) or path.exists():
            return (str(path),)
        found = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    except (OSError, ValueError) as error:
        raise TableError(f"{path}: not a pattern of files ({error})") from None
    if not found:
        raise TableError(f"{path}: no file matches; give the path of a file, or a pattern such as 'part-*.csv'")
    return tuple(map(str, found))


def _stream(
    rows: Rows, paths: tuple[str, ...], target: str, features: Sequence[str] | None, format: str | None
) -> Stream:
    if not features and target not in rows.columns:
        raise TableError(f"{rows.missing(target)}; name one of these")
    others = tuple(name for name in rows.columns if name != target)
    features = tuple(features or others)
    if target in features:
        raise TableError(f"{rows.source}: {target!r} is the target: it cannot be a feature too")
    if not features:
        raise TableError(f"{rows.source}: no column beside the target {target!r}; expected at least one feature")
    rows.positions([*features, target])  # refuses a name that is missing
    return Stream(paths, features, target, tuple(name for name in others if name not in features), format)


def rows_for(features: Sequence[str], path: str | Path | None = None) -> NDArray[np.float64]:
    """The rows of a file, or the bundled ones, in these columns; shape (n, len(features)).

    Raises
    ------
    TableError
        If a column is missing, or there are no rows.

    Examples
    --------
    >>> rows_for(["Population", "MedInc"])[0]
    array([322.    ,   8.3252])
    """
    if path is None:
        return bundled_columns(load_california(), features)
    blocks: list[NDArray[np.float64]] = []
    for each in _files(path):
        with open_rows(each) as rows:
            blocks += rows.blocks(features)
    if not blocks:
        raise TableError(f"{path}: no rows; expected at least one")
    return np.concatenate(blocks)


def bundled_columns(table: Table, features: Sequence[str]) -> NDArray[np.float64]:
    """The bundled rows, as `load_california` gives them, in the columns that a model needs."""
    missing = [name for name in features if name not in CALIFORNIA_FEATURES]
    if missing:
        raise TableError(f"the bundled rows have no {missing[0]!r}, which the model needs: give it rows in a file")
    return table.X[:, [CALIFORNIA_FEATURES.index(name) for name in features]]


def holdout_split(n: int, test_size: float = 0.2, seed: int = 42) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows to fit on and rows to test on, as ``sklearn.model_selection.train_test_split`` draws them.

    Parameters
    ----------
    n : int
        How many rows there are, at least 2.
    test_size : float
        The share to test on; rounded up to whole rows.
    seed : int
        `random_state` there.

    Returns
    -------
    train, test : ndarray of int

    Examples
    --------
    >>> holdout_split(5)
    (array([4, 2, 0, 3]), array([1]))
    """
    count = int(np.ceil(test_size * n))
    order = np.random.RandomState(seed).permutation(n)
    return order[count:], order[:count]
