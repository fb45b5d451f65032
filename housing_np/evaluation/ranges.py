"""The range of a model's inputs: which rows are outside it, and how far the means of features have drifted."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress
from typing import NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ..checks.arrays import Floats
from ..errors import cut
from ..quantized.calibration import Calibration
from ..quantized.model import Model, QuantizedLinear, is_quantized

FEWEST = 30  # rows, for a mean to be about normal
_CHANCE = 0.001  # of a note without any drift, over all features
_MOST = 4  # shifts in a note


def known_range(model: Model, given: Calibration | None, reported: Calibration | None) -> Calibration | None:
    """Return the range of a model's inputs that exports, pages and servers tell: the caller's, else the training's.

    None where the range is not known, or is the model's own, as `own_range` returns it.
    """
    # The integer scheme saturates at the ends of its own range, whatever the rows of its training were.
    return given if given is not None or has_range(model) else reported


def own_range(model: Model) -> tuple[Floats, Floats] | None:
    """Return the lowest and the highest inputs, each of shape (p,), that the integer scheme does not saturate."""
    if not is_quantized(model) or model.input_scale is None or model.input_offset is None:
        return None
    return model.input_offset, model.input_offset + 255 * model.input_scale.astype(np.float64)


def usual_range(low: Floats, high: Floats, rows: Calibration | None) -> tuple[Floats, Floats] | None:
    """Return the 1st and the 99th percentile of each feature, both of shape (p,); None if the rows do not tell them.

    They are inside the range of all values, from low (p,) to high (p,), which stands for two that are equal.

    >>> figures = (np.array([each]) for each in (3.0, 30.0, 0.7, 1243.0))
    >>> rows = Calibration.of_figures(100, *figures, percentiles=(np.array([1.5]), np.array([5.5])))
    >>> usual_range(rows.low, rows.high, rows)
    (array([1.5]), array([5.5]))
    """
    if rows is None or rows.percentiles is None:
        return None
    first, last = (np.clip(each, low, high) for each in rows.percentiles)
    return np.where(first < last, first, low), np.where(first < last, last, high)


def is_truth_value(rows: Calibration) -> NDArray[np.bool_]:
    """Return for each feature whether its values in some rows were 0 and 1, both of them, and no others.

    >>> is_truth_value(Calibration.of([[0.0, 0.0], [1.0, 0.5], [1.0, 1.0]]))
    array([ True, False])
    """
    # No other values between 0 and 1 with this mean vary as much (Bhatia and Davis 2000).
    with np.errstate(over="ignore", invalid="ignore"):
        is_most = np.isclose(rows.deviation**2, rows.mean * (1 - rows.mean), rtol=1e-10, atol=0)
    return np.asarray((rows.low == 0) & (rows.high == 1) & is_most)


def outside(model: Model, reference: Calibration | None) -> Callable[[Floats], NDArray[np.bool_]]:
    """Return the function that finds the rows outside the range of the reference rows, else outside the model's own."""
    if reference is not None:
        low, high = reference.low, reference.high
        return lambda X: np.any((low > X) | (high < X), axis=1)
    if has_range(model):
        return model.saturated
    return lambda X: np.zeros(0, np.bool_)


def has_range(model: Model) -> TypeGuard[QuantizedLinear]:
    """Whether the file of a model holds the range of the rows that it was calibrated on."""
    return is_quantized(model) and model.input_scale is not None


class Shift(NamedTuple):
    """A feature whose mean is not that of the reference rows."""

    feature: str  # of the model, or the baseline of a category as if it were one: sea=far
    was: float  # the mean of the reference rows; of a level, its share
    mean: float  # that of the new rows
    # How far that moves the mean prediction, weight · shift, in target units; of several targets, the largest. Of a
    # baseline, how far all levels of its category move it together.
    effect: float


@dataclass
class Drift:
    """How many new rows are outside the range of the reference rows, and their means: a sum over blocks of rows.

    >>> from housing_np import LinearRegression
    >>> model = LinearRegression.from_coefficients([2.0], 0.0, ["rooms"], ["price"])
    >>> now = Drift(model, Calibration.of([[0.0], [2.0]] * 50))
    >>> now.update(np.full((100, 1), 1.5))
    >>> now.outside, now.shifts()
    (0, [Shift(feature='rooms', was=1.0, mean=1.5, effect=1.0)])
    """

    model: Model
    reference: Calibration | None
    rows: int = 0
    outside: int = 0
    unknown: int = 0
    mean: Floats = field(default_factory=lambda: np.zeros(()))

    def __post_init__(self) -> None:
        self._is_outside = outside(self.model, self.reference)

    def update(self, X: Floats) -> None:
        """Add a block of rows X (n, p)."""
        if not len(X):
            return
        self.rows += len(X)
        self.outside += int(self._is_outside(X).sum())
        if self.reference is not None:
            with np.errstate(over="ignore", invalid="ignore"):
                self.mean = self.mean + (X.mean(axis=0) - self.mean) * (len(X) / self.rows)

    def update_unknown(self, count: int) -> None:
        """Add rows that have a level which the model does not know: they are outside any range."""
        if self.reference is not None or has_range(self.model):
            self.unknown += count
            self.outside += count

    @property
    def share(self) -> float:
        """The share of the rows that are outside; 0 without rows."""
        return self.outside / (self.rows + self.unknown) if self.outside else 0.0

    @property
    def tells_shifts(self) -> bool:
        """Whether there are enough rows, here and in the reference, to tell a shift from chance."""
        return self.reference is not None and min(self.rows, self.reference.rows) >= FEWEST

    def shifts(self) -> list[Shift]:
        """Return the features whose mean has shifted by more than chance explains, the largest effect first.

        The test of the two means is two-sided, with the deviation of the reference rows, at 0.1 % over all features
        (Bonferroni); of shares it is that of the likelihood ratio. Fewer than 30 rows give no shifts.
        """
        reference = self.reference
        if reference is None or not self.tells_shifts:
            return []
        from statistics import NormalDist  # imported here because predict must start fast

        was, mean = self._with_baselines(reference.mean), self._with_baselines(self.mean)
        shares = was[len(reference.mean) :]
        deviation = np.append(reference.deviation, np.sqrt(shares * (1 - shares)))
        least = NormalDist().inv_cdf(1 - _CHANCE / (2 * len(was)))
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            shift = mean - was
            error = deviation * np.sqrt(1 / self.rows + 1 / reference.rows)
            # Few ones are far from normal: a level of 5 rows in 20,000 may well be that of 1 in 100.
            is_share = np.append(is_truth_value(reference), (shares > 0) & (shares < 1)) & (mean >= 0) & (mean <= 1)
            distance = np.where(is_share, _share_distance(was, reference.rows, mean, self.rows), np.abs(shift) / error)
            # Rounding alone can make a shift this small, however small the deviation.
            moved = (distance > least) & (np.abs(shift) > 2.0**-40 * np.abs(was))
            effects = np.atleast_2d(self.model.coef_) * shift[: len(reference.mean)]
        effects = np.column_stack([effects, *(effects[:, place].sum(axis=1) for place in self._categories.values())])
        effect = effects[np.abs(effects).argmax(axis=0), np.arange(len(shift))]
        names = (*self.model.feature_names, *self._categories)
        found = map(Shift, names, was.tolist(), mean.tolist(), effect.tolist())
        return sorted(compress(found, moved), key=lambda shift: -abs(shift.effect))

    @cached_property
    def _categories(self) -> dict[str, slice]:
        """The places of each category's features, by the name of its baseline."""
        columns = self.model.columns
        names = (name for name in columns.names if name in columns.levels)
        return {f"{name}={columns.levels[name][0]}": columns.places[name] for name in names}

    def _with_baselines(self, means: Floats) -> Floats:
        """Return the means of features, and the shares of the baselines that follow from them."""
        shares = [1 - float(means[place].sum()) for place in self._categories.values()]
        return np.append(means, np.round(shares, 12) + 0.0)  # a share of 0 is 0, in spite of rounding

    @property
    def levels(self) -> set[str]:
        """The names of those features, and baselines, whose means are shares of levels."""
        features = self.model.feature_names
        return {*self._categories, *(name for place in self._categories.values() for name in features[place])}


def _share_distance(was: Floats, rows: float, share: Floats, new_rows: int) -> Floats:
    """Return the distance of shares in standard deviations, by the likelihood ratio (Wilks 1938)."""
    both = (was * rows + share * new_rows) / (rows + new_rows)
    terms = [
        count * part * np.log(np.where(part > 0, part / whole, 1.0))
        for count, one in ((rows, was), (new_rows, share))
        for part, whole in ((one, both), (1 - one, 1 - both))
    ]
    return np.asarray(np.sqrt(np.maximum(2 * np.sum(terms, axis=0), 0.0)))


def _by_effect(shift: Shift) -> float:
    return -abs(shift.effect)


def drift_note(shifts: Sequence[Shift], levels: Collection[str] = ()) -> str:
    """Return one line that names the largest shifts; those of ``levels`` are of shares.

    >>> drift_note([Shift("sea=far", 0.3, 0.55, -0.2)], ["sea=far"])
    'shares of levels that shifted more than chance would: sea=far 0.3 → 0.55 (moves predictions by -0.2)'
    >>> drift_note([Shift("MedInc", 3.87, 1.55, -1.01)])
    'means that shifted more than chance would: MedInc 3.87 → 1.55 (moves predictions by -1.01)'
    """
    each = [
        f"{cut(shift.feature)} {shift.was:.4g} → {shift.mean:.4g} (moves predictions by {shift.effect:.3g})"
        for shift in shifts[:_MOST]
    ]
    more = f", … and {len(shifts) - _MOST} more" if len(shifts) > _MOST else ""
    kinds = {"shares of levels" if shift.feature in levels else "means" for shift in shifts}
    return f"{' and '.join(sorted(kinds))} that shifted more than chance would: {', '.join(each)}{more}"
