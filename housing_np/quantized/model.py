"""A linear model in few bytes: from a float model, integer inference, and a bound on the deviation from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, Self, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks.arrays import Floats, as_numbers, read_only, require_names
from ..checks.names import as_names, require_apart, require_option
from ..checks.objects import Rebuilt, Shown
from ..checks.sparse import by_rows
from ..errors import HousingError, counted, listed, quoted
from ..fit.linear import FittedLinear, LinearRegression
from ..fit.metrics import as_targets, r2_score
from ..rows.columns import Columns, positional_names, require_columns
from .affine import Affine, as_bits
from .calibration import Calibration
from .packing import packed_size
from .schemes import BY_NAME, ROUNDINGS, SCHEMES, Rounding, Scheme
from .schemes.scheme import Field, QuantizationScheme, finite_rows

# The types of what a scheme does not store, or stores under another name.
_UNSTORED = {"center": Field("<f4", "feature"), "radius": Field("<f4", "model"), "slack": Field("<f4", "target")}
_BIAS = Field("<f8", "target")
_CHECKED_ELSEWHERE = ("bits", "weights", "scale", "zero_point", "intercept")


class Model(Protocol):
    """A model of this package, float or quantized."""

    @property
    def scheme(self) -> str | None:
        """The name of the quantization scheme; None for a float model."""

    @property
    def coef_(self) -> Floats:
        """Weights per unit of the raw features; shape (p,) or (k, p)."""

    @property
    def intercept_(self) -> float | Floats:
        """The prediction where all raw features are 0; a float, or shape (k,)."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the features."""

    @property
    def columns(self) -> Columns:
        """What the features are made of: the columns of the user's table."""

    @property
    def target_names_(self) -> tuple[str, ...]:
        """The names of the targets."""

    @property
    def payload_bytes(self) -> int:
        """Bytes of the numbers that the model is made of."""

    def predict(self, X: ArrayLike) -> Floats:
        """Return predictions for rows X (n, p): (n,), or (n, k) for several targets."""

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return R² of the predictions for X against y, averaged over the targets."""


@dataclass(frozen=True, eq=False, repr=False)
class QuantizedLinear(Shown, Rebuilt):
    """A linear model whose weights are uint8, and in the scheme "integer" its inputs too; or float32.

    Attributes
    ----------
    scheme : {"per-tensor", "per-channel", "integer", "float32"}
        One scale for all weights, in the units of the raw features; one scale per feature, so that the rounding of each
        weighs the same in a prediction; one scale for weights that multiply inputs in uint8; or no scale.
    weights : ndarray of uint8, or in "float32" of float32, shape (p,) or (k, p)
    affine : Affine
        Scale and zero point of the weights; along the last axis for "per-channel"; 1 and 0 for "float32".
    bias : ndarray, shape () or (k,)
        Added to the weighted sum: for "integer" int32, in steps of `affine.scale`; else in target units, in float64 and
        for "float32" in float32. Refitted to integer weights, so that the mean prediction stays.
    center : ndarray, shape (p,)
        A row near the mean of the calibration rows, whose deviation from the float model is at most `slack`; uint8 in
        the units of the quantized inputs for "integer", zeros for "per-tensor" and "float32".
    radius : float
        No weight is further than `radius` times its scale, or its size for "float32", from the float weight.
    slack : ndarray of float32, shape () or (k,)
    feature_names_in_, target_names_ : tuple of str
    input_scale, input_offset : ndarray of float32 and float64, shape (p,), optional
        Only for "integer": x ≈ input_offset + input_scale · uint8.
    proven : bool, optional
        After optimal rounding: whether these integers are proven to be the best for their scale and zero point.
        Not saved.
    named : bool
        Whether frames must have the features' names; False if the names are made up: x0, x1, … True for a loaded model.
    encoding : Columns, optional
        What the features are made of, if that is more than plain numbers.

    Raises
    ------
    HousingError
        If the int32 sum of the scheme "integer" could overflow, or a number is out of its range.

    Notes
    -----
    The arrays are read-only copies.
    """

    scheme: Scheme
    weights: NDArray[np.uint8] | NDArray[np.float32]
    affine: Affine
    bias: NDArray[np.int32] | Floats
    center: NDArray[np.float32] | NDArray[np.uint8]
    radius: np.float32
    slack: NDArray[np.float32]
    feature_names_in_: tuple[str, ...]
    target_names_: tuple[str, ...]
    input_scale: NDArray[np.float32] | None = None
    input_offset: Floats | None = None
    proven: bool | None = None
    named: bool = True
    encoding: Columns | None = None

    def __post_init__(self) -> None:
        require_option(self.scheme, SCHEMES, "scheme")
        for name, kind in (("affine", Affine), ("named", bool)):
            if not isinstance(value := getattr(self, name), kind):
                raise HousingError(f"{name} is {quoted(value)}: expected {kind.__name__}")
        self._set_weights()
        self._set_names()
        fields = {name: field for name, field in self._rules.fields.items() if name not in _CHECKED_ELSEWHERE}
        # The bias is checked as float64 first: the scheme says what is wrong with one beyond its own type.
        for name, field in {**_UNSTORED, **fields, "bias": _BIAS}.items():
            self._set_checked(name, field)
        if self.radius < 0 or np.any(self.slack < 0):
            raise HousingError("radius and slack must not be negative")
        self._rules.check(self)
        self._set_checked("bias", fields["bias"] if "bias" in fields else self._rules.fields["intercept"])

    def _set_checked(self, name: str, field: Field) -> None:
        stored = field.stored(getattr(self, name), name, self.weights.shape)
        object.__setattr__(self, name, stored if stored.ndim or field.per != "model" else stored[()])

    def _set_weights(self) -> None:
        weights, fields = as_numbers(self.weights, "weights"), self._rules.fields
        if fields["weights"].type == "u1":
            self.affine.dequantize(weights)  # refuses weights of more bits
        if weights.ndim not in (1, 2) or not weights.size:
            raise HousingError(f"weights have shape {weights.shape}: expected (features,) or (targets, features)")
        object.__setattr__(self, "weights", fields["weights"].stored(weights, "weights", weights.shape))
        scale, axis = fields.get("scale", Field("<f4", "model")), self.affine.axis
        expected = scale.axis(weights.shape)
        if axis not in ((None,) if expected is None else (expected, expected % weights.ndim)):
            raise HousingError(f"affine has axis {axis}: the scheme {self.scheme!r} has one scale for each {scale.per}")

    def _set_names(self) -> None:
        counts = {"feature_names_in_": self.weights.shape[-1], "target_names_": self.weights[..., 0].size}
        for name, count in counts.items():
            names = as_names(getattr(self, name), name)
            if len(names) != count:
                raise HousingError(f"{name} has {counted(len(names), 'name')}, expected {count}: {listed(names)}")
            object.__setattr__(self, name, names)
        require_apart(self.feature_names_in_, self.target_names_)
        if self.encoding is not None:
            require_columns(self.encoding, self.feature_names_in_)

    @classmethod
    def from_linear(
        cls,
        model: Any,
        X: ArrayLike | Calibration,
        scheme: Scheme = "per-channel",
        bits: int = 8,
        rounding: Rounding = "nearest",
    ) -> Self:
        """Quantize a fitted float model.

        Parameters
        ----------
        model : LinearRegression
            Or a fitted linear model of scikit-learn: Ridge, Lasso, ElasticNet, HuberRegressor, …
        X : array_like, shape (n, p), or Calibration
            Rows like those that the model will be used on: the cost of a rounding error depends on them.
        scheme : {"per-channel", "per-tensor", "integer", "float32"}
        bits : int
            2 to 8; has no effect in the scheme "float32", like `rounding`.
        rounding : {"nearest", "optimal"}
            Which integers: the nearest to each weight, or those that change the predictions of the rows least,
            with the best scale and zero point that `rounding.search` finds for them.

        Returns
        -------
        QuantizedLinear

        Raises
        ------
        HousingError
            For an unknown scheme or rounding, a model that is not a fitted `LinearRegression` of finite numbers, other
            features than the model's, or weights beyond float32's range.

        Examples
        --------
        >>> X = [[0.0, 1.0], [1.0, 3.0], [2.0, 2.0]]
        >>> model = LinearRegression().fit(X, [1.0, 4.0, 5.0])
        >>> QuantizedLinear.from_linear(model, X).predict(X).round(2)
        array([1., 4., 5.])
        """
        from .from_float import calibration_for, finite_model, parts_of  # predict must start fast

        require_option(scheme, SCHEMES, "scheme")
        require_option(rounding, ROUNDINGS, "rounding")
        bits, model = as_bits(bits), finite_model(model)
        return cls(**parts_of(model, calibration_for(model, X, rounding), BY_NAME[scheme], bits, rounding))

    @classmethod
    def from_numbers(
        cls,
        scheme: Scheme,
        numbers: Mapping[str, np.ndarray],
        feature_names: tuple[str, ...],
        target_names: tuple[str, ...],
        encoding: Columns | None = None,
    ) -> Self:
        """Return the model that is made of these numbers, which `numbers` returned or a file holds."""
        require_option(scheme, SCHEMES, "scheme")
        fields = BY_NAME[scheme].fields
        if missing := [name for name in fields if name not in numbers]:
            raise HousingError(f"the numbers lack {listed(missing)}")
        stored: dict[str, Any] = BY_NAME[scheme].assumed(numbers) | {name: numbers[name] for name in fields}
        weights, bits = as_numbers(stored["weights"], "weights"), as_bits(stored.pop("bits"))
        axis = fields["scale"].axis(weights.shape) if "scale" in fields else None
        return cls(
            scheme=scheme,
            affine=Affine(stored.pop("scale"), stored.pop("zero_point"), axis, bits),
            bias=stored.pop("bias" if "bias" in fields else "intercept"),
            feature_names_in_=feature_names,
            target_names_=target_names,
            encoding=encoding,
            named=feature_names != positional_names(len(feature_names)),
            **stored,
        )

    def numbers(self) -> dict[str, np.ndarray]:
        """Return the numbers that the model is made of, by name, as a file stores them."""
        known = vars(self.affine) | vars(self) | {"intercept": self.intercept}
        return {name: np.asarray(known[name], field.type) for name, field in self._rules.fields.items()}

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the features, as a float model has them too."""
        return self.feature_names_in_

    @property
    def columns(self) -> Columns:
        """What the features are made of, as a float model has it too."""
        return self.encoding or Columns(self.feature_names_in_, self.named)

    @property
    def payload_bytes(self) -> int:
        """Bytes of the numbers that the model is made of, without names and container."""
        sizes = {name: array.nbytes for name, array in self.numbers().items()}
        return sum((sizes | {"weights": packed_size(self.weights.size, self.bits)}).values())

    @property
    def bits(self) -> int:
        """Bits of a weight: those of `affine`, or 32 in "float32"."""
        return self.affine.bits if self.weights.dtype == np.uint8 else 8 * self.weights.itemsize

    @property
    def coef_(self) -> Floats:
        """The numbers that the weights stand for, per unit of the raw features; shape (p,) or (k, p)."""
        with np.errstate(over="ignore"):
            return self._values if self.input_scale is None else self._values / self.input_scale

    @property
    def intercept_(self) -> float | Floats:
        """The intercept beside `coef_`; a float, or shape (k,). Quantized inputs are taken as their exact values."""
        with np.errstate(over="ignore", invalid="ignore"):
            moved = 0.0 if self.input_offset is None else self.coef_ @ self.input_offset
            intercept = np.asarray(self.intercept - moved)
        return intercept if intercept.ndim else float(intercept)

    @property
    def intercept(self) -> Floats:
        """The bias in target units; shape () or (k,)."""
        return self._rules.intercept(self.bias, self.affine)

    @cached_property
    def _rules(self) -> QuantizationScheme:
        return BY_NAME[self.scheme]

    @cached_property
    def _values(self) -> Floats:
        """The numbers that the weights stand for, per unit of what they multiply; shape (p,) or (k, p)."""
        return read_only(self._rules.values(self.affine, self.weights))

    @cached_property
    def _kernel(self) -> Any:
        return self._rules.kernel(self)

    @by_rows
    def predict(self, X: ArrayLike) -> Floats:
        """Return predictions for rows X (n, p), in target units; shape (n,) or (n, k)."""
        return self._rules.predict(self, X)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the coefficient of determination R² of the predictions for X against y, averaged over the targets.

        Parameters
        ----------
        X : array_like, shape (n, p)
        y : array_like, shape (n,) or (n, k)
        sample_weight : array_like, shape (n,), optional
            How many times each row counts.

        Examples
        --------
        >>> X, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
        >>> QuantizedLinear.from_linear(LinearRegression().fit(X, y), X).score(X, y)
        1.0
        """
        return r2_score(as_targets(self, y), self.predict(X), sample_weight)

    @by_rows
    def quantize_input(self, X: ArrayLike) -> NDArray[np.uint8]:
        """Return rows X (n, p) as uint8, saturated to the calibrated range; only in the scheme "integer"."""
        steps = self._rules.input_steps(self, X)
        return np.clip(steps, 0, 255, out=steps).astype(np.uint8)

    @by_rows
    def saturated(self, X: ArrayLike) -> NDArray[np.bool_]:
        """Return which rows of X (n, p) lie outside the calibrated range; shape (n,), only in the scheme "integer"."""
        steps = self._rules.input_steps(self, X)
        return np.asarray(np.any((steps < 0) | (steps > 255), axis=1))

    @by_rows
    def predict_quantized(self, Xq: ArrayLike) -> Floats:
        """Return predictions for rows of uint8, shape (n, p), by integer arithmetic and one last multiplication.

        Equal for every input to ``scale * (Xq.astype(int64) @ (weights − zero_point).T + bias)``.
        """
        if type(Xq) is not np.ndarray:  # a prediction of one row takes 3 µs: each call counts
            if self.named:
                require_names(Xq, self.feature_names_in_, "Xq")
            Xq = as_numbers(Xq, "Xq")
        return self._rules.predict_quantized(self, Xq)

    @by_rows
    def error_bound(self, X: ArrayLike) -> Floats:
        """Return a bound on |quantized − float| for each prediction of rows X (n, p), in target units.

        Returns
        -------
        ndarray of float64, shape (n,) or (n, k)
            Infinite where float64 overflows.

        Notes
        -----
        With Δ the error of the weights, the deviation of a row x is Δ·(x − center) plus the deviation at the center: at
        most ``radius · Σ scale_j · |x_j − center_j| + slack``; in "float32" a weight's size is its scale. In "integer"
        x is the quantized row, and the change by rounding and saturation is added. Rounding of float64 is covered.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            bound = self._rules.bound(self, finite_rows(self, X))
        return np.where(np.isnan(bound), np.inf, bound)

    def _facts(self) -> list[str]:
        from ..checks.display import columns

        names = columns(self.feature_names_in_, self.target_names_)
        return [self.scheme, f"{self.bits} bits", names, counted(self.payload_bytes, "byte")]

    def _table(self) -> tuple[list[str], dict[str, list[Any]]]:
        from .display import notebook_table  # imported here because predict must start fast

        return notebook_table(self)


def is_quantized(model: Any) -> TypeGuard[QuantizedLinear]:
    """Whether a model is a QuantizedLinear; for type checkers, where its own attributes are used."""
    return isinstance(model, QuantizedLinear)


def as_model(model: Model | FittedLinear, expected: str) -> LinearRegression | QuantizedLinear:
    """Return a model of this package as it is, and a fitted linear model of another library as a LinearRegression.

    Raises HousingError for anything else, with what was ``expected``.
    """
    return model if is_quantized(model) else LinearRegression.of(model, expected)
