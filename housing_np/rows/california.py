"""California Housing, the 1990 US census table of Pace and Barry (1997), which comes with the package."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..checks.arrays import Floats
from ..errors import TableError, quoted
from .in_memory import Table

FEATURES = ("MedInc", "HouseAge", "AveRooms", "AveBedrms", "Population", "AveOccup", "Latitude", "Longitude")
TARGET = "MedHouseVal"
_ROWS = 20640
UNITS = {
    "MedInc": "10,000 US dollars",
    "HouseAge": "years",
    "AveRooms": "rooms per household",
    "AveBedrms": "bedrooms per household",
    "Population": "people",
    "AveOccup": "people per household",
    "Latitude": "degrees north",
    "Longitude": "degrees east",
    TARGET: "100,000 US dollars",
}


def load_california(rows: int | None = None) -> Table:
    """Return the bundled table; nothing is downloaded.

    Parameters
    ----------
    rows : int, optional
        The number of rows from the start, at least 1; all 20,640 by default.

    Returns
    -------
    Table
        scikit-learn's eight features, in its order, and MedHouseVal in 100,000 dollars: equal to the last bit to
        ``sklearn.datasets.fetch_california_housing``.

    Raises
    ------
    TableError
        If the file is missing, or `rows` is not a positive integer.

    Examples
    --------
    >>> table = load_california()
    >>> table.X.shape, table.feature_names[0], table.y[0]
    ((20640, 8), 'MedInc', np.float64(4.526))
    """
    if rows is not None and (isinstance(rows, bool) or not isinstance(rows, int | np.integer) or rows < 1):
        raise TableError(f"rows is {quoted(rows)}: expected how many of the first rows to read, at least 1")
    path = bundled_file()
    try:
        with path.open(encoding="ascii") as file:
            raw = np.loadtxt(
                file, delimiter=",", skiprows=1, max_rows=None if rows is None else min(rows, _ROWS), ndmin=2
            )
    except OSError:
        raise TableError(f"{path}: the bundled data are missing; install the package again") from None
    longitude, latitude, age, rooms, bedrooms, population, households, income, value = raw.T
    columns = (
        income,
        age,
        rooms / households,
        bedrooms / households,
        population,
        population / households,
        latitude,
        longitude,
    )
    return Table(np.column_stack(columns), value / 100_000, FEATURES, TARGET)


def bundled_file() -> Path:
    """Return the path of the bundled table: beside the package in a checkout, inside an installed one."""
    here = Path(__file__).parents[1]  # the package
    return next((p for p in (here / "data", here.parent / "data") if p.is_dir()), here / "data") / "cal_housing.csv"


def california_rows(features: Sequence[str], rows: int | None = None) -> Floats:
    """Return the bundled rows in these columns; shape (n, len(features)).

    Raises
    ------
    TableError
        For a column that they do not have.

    Examples
    --------
    >>> california_rows(["Population", "MedInc"], rows=1)
    array([[322.    ,   8.3252]])
    """
    missing = [name for name in features if name not in FEATURES]
    if missing:
        raise TableError(
            f"the bundled rows have no {quoted(missing[0])}, which the model needs: give it rows in a file"
        )
    return load_california(rows).X[:, [FEATURES.index(name) for name in features]]
