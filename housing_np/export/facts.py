"""What every export tells of a model beside its numbers."""

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple, Self

from numpy.typing import ArrayLike

from ..checks.arrays import Floats
from ..evaluation.ranges import known_range, own_range
from ..fit.linear import LinearRegression
from ..quantized.calibration import Calibration
from ..quantized.model import Model
from ..rows.california import california_rows
from ..rows.columns import Columns
from ..rows.encoded import encoded
from ..store.artifact import to_bytes
from ..store.report_file import training_of


class Facts(NamedTuple):
    """What a reader of an exported model wants to know of it."""

    name: str  # of the model there
    scheme: str  # "float64" for a float model
    features: tuple[str, ...]
    targets: tuple[str, ...]
    columns: Columns
    units: Mapping[str, str]  # of the features and targets whose unit is known
    low: Floats | None  # (p,), the range of the rows that the model is for, like high
    high: Floats | None
    sha256: str  # of the model's file
    against: LinearRegression | None = None  # the float model that a quantized one was made from
    example: Floats | None = None  # (p,), a row of the data that the model was trained on
    rows: Calibration | None = None  # statistics of the caller's rows, else of those in the report of the training

    @classmethod
    def of(
        cls,
        model: Model,
        name: str,
        X: ArrayLike | Calibration | None = None,
        against: LinearRegression | None = None,
        content: bytes | None = None,
        units: Mapping[str, str] | None = None,
    ) -> Self:
        """Return what the caller knows of a model; `content` is that of its file, by default as `save` writes it."""
        if not isinstance(X, Calibration) and X is not None:
            X = Calibration.of(encoded(X, model.columns), covariance=False)
        low, high = (X.low, X.high) if X is not None else own_range(model) or (None, None)
        return cls(
            name=name,
            scheme=model.scheme or "float64",
            features=model.feature_names,
            targets=tuple(model.target_names_),
            columns=model.columns,
            units={} if units is None else units,
            low=low,
            high=high,
            sha256=sha256(to_bytes(model) if content is None else content).hexdigest(),
            against=against,
            rows=X,
        )

    @classmethod
    def of_file(
        cls,
        path: str,
        model: Model,
        content: bytes,
        name: str,
        given: Calibration | None = None,
        against: LinearRegression | None = None,
    ) -> Self:
        """Return what the caller, and the report of its training, tell of the model in a file with this content.

        The range that the caller has ``given`` comes before all others.
        """
        training = training_of(path, model.feature_names, content)
        reported = training.ranges if training else None
        facts = cls.of(
            model, name, known_range(model, given, reported), against, content, training.units if training else None
        )
        facts = facts._replace(rows=reported if given is None else given)
        if training is None or not training.is_bundled:
            return facts
        return facts._replace(example=california_rows(facts.features, rows=1)[0])
