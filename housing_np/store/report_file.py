"""report.json read back: what the record of a training tells of a model file, found by the hash of that file."""

import json
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..checks.arrays import Floats
from ..checks.paths import shown_path
from ..checks.unchanged import stamp
from ..errors import HousingError, TableError, quoted
from ..quantized.calibration import Calibration
from ..rows import open_rows
from ..rows.columns import Columns, as_columns
from ..rows.table import files

NAME = "report.json"
FORMAT = 1  # the version of its layout
KEY = "housing_np_report"  # its first key, whose value is the version
_LARGEST = 16 << 20
_FIGURES = ("mean", "deviation", "low", "high")
_PERCENTILES = ("percentile_1", "percentile_99")
# What Python raises for a report that is cut, or holds values of other types.
_BROKEN = (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError)


class Training(NamedTuple):
    """What a report tells of the data that a model was trained on."""

    ranges: Calibration  # of the features, in the model's order
    units: Mapping[str, str]  # of the features and targets whose unit is known
    is_bundled: bool


def training_of(path: str | Path, names: Sequence[str], content: bytes | None = None) -> Training | None:
    """Return what the report beside a model file tells of it; None if there is no whole report that names the file.

    ``names`` are its features, and ``content`` is that of the file, if it was read: a pipe cannot be read again.
    """
    report = report_beside(path, content)
    try:
        if report is None or missing_features(report, names):
            return None
        units = {str(name): str(unit) for name, unit in report["units"].items()}
        return Training(_ranges(report, names), units, report["options"]["data"] is None)
    except _BROKEN:
        return None


def is_of_bundled_data(path: str | Path, names: Sequence[str]) -> bool:
    """Whether the report beside a model file tells that the model was trained on the bundled data."""
    training = training_of(path, names)
    return training is not None and training.is_bundled


def report_beside(path: str | Path, content: bytes | None = None) -> dict[str, Any] | None:
    """Return the report in the folder of a model file, if it has the SHA-256 of that very file, or of its content."""
    text = _content(Path(path).with_name(NAME))
    if text is None or (content is None and stamp(path) is None):
        return None
    import hashlib  # imported here because predict must start fast

    digest = hashlib.sha256(Path(path).read_bytes() if content is None else content).hexdigest()
    try:
        report: dict[str, Any] = json.loads(text)
        digests = [stage["sha256"] for stage in report["stages"].values()]
        return report if report[KEY] == FORMAT and digest in digests else None
    except _BROKEN:
        return None


def ranges_of(
    path: str,
    columns: Columns | Sequence[str],
    of: Callable[[str], dict[str, Any]] = lambda name: {},
    visit: Callable[[Floats], object] = lambda block: None,
) -> Calibration:
    """Return the calibration of the rows in files: of the columns of a model, or its features.

    ``path`` is a file or a pattern of several: rows, or the report of a training, which knows the figures of its rows.
    ``of`` returns the options of `open_rows` for a file's name, and ``visit`` gets each block of rows. Raises
    HousingError if a file cannot be read, or a report is not whole or lacks a feature.
    """
    total = Calibration(covariance=False)
    for name in files(path):
        if (report := Path(name, NAME)).is_file():
            raise TableError(f"{shown_path(name)}: cannot be read (a folder); give the report in it: {report}")
        if (content := None if name == "-" else _content(Path(name))) is not None:
            total += _reported(name, content, as_columns(columns).feature_names)
            continue
        with open_rows(name, **of(name)) as rows:
            for block in rows.blocks(columns):
                total.update(block)
                visit(block)
    return total


def missing_features(report: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """Return the names that a report has no feature of."""
    return [name for name in names if name not in report["features"]]


def _content(path: Path) -> bytes | None:
    """Return the content of a report; None for any other file, or none."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
            return None
        with path.open("rb") as file:
            if not file.read(64).lstrip().startswith(b"{"):
                return None
            file.seek(0)
            content = file.read()
    except (OSError, ValueError):
        return None  # the reader of rows reports what is wrong with it
    return content if f'"{KEY}"'.encode() in content else None


def _reported(path: str, content: bytes, names: Sequence[str]) -> Calibration:
    """Return the ranges in the content of a report that the user named."""
    try:
        report = json.loads(content)
        if report[KEY] != FORMAT:
            raise ValueError
        missing = missing_features(report, names)
        ranges = _ranges(report, [name for name in names if name not in missing])
    except _BROKEN:
        raise HousingError(
            f"{shown_path(path)}: not a whole report; expected report.json as train writes it, or rows"
        ) from None
    if missing:
        raise HousingError(
            f"{shown_path(path)}: the report has no feature {quoted(missing[0])}, which the model needs; "
            "give the report of its own training"
        )
    return ranges


def _ranges(report: Mapping[str, Any], names: Sequence[str]) -> Calibration:
    rows, features = int(report["data"]["rows"]), [report["features"][name] for name in names]
    mean, deviation, low, high = (np.array([each[figure] for each in features], np.float64) for figure in _FIGURES)
    if rows < 1 or not np.all((low <= mean) & (mean <= high)):
        raise ValueError
    return Calibration.of_figures(rows, mean, deviation, low, high, _percentiles(features, low, high))


def _percentiles(features: Sequence[Mapping[str, float]], low: Floats, high: Floats) -> tuple[Floats, Floats] | None:
    """Return the 1st and the 99th percentile; None if the report is older than they are, or they are out of range."""
    first, last = (np.array([each.get(key, np.nan) for each in features], np.float64) for key in _PERCENTILES)
    return (first, last) if np.all((low <= first) & (first <= last) & (last <= high)) else None
