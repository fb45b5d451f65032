"""The rows that a model was trained on, and which rows are outside their range, or have moved away from them."""

import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ..checks.arrays import Floats
from ..checks.paths import shown_path
from ..errors import HousingError, cut, quoted
from ..quantized.calibration import Calibration
from ..quantized.model import Model, QuantizedLinear, is_quantized
from ..rows import open_rows
from ..rows.california import california_rows
from ..rows.table import files

_REPORT = b'"housing_np_report"'
_LARGEST_REPORT = 16 << 20
_FIGURES = ("mean", "deviation", "low", "high")
_FEWEST = 30  # rows, for a mean to be about normal
_CHANCE = 0.001  # of a note where nothing has moved, over all features


def ranges_of(path: str, names: Sequence[str], of: Callable[[str], dict[str, Any]] = lambda name: {}) -> Calibration:
    """Return the calibration of the rows of all files that a pattern names; `of(name)` says how to read one.

    A file may be the report of a training too, which knows the figures of its rows.
    """
    seen = Calibration()
    for name in files(path):
        if (content := _report(name)) is not None:
            seen += _reported(name, content, names)
            continue
        with open_rows(name, **of(name)) as rows:
            for block in rows.blocks(names):
                seen.update(block)
    return seen


def _report(path: str) -> bytes | None:
    """Return the content of a file that is a report."""
    try:
        status = Path(path).stat()
        if path == "-" or not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_REPORT:
            return None
        with Path(path).open("rb") as file:
            if not file.read(64).lstrip().startswith(b"{"):
                return None
            file.seek(0)
            content = file.read()
    except (OSError, ValueError):
        return None  # the reader of rows says what is wrong with it
    return content if _REPORT in content else None


def _reported(path: str, content: bytes, names: Sequence[str]) -> Calibration:
    """Return the calibration that a report tells of these features."""
    import json

    try:
        report = json.loads(content)
        rows, features = int(report["data"]["rows"]), report["features"]
        missing = [name for name in names if name not in features]
        mean, deviation, low, high = (
            np.array([features[name][figure] for name in names if name in features], np.float64) for figure in _FIGURES
        )
        if report["housing_np_report"] != 1 or rows < 1 or not np.all((low <= mean) & (mean <= high)):
            raise ValueError
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        raise HousingError(
            f"{shown_path(path)}: not a whole report; expected report.json as train writes it, or rows"
        ) from None
    if missing:
        raise HousingError(
            f"{shown_path(path)}: the report has no feature {quoted(missing[0])}, which the model needs; "
            "give the report of its own training"
        )
    return Calibration.of_figures(rows, mean, deviation, low, high)


def bundled(names: Sequence[str]) -> Calibration | None:
    """Return the calibration of the bundled rows, where they have these columns."""
    try:
        return Calibration.of(california_rows(names))
    except HousingError:
        return None


def outside(model: Model, seen: Calibration | None) -> Callable[[Floats], NDArray[np.bool_]]:
    """Return what tells which rows are outside the range of those seen, or of the model's own where it has one."""
    if seen is not None:
        low, high = seen.low, seen.high
        return lambda X: np.any((low > X) | (high < X), axis=1)
    if has_range(model):
        return model.saturated
    return lambda X: np.zeros(0, np.bool_)


def has_range(model: Model) -> TypeGuard[QuantizedLinear]:
    """Whether a model itself knows the range of the rows that it was calibrated on."""
    return is_quantized(model) and model.input_scale is not None


class Shift(NamedTuple):
    """A feature whose mean is another than that of the rows seen.

    Attributes
    ----------
    feature : str
    was, mean : float
        Of the rows seen, and of these.
    effect : float
        How far that moves the mean prediction, weight · shift, in target units; of several targets, the largest.
    """

    feature: str
    was: float
    mean: float
    effect: float


@dataclass
class Moved:
    """How many rows are outside the range of those seen, and where their means are: a sum over blocks of rows.

    Examples
    --------
    >>> from housing_np import LinearRegression
    >>> model = LinearRegression.from_coefficients([2.0], 0.0, ["rooms"], ["price"])
    >>> now = Moved(model, Calibration.of([[0.0], [2.0]] * 50))
    >>> now.update(np.full((100, 1), 1.5))
    >>> now.outside, now.shifts()
    (0, [Shift(feature='rooms', was=1.0, mean=1.5, effect=1.0)])
    """

    model: Model
    seen: Calibration | None
    rows: int = 0
    outside: int = 0
    mean: Floats = field(default_factory=lambda: np.zeros(()))

    def __post_init__(self) -> None:
        self._is_outside = outside(self.model, self.seen)

    def update(self, X: Floats) -> None:
        """Add a block of rows X (n, p)."""
        if not len(X):
            return
        self.rows += len(X)
        self.outside += int(self._is_outside(X).sum())
        if self.seen is not None:
            with np.errstate(over="ignore", invalid="ignore"):
                self.mean = self.mean + (X.mean(axis=0) - self.mean) * (len(X) / self.rows)

    @property
    def share(self) -> float:
        """Of the rows, those outside; 0 of none."""
        return self.outside / self.rows if self.rows else 0.0

    def shifts(self) -> list[Shift]:
        """Return the features whose mean has moved by more than chance explains, the largest effect first.

        That is a two-sided test of the two means with the deviation of the rows seen, at 0.1 % over all features
        (Bonferroni); it says nothing of fewer than 30 rows.
        """
        seen = self.seen
        if seen is None or min(self.rows, seen.rows) < _FEWEST:
            return []
        from statistics import NormalDist  # here, not above: who asks for no range must not pay for it

        least = NormalDist().inv_cdf(1 - _CHANCE / (2 * len(seen.mean)))
        with np.errstate(over="ignore", invalid="ignore"):
            shift = self.mean - seen.mean
            error = seen.deviation * np.sqrt(1 / self.rows + 1 / seen.rows)
            # A shift that rounding can make is none, however small the deviation.
            moved = (np.abs(shift) > least * error) & (np.abs(shift) > 2.0**-40 * np.abs(seen.mean))
            effects = np.atleast_2d(self.model.coef_) * shift
        effect = effects[np.abs(effects).argmax(axis=0), np.arange(len(shift))]
        columns = (seen.mean.tolist(), self.mean.tolist(), effect.tolist())
        found = map(Shift, self.model.feature_names, *columns)
        return sorted((each for each, is_moved in zip(found, moved, strict=True) if is_moved), key=_by_effect)


def _by_effect(shift: Shift) -> float:
    return -abs(shift.effect)


def told(shifts: Sequence[Shift], most: int = 4) -> str:
    """Return one line on some shifts.

    >>> told([Shift("MedInc", 3.87, 1.55, -1.01)])
    'means that have moved by more than chance explains: MedInc 3.87 → 1.55 (moves predictions by -1.01)'
    """
    each = [
        f"{cut(shift.feature)} {shift.was:.4g} → {shift.mean:.4g} (moves predictions by {shift.effect:.3g})"
        for shift in shifts[:most]
    ]
    more = f", … and {len(shifts) - most} more" * (len(shifts) > most)
    return f"means that have moved by more than chance explains: {', '.join(each)}{more}"
