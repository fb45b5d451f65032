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
    """What a reader of an exported model wants to know of it.

    Attributes
    ----------
    name : str
        The name of the model there.
    scheme : {"float64", "per-tensor", "per-channel", "integer"}
    features, targets : tuple of str
    columns : Columns
        What the features are made of.
    units : mapping of str to str
        Of the features and targets whose unit is known.
    low, high : ndarray, shape (p,), optional
        The range of each feature in the rows that the model is for.
    sha256 : str
        Of the model's file, in hexadecimal.
    against : LinearRegression, optional
        The float model that a quantized one was made from.
    example : ndarray, shape (p,), optional
        A row of the data that the model was trained on.
    rows : Calibration, optional
        Statistics of the caller's rows, else of those in the report of the model's training.
    """

    name: str
    scheme: str
    features: tuple[str, ...]
    targets: tuple[str, ...]
    columns: Columns
    units: Mapping[str, str]
    low: Floats | None
    high: Floats | None
    sha256: str
    against: LinearRegression | None = None
    example: Floats | None = None
    rows: Calibration | None = None

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
        rows = X
        low, high = (rows.low, rows.high) if rows is not None else own_range(model) or (None, None)
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
            rows=rows,
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
        """Return what the caller, and the report of its training, tell of the model in a file.

        Parameters
        ----------
        path : str
            Of the model's file.
        model : LinearRegression or QuantizedLinear
        content : bytes
            Of the file, as `artifact.read` returns it beside the model.
        name : str
        given : Calibration, optional
            The caller's range, which comes before all others.
        against : LinearRegression, optional
        """
        training = training_of(path, model.feature_names, content)
        reported = training.ranges if training else None
        facts = cls.of(
            model,
            name,
            known_range(model, given, reported),
            against,
            content,
            training.units if training else None,
        )
        facts = facts._replace(rows=reported if given is None else given)
        if training is None or not training.is_bundled:
            return facts
        return facts._replace(example=california_rows(facts.features, rows=1)[0])
