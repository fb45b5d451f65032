"""What a model is worth: on all rows, on rows that the fit has not seen, and against the float model."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from math import isfinite, isnan, nan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..checks.arrays import Floats, pieces
from ..errors import HousingError, counted, cut, listed, quoted
from ..fit.linear import LinearRegression
from ..fit.metrics import Score
from ..fit.passes import Selected, Together, total
from ..fit.summary import Summary, require_determined
from ..quantized.calibration import Calibration
from ..quantized.model import Model, QuantizedLinear
from ..rows.table import Block, Stream

SAMPLES = 5
SAMPLE_SIZE = 1 << 18  # numbers, 2 MiB
LARGEST_LOSS = 0.05  # of R², that is not worth a note
_FOUR_FIFTHS = "in the four fifths that the held-out figures are fitted to, "


class Figures(NamedTuple):
    """A model on rows with known targets, and how far it is from a float model.

    Attributes
    ----------
    r2 : float
    mse : float
        In squared target units.
    largest_deviation, rms_deviation : float
        From the predictions of the float model, in target units.
    mae : float
        In target units.
    """

    r2: float
    mse: float
    largest_deviation: float
    rms_deviation: float
    mae: float = nan


@dataclass
class Scores:
    """The scores of several models on the same rows, by name; deviations are from the reference.

    Examples
    --------
    >>> from housing_np import load_california
    >>> table = load_california()
    >>> model = LinearRegression().fit(table.X, table.y)
    >>> round(total(Scores({"float64": model}, model), table).figures()["float64"].r2, 4)
    0.6062
    """

    models: Mapping[str, Model]
    reference: LinearRegression
    scores: dict[str, Score] = field(default_factory=dict)

    def update(self, X: Floats, y: Floats) -> None:
        """Add a block of rows."""
        if not self.models:
            return
        for piece in pieces(X):
            expected = self.reference.predict(X[piece])
            for name, model in self.models.items():
                predicted = expected if model is self.reference else model.predict(X[piece])
                self.scores.setdefault(name, Score()).update(y[piece], predicted, expected)

    def __add__(self, other: "Scores") -> "Scores":
        """Return the scores of the rows of both."""
        empty = Score()
        scores = {name: self.scores.get(name, empty) + other.scores.get(name, empty) for name in self.models}
        return Scores(self.models, self.reference, scores)

    def figures(self) -> dict[str, Figures]:
        """Return what they say, by name."""
        return {
            name: Figures(score.r2, score.mse, score.largest_deviation, score.rms_deviation, score.mae)
            for name, score in self.scores.items()
        }


def figures(models: Mapping[str, Model], reference: LinearRegression, blocks: Iterable[Block]) -> dict[str, Figures]:
    """Return the figures of each model on blocks of rows (X, y), such as a table; deviations are from the reference."""
    return total(Scores(models, reference), blocks).figures()


@dataclass
class Head:
    """The first rows."""

    X: Floats | None = None
    y: Floats | None = None

    def update(self, X: Floats, y: Floats) -> None:
        """Add a block of rows."""
        vars(self).update(vars(self + Head(X[:SAMPLES], y[:SAMPLES])))

    def __add__(self, other: "Head") -> "Head":
        """Return the first rows of both."""
        if self.X is None or self.y is None or other.X is None or other.y is None:
            return other if self.X is None else self
        return Head(np.concatenate([self.X, other.X])[:SAMPLES], np.concatenate([self.y, other.y])[:SAMPLES])


@dataclass
class Sample:
    """Rows drawn at random, always the same of equal blocks: all of them, where they are at most `SAMPLE_SIZE` numbers.

    Each row gets a random key, and those of the least keys stay: so the first rows by key are a smaller sample.
    """

    keys: NDArray[np.float32] | None = None
    X: Floats | None = None
    y: Floats | None = None
    rows: int = 0  # that it is drawn from

    def update(self, X: Floats, y: Floats) -> None:
        """Add a block of rows."""
        if len(X):
            # Files of equal length must not give rows of equal numbers: what is in them is a part of the seed.
            seed = [self.rows, *X[0].view(np.uint32)]
            keys = np.random.default_rng(seed).random(len(X), np.float32)
            vars(self).update(vars(self + Sample(keys, X, y, len(X))))

    def __add__(self, other: "Sample") -> "Sample":
        """Return a sample of the rows of both."""
        a, b = self.least(), other.least()
        if a.keys is None or a.X is None or a.y is None or b.keys is None or b.X is None or b.y is None:
            return b if a.keys is None else a
        keys, X, y = np.concatenate([a.keys, b.keys]), np.concatenate([a.X, b.X]), np.concatenate([a.y, b.y])
        return Sample(keys, X, y, a.rows + b.rows).least()

    def least(self, rows: int | None = None) -> "Sample":
        """Return a sample of at most so many of the rows, in their order."""
        if self.keys is None or self.X is None or self.y is None:
            return self
        rows = max(SAMPLE_SIZE // (self.X.shape[1] + 1), 1) if rows is None else rows
        if len(self.keys) <= rows:
            return self
        kept = np.sort(np.argpartition(self.keys, rows - 1)[:rows])
        return Sample(self.keys[kept], self.X[kept], self.y[kept], self.rows)


@dataclass
class Targets:
    """The calibration of the targets."""

    seen: Calibration = field(default_factory=Calibration)

    def update(self, X: Floats, y: Floats) -> None:
        """Add a block of rows."""
        self.seen.update(y[:, None])

    def __add__(self, other: "Targets") -> "Targets":
        """Return that of the rows of both."""
        return Targets(self.seen + other.seen)


@dataclass
class Seen(Together):
    """What a first pass over rows learns, which needs no model."""

    all_rows: Summary
    outside_fifth: Selected[Summary]
    features: Calibration
    target: Targets
    head: Head
    sample: Sample

    @classmethod
    def of(cls, table: Stream) -> "Seen":
        """Return the empty sum for the columns of a table."""
        summaries = [Summary(feature_names=table.feature_names, target_names=(table.target_name,)) for _ in range(2)]
        return cls(
            summaries[0],
            Selected(summaries[1], _outside_held_out_fifth),
            Calibration(),
            Targets(),
            Head(),
            Sample(),
        )

    @staticmethod
    def require_rows(table: Stream) -> None:
        """Refuse fewer rows than unknowns, where they are counted before they are summed."""
        if table.rows is not None:
            require_determined(table.rows, len(table.feature_names) + 1)

    def require_variance(self) -> None:
        """Refuse rows in which there is nothing to predict."""
        rows, (name,) = self.all_rows.rows, self.all_rows.target_names
        if not rows:
            raise HousingError("no rows below the names of the columns in any of the files; expected at least one")
        self.all_rows.require_determined()
        if rows > 1 and self.target.seen.low == self.target.seen.high:
            raise HousingError(f"the target {quoted(name)} is the same in all {rows} rows: nothing to predict")


@dataclass
class Worth(Together):
    """What a second pass over rows learns of the models: on all rows, and on rows that the fit has not seen."""

    scores: Scores
    left_out: "LeftOut"
    held_out: "Selected[Scores]"

    @classmethod
    def of(cls, models: Mapping[str, Model], model: LinearRegression, seen: Seen) -> "Worth":
        """Return the empty sum for the models of one float model, after a first pass."""
        return cls(Scores(models, model), LeftOut(model), held_out_fifth_of(seen.outside_fifth.sum, model.dependence))


def require_figures(figures: Figures, target_name: str) -> None:
    """Refuse a target whose squares do not fit float64."""
    if not (isfinite(figures.r2) and isfinite(figures.mse)):
        raise HousingError(f"{quoted(target_name)} is too large or too small to square in float64: rescale it")


class Unseen(NamedTuple):
    """R², MSE and MAE on rows that the fit has not seen; None where there are too few rows to tell."""

    r2: float | None
    mse: float | None
    mae: float | None = None

    @classmethod
    def of(cls, score: Score | None) -> "Unseen":
        """Return what a score says, if there is one."""
        if score is None or not score.rows or isnan(score.mse):
            return cls(None, None)
        # One row has no variance to explain.
        return cls(score.r2 if score.rows > 1 else None, score.mse, score.mae)


@dataclass
class LeftOut:
    """The score of each row predicted by the model fitted to all others, in closed form from the leverages.

    Attributes
    ----------
    model : LinearRegression
    others : Score
        Of the rows that have such a prediction.
    alone : int
        How many rows have none: each alone determines a weight.
    features : frozenset of str
        Whose weights these are.
    """

    model: LinearRegression
    others: Score = field(default_factory=Score)
    alone: int = 0
    features: frozenset[str] = frozenset()

    def update(self, X: Floats, y: Floats) -> None:
        """Add a block of rows that the model was fitted to."""
        for piece in pieces(X):
            predicted, is_alone = self.model._left_out(X[piece], y[piece])
            self.others.update(y[piece][~is_alone], predicted[~is_alone])
            if is_alone.any():
                is_one = np.flatnonzero(self.model._determined_by(X[piece][is_alone]).any(axis=0)).tolist()
                self.features |= {self.model.feature_names[i] for i in is_one}
                self.alone += int(is_alone.sum())

    def __add__(self, other: "LeftOut") -> "LeftOut":
        """Return the score of the rows of both."""
        features = self.features | other.features
        return LeftOut(self.model, self.others + other.others, self.alone + other.alone, features)

    @property
    def score(self) -> Score:
        """The score of all rows: NaN if one has no prediction."""
        unknown = Score()
        unknown.update(np.zeros(self.alone), np.full(self.alone, nan))
        return self.others + unknown if self.alone else self.others


def rows_alone(rows: int, features: Collection[str]) -> str:
    """Return how messages call rows that have no prediction by a fit to the others, and why.

    >>> rows_alone(1, ["rooms"])
    "1 row that alone determines the weight of 'rooms'"
    """
    verb, what = "determines" if rows == 1 else "determine", "weight" if len(features) == 1 else "weights"
    return f"{counted(rows, 'row')} that alone {verb} the {what} of {listed(features, quoted)}"


def held_out_fifth_of(others: Summary, known: str = "") -> "Selected[Scores]":
    """Return the empty sum for the fifth of the rows that a fit to the others has not seen.

    Parameters
    ----------
    others : Summary
        Of the other four fifths.
    known : str, optional
        The `dependence` of the fit to all rows: a fit with the same one does not warn again.
    """
    models: dict[str, Model] = {}
    model = LinearRegression()
    if others.rows >= len(others.feature_names) + others.fit_intercept:
        models = {"held out": model.set_solution(others, where=_FOUR_FIFTHS, known=known)}
    return Selected(Scores(models, model), _held_out_fifth)


def holdout_split(n: int, test_size: float = 0.2, seed: int = 42) -> tuple[np.ndarray, np.ndarray]:
    """Return rows to fit on and rows to test on, as ``sklearn.model_selection.train_test_split`` draws them.

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


@lru_cache(4)  # blocks have few different lengths
def _held_out_of(rows: int) -> NDArray[np.bool_]:
    is_held_out = np.zeros(rows, np.bool_)
    is_held_out[holdout_split(rows)[1]] = True
    return is_held_out


def _held_out_fifth(X: Floats, y: Floats) -> NDArray[np.bool_]:
    return _held_out_of(len(y))


def _outside_held_out_fifth(X: Floats, y: Floats) -> NDArray[np.bool_]:
    return ~_held_out_of(len(y))


class Share(NamedTuple):
    """What the error of one feature's weight does to a prediction.

    Attributes
    ----------
    feature : str
    weight, reference : float
        In target units per unit of the feature.
    effect : float
        |weight − reference| · rms(x), in target units.
    refitted : float
        What is left of it once the intercept is refitted: |weight − reference| · standard deviation of x.
    """

    feature: str
    weight: float
    reference: float
    effect: float
    refitted: float


def error_shares(model: Model, reference: LinearRegression, rows: Calibration) -> list[Share]:
    """Which feature is to blame for a deviation from the reference: the largest effect first; of the worst target.

    Examples
    --------
    >>> rows = Calibration.of([[1.0, 1000.0], [2.0, 3000.0]])
    >>> rounded = LinearRegression.from_coefficients([0.5, 0.0], 0.0, ["rooms", "people"], ["price"])
    >>> exact = LinearRegression.from_coefficients([0.4, 0.001], 0.0, ["rooms", "people"], ["price"])
    >>> error_shares(rounded, exact, rows)[0].feature
    'people'
    """
    weights, references = np.atleast_2d(model.coef_), np.atleast_2d(reference.coef_)
    with np.errstate(over="ignore", invalid="ignore"):
        errors = np.abs(weights - references)
        # Of a feature beyond float64 an error of 0 is none either.
        effects, refitted = (np.where(errors == 0, 0.0, errors * size) for size in (rows.rms, rows.deviation))
    worst = int(np.argmax(effects.sum(axis=1)))
    columns = weights[worst], references[worst], effects[worst], refitted[worst]
    shares = map(Share, model.feature_names, *(column.tolist() for column in columns))
    return sorted(shares, key=lambda share: -share.effect)


class Limits(NamedTuple):
    """What a caller allows a quantized model to lose; None for no limit."""

    max_r2_drop: float | None = None
    max_deviation: float | None = None

    def unjudged(self) -> list[str]:
        """One line if there is a limit, for where there is no quantized model: it is broken as well.

        >>> Limits(max_r2_drop=0.01).unjudged(), Limits().unjudged()
        (['no uint8 model to hold to --max-r2-drop: rescale the features and the target, or set no limit'], [])
        """
        given = [f"--{name.replace('_', '-')}" for name, limit in self._asdict().items() if limit is not None]
        if not given:
            return []
        return [
            f"no uint8 model to hold to {' and '.join(given)}: rescale the features and the target, or set no limit"
        ]

    def broken(self, name: str, quantized: Figures, reference: Figures, shares: list[Share]) -> list[str]:
        """One line for each limit that is broken: by how much, and because of which feature.

        >>> shares = [Share("rooms", 0.5, 0.4, 0.25, 0.1)]
        >>> Limits(max_deviation=0.1).broken("uint8", Figures(0.5, 1, 0.25, 0.1), Figures(0.5, 1, 0, 0), shares)
        ['uint8: the largest deviation is 0.25, over the limit 0.1; most of the error is in the weight of rooms']
        """
        worst = max(shares, key=lambda share: share.refitted)
        because = f"most of the error is in the weight of {cut(worst.feature)}"
        drop = reference.r2 - quantized.r2
        lines = []
        if self.max_r2_drop is not None and not drop <= self.max_r2_drop:
            lines.append(f"{name}: R² drops by {drop:.3g}, over the limit {self.max_r2_drop:g}; {because}")
        if self.max_deviation is not None and not quantized.largest_deviation <= self.max_deviation:
            deviation = f"{quantized.largest_deviation:.3g}"
            lines.append(
                f"{name}: the largest deviation is {deviation}, over the limit {self.max_deviation:g}; {because}"
            )
        return lines


def is_lossy(quantized: Figures, reference: Figures) -> bool:
    """Whether a quantized model is far worse than the float model, or worse than the mean of the target alone."""
    return not reference.r2 - quantized.r2 <= LARGEST_LOSS or quantized.r2 < 0 <= reference.r2


def losses(
    quantized: Mapping[str, Figures], reference: Figures, others: Mapping[str, Figures] | None = None
) -> list[str]:
    """Return one line for each quantized model that loses too much: how much, and what to take instead.

    Parameters
    ----------
    quantized : mapping of str to Figures
    reference : Figures
        Of the float model.
    others : mapping of str to Figures, optional
        What else could be taken; by default these models themselves.

    Examples
    --------
    >>> losses({"a": Figures(-3.0, 4, 9, 2), "b": Figures(0.9, 0.1, 0.1, 0.1)}, Figures(0.95, 0.05, 0, 0))
    ['a: R² is -3, worse than the mean of the target; the float model has 0.95; take b, which has 0.9']
    """
    good = {name: each for name, each in (others or quantized).items() if not is_lossy(each, reference)}
    advice = f"no scheme loses less than {LARGEST_LOSS}: take the float model"
    if good:
        best = max(good, key=lambda name: good[name].r2)
        advice = f"take {best}, which has {good[best].r2:.4g}"
    lines = []
    for name, each in quantized.items():
        if is_lossy(each, reference):
            what = f"{reference.r2 - each.r2:.2g} less than the float model's {reference.r2:.4g}"
            if not each.r2 >= 0:
                what = f"worse than the mean of the target; the float model has {reference.r2:.4g}"
            lines.append(f"{name}: R² is {each.r2:.4g}, {what}; {advice}")
    return lines


class Guarantee(NamedTuple):
    """How far a quantized model is from the float one, and how far it says that it can be; in target units."""

    median_deviation: float
    rms_deviation: float
    largest_deviation: float
    median_bound: float
    largest_bound: float


def guarantee(model: QuantizedLinear, reference: LinearRegression, X: np.ndarray) -> Guarantee:
    """Deviations and bounds on rows X (n, p); infinite where they are beyond float64."""
    with np.errstate(over="ignore", invalid="ignore"):
        deviation = np.abs(model.predict(X) - reference.predict(X))
        bound = model.error_bound(X)
        return Guarantee(
            float(np.median(deviation)),
            float(np.sqrt(np.mean(deviation**2))),
            float(deviation.max()),
            float(np.median(bound)),
            float(bound.max()),
        )
