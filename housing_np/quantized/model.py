"""A linear model in uint8: from a float model, integer inference, and a bound on what the rounding can do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Literal, NamedTuple, Self, cast, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks.arrays import Floats, as_numbers, as_rows, read_only, refuse_inexact, refuse_nonfinite, require_names
from ..checks.names import as_names, require_apart, require_option
from ..errors import HousingError, counted, listed, quoted
from ..fit.linear import LinearRegression, dot_rows, refuse_nonfinite_rows
from ..rows.threads import parallel_map, thread_count
from .affine import Affine, as_bits, scale_and_zero_point
from .calibration import Calibration

Scheme = Literal["per-tensor", "per-channel", "integer"]
Rounding = Literal["nearest", "optimal"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
ROUNDINGS: tuple[Rounding, ...] = get_args(Rounding)

_UNIT_ROUNDOFF = 2.0**-53
# Numbers in a block: they stay in the cache, and are too few for OpenBLAS to share a product of one target out to
# threads, which gains little and stalls on a busy machine.
_BLOCK_SIZE = 1 << 17
_STRETCH_SIZE = 1 << 21  # numbers that a thread is worth
_INT32_MAX = 2**31 - 1
_FLOAT32_MAX = float(np.finfo(np.float32).max)


class Field(NamedTuple):
    """Numbers that a model stores: their little-endian type, and what there is one of them for."""

    type: str
    per: Literal["model", "target", "feature", "weight"]

    def shape(self, weights: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape in a model whose weights have the shape (p,) or (k, p)."""
        return {"model": (), "target": weights[:-1], "feature": weights[-1:], "weight": weights}[self.per]


def _fields(scales: Literal["model", "feature"], **others: Field) -> dict[str, Field]:
    return {
        "bits": Field("u1", "model"),
        "weights": Field("u1", "weight"),
        "scale": Field("<f4", scales),
        "zero_point": Field("u1", scales),
        "radius": Field("<f4", "model"),
        "slack": Field("<f4", "target"),
        **others,
    }


# What a model of each scheme is made of, in the order in which a file holds it.
FIELDS: dict[str, dict[str, Field]] = {
    "per-tensor": _fields("model", intercept=Field("<f8", "target")),
    "per-channel": _fields("feature", intercept=Field("<f8", "target"), center=Field("<f4", "feature")),
    "integer": _fields(
        "model",
        bias=Field("<i4", "target"),
        center=Field("u1", "feature"),
        input_scale=Field("<f4", "feature"),
        input_offset=Field("<f8", "feature"),
    ),
}

# What a model holds beside its weights, in the types of its file; of "integer", the bias may come as float64.
_HELD: dict[str, dict[str, Field]] = {
    scheme: {
        name: field
        for name, field in stored.items()
        if name not in ("bits", "weights", "scale", "zero_point", "intercept")
    }
    | {"bias": Field("<f8", "target"), "center": stored.get("center", Field("<f4", "feature"))}
    for scheme, stored in FIELDS.items()
}


@dataclass(frozen=True, eq=False)
class QuantizedLinear:
    """A linear model whose weights are uint8, and in the scheme "integer" its inputs too.

    Attributes
    ----------
    scheme : {"per-tensor", "per-channel", "integer"}
        One scale for all weights, in the units of the raw features; one scale per feature, such that the rounding of
        each weighs the same in a prediction; or one scale for weights that take inputs in uint8.
    weights : ndarray of uint8, shape (p,) or (k, p)
    affine : Affine
        What the weights stand for; along the last axis for "per-channel".
    bias : ndarray, shape () or (k,)
        What is added to the weighted sum: for "integer" int32, in steps of `affine.scale`; else float64, in target
        units. Refitted to the rounded weights, so that the mean prediction stays.
    center : ndarray, shape (p,)
        Where the deviation from the float model is at most `slack`: near the mean of the calibration rows.
        Zeros for "per-tensor", which has no bytes for it; uint8 in the units of the quantized inputs for "integer".
    radius : float
        No weight is further than `radius` times its scale from the float weight.
    slack : ndarray of float32, shape () or (k,)
    feature_names_in_, target_names_ : tuple of str
    input_scale, input_offset : ndarray of float32 and float64, shape (p,), optional
        Only for "integer": x ≈ input_offset + input_scale · uint8.
    proven : bool, optional
        After optimal rounding: whether these integers are proven to be the best for their scale and zero point.
        Not saved.
    named : bool
        Whether frames have to have the features' names; not where these are x0, x1, … for want of names. A file's have.

    Raises
    ------
    HousingError
        If the int32 sum of the scheme "integer" could overflow, or a number is out of its range.

    Notes
    -----
    The arrays are copies that cannot be written to.
    """

    scheme: Scheme
    weights: NDArray[np.uint8]
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

    def __post_init__(self) -> None:
        require_option(self.scheme, SCHEMES, "scheme")
        for name, kind in (("affine", Affine), ("named", bool)):
            if not isinstance(value := getattr(self, name), kind):
                raise HousingError(f"{name} is {quoted(value)}: expected {kind.__name__}")
        self._hold_weights()
        self._hold_names()
        for name, field in _HELD[self.scheme].items():
            self._hold(name, field)
        if self.radius < 0 or np.any(self.slack < 0):
            raise HousingError("radius and slack must not be negative")
        if self.scheme == "integer":
            self._hold_integers()
        elif self.input_scale is not None or self.input_offset is not None:
            raise HousingError(f"input_scale and input_offset are for the scheme 'integer', not {self.scheme!r}")
        if self.scheme == "per-tensor" and np.any(self.center):
            raise HousingError("center must be 0 in the scheme 'per-tensor'")

    def __reduce__(self) -> tuple[Any, ...]:
        # Made anew: numpy's own copies and pickles of arrays can be written to, and what is cached would not follow.
        return type(self), tuple(getattr(self, field.name) for field in fields(self))

    def _hold(self, name: str, field: Field) -> None:
        stored = _stored(getattr(self, name), name, field, self.weights.shape)
        object.__setattr__(self, name, stored if stored.ndim or field.per != "model" else stored[()])

    def _hold_weights(self) -> None:
        weights = as_numbers(self.weights, "weights")
        self.affine.dequantize(weights)  # refuses weights of more bits
        if weights.ndim not in (1, 2) or not weights.size:
            raise HousingError(f"weights have shape {weights.shape}: expected (features,) or (targets, features)")
        object.__setattr__(self, "weights", read_only(weights.astype(np.uint8)))
        per, axis = FIELDS[self.scheme]["scale"].per, self.affine.axis
        if axis not in ((None,) if per == "model" else (-1, weights.ndim - 1)):
            raise HousingError(f"affine has axis {axis}: the scheme {self.scheme!r} has one scale for each {per}")

    def _hold_names(self) -> None:
        counts = {"feature_names_in_": self.weights.shape[-1], "target_names_": self.weights[..., 0].size}
        for name, count in counts.items():
            names = as_names(getattr(self, name), name)
            if len(names) != count:
                raise HousingError(f"{name} has {counted(len(names), 'name')}, expected {count}: {listed(names)}")
            object.__setattr__(self, name, names)
        require_apart(self.feature_names_in_, self.target_names_)

    def _hold_integers(self) -> None:
        if np.any(self._inputs()[0] <= 0):
            raise HousingError("input_scale must be positive")
        if self._largest_sum > _INT32_MAX:
            raise HousingError(
                f"the int32 sum of the scheme 'integer' could reach {self._largest_sum:.12g}: "
                "use the scheme 'per-channel', or features and targets centred on 0"
            )
        self._hold("bias", FIELDS["integer"]["bias"])

    def __repr__(self) -> str:
        from ..checks.display import in_brackets  # here, not above: predict must not pay for it

        return in_brackets(self, self._facts())

    def _repr_html_(self) -> str:
        """Return a table for notebooks: with the bias in target units, and scales per unit of the raw features."""
        from ..checks.display import html_table, titled

        p, targets = self.weights.shape[-1], self.target_names_
        with np.errstate(over="ignore"):
            scale = self.affine.scale / (1.0 if self.input_scale is None else self.input_scale)
        columns: dict[str, list[Any]] = {
            "scale": ["", *np.broadcast_to(scale, p)],
            "zero point": ["", *np.broadcast_to(self.affine.zero_point, p)],
        }
        intercepts, weights, coef = (
            np.atleast_1d(self.intercept),
            np.atleast_2d(self.weights),
            np.atleast_2d(self.coef_),
        )
        for i, target in enumerate(targets):
            of = f"{target}: " if len(targets) > 1 else ""
            columns |= {f"{of}uint8": ["", *weights[i]], f"{of}weight": [intercepts[i], *coef[i]]}
        return html_table(titled(self, self._facts()), ["intercept", *self.feature_names_in_], columns)

    def _facts(self) -> list[str]:
        from ..checks.display import columns

        names = columns(self.feature_names_in_, self.target_names_)
        return [self.scheme, f"{self.affine.bits} bits", names, counted(self.payload_bytes, "byte")]

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
            Rows like those that the model will be used on: what a rounding error costs depends on them.
        scheme : {"per-channel", "per-tensor", "integer"}
        bits : int
            2 to 8.
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
        require_option(scheme, SCHEMES, "scheme")
        require_option(rounding, ROUNDINGS, "rounding")
        bits, model = as_bits(bits), _finite(model)
        rows = X if isinstance(X, Calibration) else Calibration.of(_finite_rows(X, model.feature_names, model._named))
        if model._named and rows.names not in (None, model.feature_names):
            raise HousingError(
                f"the calibration is of rows with the columns {listed(rows.names or ())}: the model has "
                f"{listed(model.feature_names)}"
            )
        if len(rows.mean) != model.n_features_in_:
            raise HousingError(
                f"the calibration has {counted(len(rows.mean), 'feature')}, the model {model.n_features_in_}"
            )
        with np.errstate(all="ignore"):  # what comes of numbers that are too large or too small, the model refuses
            return cls._rounded(model, rows, scheme, bits, rounding)

    @classmethod
    def _rounded(
        cls, model: LinearRegression, rows: Calibration, scheme: Scheme, bits: int, rounding: Rounding
    ) -> Self:
        exact = _Exact.of_inputs(model, rows) if scheme == "integer" else _Exact.of_features(model, rows)
        deviation = rows.deviation if scheme == "per-channel" else None
        _require_squares(exact, deviation, model.feature_names)
        affine, weights, proven = _ROUND[rounding](exact, deviation, bits)
        error = _values(affine, weights, scheme) - exact.coef
        bias = exact.intercept - error @ exact.mean
        if scheme == "integer":
            bias = np.rint(bias / affine.scale)
        center = _center(scheme, exact.mean)
        return cls(
            scheme=scheme,
            weights=weights,
            affine=affine,
            bias=np.asarray(bias),
            center=center,
            radius=_radius(error, affine),
            slack=_slack(exact, error, _intercept(affine, bias, scheme), center),
            feature_names_in_=model.feature_names,
            target_names_=model.target_names_,
            input_scale=exact.input_scale,
            input_offset=exact.input_offset,
            proven=proven,
            named=model._named,
        )

    @classmethod
    def from_numbers(
        cls,
        scheme: Scheme,
        numbers: Mapping[str, np.ndarray],
        feature_names: tuple[str, ...],
        target_names: tuple[str, ...],
    ) -> Self:
        """Return the model of which these are the `numbers`, as they come from a file."""
        require_option(scheme, SCHEMES, "scheme")
        if lacking := [name for name in FIELDS[scheme] if name not in numbers]:
            raise HousingError(f"the numbers lack {listed(lacking)}")
        axis = -1 if scheme == "per-channel" else None
        return cls(
            scheme=scheme,
            weights=numbers["weights"],
            affine=Affine(numbers["scale"], numbers["zero_point"], axis, as_bits(numbers["bits"])),
            bias=numbers["bias" if scheme == "integer" else "intercept"],
            center=numbers.get("center", np.zeros(len(feature_names), np.float32)),
            radius=cast(np.float32, numbers["radius"]),
            slack=numbers["slack"],
            feature_names_in_=feature_names,
            target_names_=target_names,
            input_scale=numbers.get("input_scale"),
            input_offset=numbers.get("input_offset"),
        )

    def numbers(self) -> dict[str, np.ndarray]:
        """Return the numbers that the model is made of, by name, as an artifact stores them."""
        known = vars(self.affine) | vars(self) | {"intercept": self.intercept}
        return {name: np.asarray(known[name], field.type) for name, field in FIELDS[self.scheme].items()}

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the features, as a float model has them too."""
        return self.feature_names_in_

    @property
    def payload_bytes(self) -> int:
        """Bytes of the numbers that the model is made of, names and container left out."""
        return sum(array.nbytes for array in self.numbers().values())

    @property
    def intercept(self) -> Floats:
        """The bias in target units; shape () or (k,)."""
        return _intercept(self.affine, self.bias, self.scheme)

    @cached_property
    def _folded(self) -> Floats:
        """What the weights stand for: per unit of the features, or of the quantized inputs in the scheme "integer"."""
        return read_only(_values(self.affine, self.weights, self.scheme))

    @cached_property
    def _offset(self) -> Any:
        """The bias of one target as Python's float, which is added faster than numpy's; that of several as it is."""
        return self.bias if self.bias.ndim else float(self.bias)

    @property
    def coef_(self) -> Floats:
        """What the weights stand for, per unit of the raw features; shape (p,) or (k, p)."""
        with np.errstate(over="ignore"):
            return self._folded if self.input_scale is None else self._folded / self.input_scale

    @cached_property
    def _steps(self) -> Floats:
        return self.weights.astype(np.float64) - self.affine.zero_point

    @property
    def _largest_sum(self) -> float:
        return float(np.max(255 * np.abs(self._steps).sum(axis=-1) + np.abs(self.bias.astype(np.float64))))

    def predict(self, X: ArrayLike) -> Floats:
        """Return predictions for rows X (n, p), in target units; shape (n,) or (n, k)."""
        if self.scheme == "integer":
            return self.predict_quantized(self.quantize_input(X))
        rows = as_rows(X, self.feature_names_in_, named=self.named)
        predictions = dot_rows(rows, self._folded, self._offset)
        refuse_nonfinite_rows(predictions, rows, self.feature_names_in_)
        return predictions

    def quantize_input(self, X: ArrayLike) -> NDArray[np.uint8]:
        """Return rows X (n, p) as uint8, saturated to the calibrated range; only in the scheme "integer"."""
        steps = self._input_steps(X)
        return np.clip(steps, 0, 255, out=steps).astype(np.uint8)

    def saturated(self, X: ArrayLike) -> NDArray[np.bool_]:
        """Return which rows of X (n, p) lie outside the calibrated range; shape (n,), only in the scheme "integer"."""
        steps = self._input_steps(X)
        return np.asarray(np.any((steps < 0) | (steps > 255), axis=1))

    def _input_steps(self, X: ArrayLike) -> Floats:
        scale, offset = self._inputs()
        # In place: new memory for each step would cost more than its arithmetic.
        with np.errstate(over="ignore"):
            steps = _finite_rows(X, self.feature_names_in_, self.named) - offset
            steps /= scale
        return np.rint(steps, out=steps)

    def _inputs(self) -> tuple[NDArray[np.float32], Floats]:
        if self.input_scale is None or self.input_offset is None:
            raise HousingError(f"the scheme {self.scheme!r} takes inputs in float: only 'integer' quantizes them")
        return self.input_scale, self.input_offset

    def predict_quantized(self, Xq: ArrayLike) -> Floats:
        """Return predictions for rows of uint8, shape (n, p), by integer arithmetic and one last multiplication.

        Equal for every input to ``scale * (Xq.astype(int64) @ (weights − zero_point).T + bias)``.
        """
        if type(Xq) is not np.ndarray:  # a row of it takes 3 µs: not one call is spare
            if self.named:
                require_names(Xq, self.feature_names_in_, "Xq")
            Xq = as_numbers(Xq, "Xq")
        if self.scheme != "integer" or Xq.dtype != np.uint8 or Xq.ndim != 2 or Xq.shape[1] != self.weights.shape[-1]:
            raise HousingError(
                f"Xq has shape {Xq.shape} of {Xq.dtype} in the scheme {self.scheme!r}: expected the scheme 'integer' "
                f"and uint8 rows of {self.weights.shape[-1]}, as quantize_input gives them"
            )
        out = np.empty((len(Xq), *self.bias.shape))
        if Xq.size <= _BLOCK_SIZE:
            steps, bias, scale = self._kernel
            np.multiply(np.dot(Xq.astype(steps.dtype), steps) + bias, scale, out=out, dtype=np.float64)
            return out
        rows = max(1, _STRETCH_SIZE // Xq.shape[1])
        parts = [slice(start, start + rows) for start in range(0, len(Xq), rows)]
        threads = thread_count(Xq.size, per_thread=_STRETCH_SIZE)
        parallel_map(lambda part: self._fill(out[part], Xq[part]), parts, threads)
        return out

    def _fill(self, out: Floats, Xq: NDArray[np.uint8]) -> None:
        """Write the predictions of many rows, block by block, through memory that stays in the cache."""
        steps, bias, scale = self._kernel
        rows = max(1, _BLOCK_SIZE // Xq.shape[1])
        inputs, sums = np.empty((rows, Xq.shape[1]), steps.dtype), np.empty((rows, *bias.shape), steps.dtype)
        for start in range(0, len(Xq), rows):
            part = out[start : start + rows]
            block, sum = inputs[: len(part)], sums[: len(part)]
            block[...] = Xq[start : start + rows]
            np.dot(block, steps, out=sum)
            sum += bias
            # Only the last multiplication needs float64.
            np.multiply(sum, scale, out=part, dtype=np.float64)

    @cached_property
    def _kernel(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Steps (p,) or (p, k), bias and scale, in the float type that is exact for every sum, and so is fast."""
        # Whole numbers are exact up to 2**24 in float32, and up to 2**53 in float64.
        dtype = np.float32 if self._largest_sum < 2**24 else np.float64
        return self._steps.T.astype(dtype), self.bias.astype(dtype), float(self.affine.scale)

    def error_bound(self, X: ArrayLike) -> Floats:
        """Return a bound on |quantized − float| for each prediction of rows X (n, p), in target units.

        Returns
        -------
        ndarray of float64, shape (n,) or (n, k)

        Notes
        -----
        With Δ the error of the weights, the deviation of a row x is Δ·(x − center) plus the deviation at the center:
        at most ``radius · Σ scale_j · |x_j − center_j| + slack``. In the scheme "integer" x is the quantized row, and
        what its rounding and saturation change is added. The rounding of float64 in both models is covered.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            bound = self._bound(_finite_rows(X, self.feature_names_in_, self.named))
        # Beyond float64 nothing is known.
        return np.where(np.isnan(bound), np.inf, bound)

    def _bound(self, X: Floats) -> Floats:
        reach = np.broadcast_to(float(self.radius) * self.affine.scale.astype(np.float64), self.weights.shape)
        center = self.center.astype(np.float64)
        magnitude = np.abs(self._folded) + reach
        known: np.ndarray = np.zeros((len(X), *self.intercept.shape))
        inputs = X
        if self.scheme == "integer":
            scale, offset = self._inputs()
            inputs = self.quantize_input(X).astype(np.float64)
            # In steps: what the quantized inputs leave out, by rounding and by saturation.
            left_out = (X - offset) / scale - inputs
            known = np.abs(left_out @ self._folded.T) + np.abs(left_out) @ reach.T
            lost = (np.abs(X / scale) + 2 * np.abs(offset / scale) + 510) @ magnitude.T
        else:
            lost = (np.abs(X) + np.abs(center)) @ magnitude.T
        bound = np.abs(inputs - center) @ reach.T + known + self.slack
        lost += np.abs(self.intercept) + self.slack
        return np.asarray((bound + rounding_error(X.shape[1]) * lost) * (1 + rounding_error(X.shape[1])))


Model = LinearRegression | QuantizedLinear


def _stored(values: Any, name: str, field: Field, weights: tuple[int, ...]) -> NDArray[Any]:
    """Return a copy in the type of a file that cannot be written to; refuse what that does not hold exactly."""
    array, kind, shape = as_numbers(values, name), np.dtype(field.type).newbyteorder("="), field.shape(weights)
    if array.shape != shape:
        raise HousingError(f"{name} has shape {array.shape}: expected {shape}")
    # Of a bound, infinity says that nothing is known.
    if not (np.isfinite(array).all() or (name in ("radius", "slack") and not np.isnan(array).any())):
        raise HousingError(f"{name} holds a number that is not finite: rescale the features or targets")
    refuse_inexact(array, name)
    with np.errstate(over="ignore", invalid="ignore"):
        stored = array.astype(kind)
    if not np.array_equal(stored, array):
        raise HousingError(f"{name} holds a number that {kind} does not: give it as {kind}")
    return read_only(stored)


def _finite_rows(X: ArrayLike, feature_names: tuple[str, ...], named: bool) -> Floats:
    rows = as_rows(X, feature_names, named=named)
    refuse_nonfinite(rows, "X", feature_names)
    return rows


class _Exact(NamedTuple):
    """A float model and its rows, in the units of what the weights multiply.

    These are the features, or in the scheme "integer" the quantized inputs: x = input_offset + input_scale · input.

    Attributes
    ----------
    coef : ndarray, shape (p,) or (k, p)
    intercept : ndarray, shape () or (k,)
    mean : ndarray, shape (p,)
    covariance : ndarray, shape (p, p)
    input_scale, input_offset : ndarray, shape (p,), optional
    """

    coef: Floats
    intercept: Floats
    mean: Floats
    covariance: Floats
    input_scale: NDArray[np.float32] | None = None
    input_offset: Floats | None = None

    @classmethod
    def of_features(cls, model: LinearRegression, rows: Calibration) -> "_Exact":
        return cls(model.coef_, np.asarray(model.intercept_), rows.mean, rows.covariance)

    @classmethod
    def of_inputs(cls, model: LinearRegression, rows: Calibration) -> "_Exact":
        scale, offset = _input_scale(rows), rows.low
        unit = scale.astype(np.float64)
        return cls(
            model.coef_ * unit,
            np.asarray(model.intercept_) + model.coef_ @ offset,
            (rows.mean - offset) / unit,
            rows.covariance / np.outer(unit, unit),
            scale,
            offset,
        )

    def ends(self) -> tuple[Floats, Floats]:
        """Return the least and the largest weight of each feature over all targets, 0 among them; shape (p,) each."""
        coef = np.atleast_2d(self.coef)
        return np.minimum(coef, 0.0).min(axis=0), np.maximum(coef, 0.0).max(axis=0)


def _require_squares(exact: _Exact, deviation: Floats | None, names: Sequence[str]) -> None:
    """Refuse a feature whose deviation is needed and beyond float64, and weights that are in steps of it."""
    if deviation is not None and not np.isfinite(deviation).all():
        name = names[int(np.argmin(np.isfinite(deviation)))]
        raise HousingError(f"column {quoted(name)} is too large to square in float64: rescale it")
    if not np.isfinite(exact.coef).all():
        raise HousingError("a weight times the step of its feature is beyond float64: rescale the features")


_Rounded = tuple[Affine, NDArray[np.uint8], bool | None]


def _nearest(exact: _Exact, deviation: Floats | None, bits: int) -> _Rounded:
    """Round each weight to the nearest integer: per channel, where the features' deviations are given."""
    if deviation is None:
        affine = Affine.fit(exact.coef, bits=bits)
    else:
        ratio, span = _evenly_weighted(exact, deviation)
        scale, _ = scale_and_zero_point(np.zeros_like(ratio), span * ratio, bits)
        low, _ = exact.ends()
        affine = Affine(scale, np.rint(-low / scale).astype(np.uint8), -1, bits)
    return affine, affine.quantize(exact.coef), None


def _optimal(exact: _Exact, deviation: Floats | None, bits: int) -> _Rounded:
    """Round to the integers that `rounding.search` finds: per channel, where the features' deviations are given."""
    # Imported here: prediction must not pay for it.
    from .rounding import search

    if not np.isfinite(exact.covariance).all():
        raise HousingError("the features are too large or too small to square: rescale them")
    per_tensor = deviation is None
    ratio = np.ones_like(exact.mean) if deviation is None else _evenly_weighted(exact, deviation)[0]
    found = search(exact.coef, exact.covariance, ratio, bits, shared_zero_point=per_tensor)
    if per_tensor:
        affine = Affine(found.scale[0], found.zero_point[0], None, bits)
    else:
        affine = Affine(found.scale, found.zero_point, -1, bits)
    return affine, np.ascontiguousarray(found.q), found.proven


_ROUND: dict[Rounding, Callable[[_Exact, Floats | None, int], _Rounded]] = {"nearest": _nearest, "optimal": _optimal}


def _evenly_weighted(exact: _Exact, deviation: Floats) -> tuple[Floats, float]:
    """Return scales, up to a factor, inverse to each feature's deviation; and the factor that covers each weight."""
    low, high = exact.ends()
    width, varies = high - low, deviation > 0
    span = float(np.max(width * deviation)) or 1.0
    # The weight of a feature that never varies gets a scale of its own.
    ratio = np.where(varies, 1.0 / np.where(varies, deviation, 1.0), np.where(width > 0, width / span, 1.0))
    return ratio, span


def _values(affine: Affine, weights: NDArray[np.uint8], scheme: Scheme) -> Floats:
    """Return what the weights stand for: with integer sums, the exact multiple of the scale; else float32's."""
    if scheme != "integer":
        return affine.dequantize(weights).astype(np.float64)
    return (weights.astype(np.float64) - affine.zero_point) * affine.scale.astype(np.float64)


def _intercept(affine: Affine, bias: NDArray[Any], scheme: Scheme) -> Floats:
    return np.asarray(bias * affine.scale.astype(np.float64) if scheme == "integer" else bias)


def _center(scheme: Scheme, mean: Floats) -> NDArray[np.float32] | NDArray[np.uint8]:
    """Return the mean in the type that the scheme stores it in."""
    if scheme == "per-tensor":
        return np.zeros(len(mean), np.float32)
    if scheme == "per-channel":
        return np.clip(mean, -_FLOAT32_MAX, _FLOAT32_MAX).astype(np.float32)
    return np.clip(np.rint(mean), 0, 255).astype(np.uint8)


def _radius(error: Floats, affine: Affine) -> np.float32:
    return np.float32(_rounded_up(np.max(np.abs(error) / affine.scale) + 2.0**-40))


def _slack(exact: _Exact, error: Floats, intercept: Floats, center: np.ndarray) -> NDArray[np.float32]:
    """Return a bound on the deviation at the center, of weights with this error beside this intercept."""
    deviation = np.abs(error @ center + (intercept - exact.intercept))
    magnitude = (np.abs(exact.coef) + np.abs(error)) @ np.abs(center) + np.abs(intercept) + np.abs(exact.intercept)
    # What rounding in float64 can hide from the deviation, and from the radius.
    return _rounded_up(deviation + rounding_error(len(exact.mean)) * magnitude)


def _input_scale(rows: Calibration) -> NDArray[np.float32]:
    span = rows.high - rows.low
    with np.errstate(over="ignore"):
        scale = np.where(span > 0, np.maximum(span / 255, np.finfo(np.float32).smallest_normal), 1.0).astype(np.float32)
    if not np.isfinite(scale).all():
        raise HousingError(f"the range of a feature, {span.max():g}, is too wide for a float32 scale: rescale it")
    return scale


def _finite(estimator: Any) -> LinearRegression:
    model = LinearRegression.of(estimator, "a fitted LinearRegression to quantize")
    numbers = np.column_stack([np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)])
    for target, column in np.argwhere(~np.isfinite(numbers))[:1].tolist():
        what = [*(f"the weight of {quoted(name)}" for name in model.feature_names), "the intercept"][column]
        place = f"{what} for {quoted(model.target_names_[target])}"
        raise HousingError(f"{place} is {numbers[target, column]} in the float model: fit it again, or correct it")
    return model


def rounding_error(terms: int) -> float:
    """Return the relative error of a float64 sum of so many products, several times over (Higham 2002, section 3.1)."""
    return 8 * (terms + 4) * _UNIT_ROUNDOFF


def _rounded_up(x: ArrayLike) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return np.asarray(np.nextafter(np.asarray(x).astype(np.float32), np.float32(np.inf)))
