"""The usual ways to fit the weights of a linear model into few bytes, and why each of them fails."""

from collections.abc import Callable
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np

from ..fit.linear import LinearRegression


class Naive(NamedTuple):
    """The weights of a usual cast, the numbers that it stores, and why it fails."""

    coef: np.ndarray  # (p,), what the stored numbers stand for
    stored: dict[str, np.ndarray]
    why: str

    @property
    def payload_bytes(self) -> int:
        """Bytes of the numbers."""
        return sum(array.nbytes for array in self.stored.values())

    @property
    def file_bytes(self) -> int:
        """Bytes of a deflated .npz of the numbers."""
        file = BytesIO()
        np.savez_compressed(file, **self.stored)  # type: ignore[arg-type]
        return len(file.getvalue())


def _min_max(rounded: bool) -> Callable[[np.ndarray], Naive]:
    def cast(coef: np.ndarray) -> Naive:
        low = coef.min()
        scale = (coef.max() - low) / 255 or 1.0
        steps = (coef - low) / scale
        q = (np.rint(steps) if rounded else steps).astype(np.uint8)
        why = "one step for all weights, however small, and 0 need not be one of the 256 values"
        stored = {"q": q, "scale": np.array(scale), "low": low}
        return Naive(q * scale + low, stored, why if rounded else f"{why}; always down")

    return cast


def _cast(coef: np.ndarray) -> Naive:
    q = (coef * 100).astype(np.int64).astype(np.uint8)
    return Naive(q / 100, {"q": q}, "what is below 0 or above 2.55 wraps around")


def _around_128(coef: np.ndarray, scale: np.ndarray, why: str) -> Naive:
    q = (np.rint(coef / scale) + 128).astype(np.uint8)
    return Naive((q - 128.0) * scale, {"q": q, "scale": scale}, why)


def _symmetric(coef: np.ndarray) -> Naive:
    scale = np.array(np.abs(coef).max() / 127 or 1.0)
    return _around_128(coef, scale, "0 is exact, but the intercept is left as it was")


def _scale_each(coef: np.ndarray) -> Naive:
    scale = np.where(coef == 0, 1.0, np.abs(coef) / 127).astype(np.float32)
    return _around_128(coef, scale, "pointless: the scale itself stores the weight, in four bytes more")


def _narrow(dtype: type[np.floating[Any]], why: str) -> Callable[[np.ndarray], Naive]:
    def cast(coef: np.ndarray) -> Naive:
        with np.errstate(over="ignore"):
            small = coef.astype(dtype)
        return Naive(small.astype(np.float64), {"coef": small}, why)

    return cast


_CASTS: dict[str, Callable[[np.ndarray], Naive]] = {
    "min-max, truncated": _min_max(rounded=False),
    "min-max, rounded": _min_max(rounded=True),
    "cast of 100·w": _cast,
    "symmetric, zero point 128": _symmetric,
    "one scale per coefficient": _scale_each,
    "float16": _narrow(np.float16, "not uint8; nothing below 6e-8 or above 65504 survives"),
    "float32": _narrow(np.float32, "not uint8: four bytes a weight"),
}


def naive_models(model: LinearRegression) -> dict[str, tuple[LinearRegression, Naive]]:
    """Return the model that each usual cast makes from a float model of one target, and what it stores, by name.

    >>> model = LinearRegression.from_coefficients([0.5, -0.25], 1.0, ["rooms", "age"], ["price"])
    >>> naive_models(model)["cast of 100·w"][0].coef_
    array([0.5 , 2.31])
    """
    found = {}
    for name, cast in _CASTS.items():
        with np.errstate(all="ignore"):  # overflow is among the errors that the comparison measures
            naive = cast(model.coef_)
        naive.stored["intercept"] = np.array(model.intercept_)
        rounded = LinearRegression.from_coefficients(
            naive.coef, model.intercept_, model.feature_names, model.target_names_
        )
        found[name] = rounded, naive
    return found
