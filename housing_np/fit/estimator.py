"""scikit-learn's protocol of an estimator, without importing scikit-learn."""

import inspect
import sys
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..errors import HousingError, quoted


class Names(np.ndarray[Any, np.dtype[np.object_]]):
    """Names as scikit-learn has them, an array of objects, that equal a tuple of the same names as tuples do."""

    @classmethod
    def of(cls, names: Sequence[str]) -> Self:
        """Return an array of these names."""
        return np.array([*names, None], dtype=object)[:-1].view(cls)

    def __eq__(self, other: object) -> Any:
        return tuple(self) == other if isinstance(other, tuple) else super().__eq__(other)

    def __ne__(self, other: object) -> Any:
        return tuple(self) != other if isinstance(other, tuple) else super().__ne__(other)

    __hash__ = None


class Estimator:
    """What scikit-learn's tools ask of a regressor: its parameters, its tags, and whether it is fitted."""

    feature_names_in_: npt.NDArray[np.object_]
    _names: tuple[str, ...]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the features as a tuple; x0, x1, … where none were given."""
        return tuple(getattr(self, "feature_names_in_", self._names))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name."""
        return {name: getattr(self, name) for name in _parameters(type(self))}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name.

        Raises
        ------
        HousingError
            For a name that is none of them.
        """
        known = _parameters(type(self))
        for name, value in params.items():
            if name not in known:
                raise HousingError(
                    f"Invalid parameter {quoted(name)} for estimator {quoted(self)}. Valid parameters are: {[*known]}"
                )
            setattr(self, name, value)
        return self

    def require_fitted(self) -> None:
        """Refuse a model that has no coefficients yet; with scikit-learn's error, where that is loaded."""
        if not hasattr(self, "coef_"):
            message = f"this {type(self).__name__} has no coefficients yet: call fit first"
            raise _unfitted_error()(message)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "coef_")

    def __sklearn_tags__(self) -> Any:
        # Only scikit-learn calls this, so that it is there.
        from sklearn.utils import InputTags, RegressorTags, Tags, TargetTags

        return Tags(
            estimator_type="regressor",
            target_tags=TargetTags(required=True, multi_output=True),
            regressor_tags=RegressorTags(),
            input_tags=InputTags(),
        )

    def __repr__(self) -> str:
        defaults = _parameters(type(self))
        changed = [f"{name}={value!r}" for name, value in self.get_params().items() if value is not defaults[name]]
        return f"{type(self).__name__}({', '.join(changed)})"


def _parameters(kind: type) -> dict[str, Any]:
    """Return the parameters of a class of estimators, with their defaults."""
    signature = inspect.signature(kind)
    return {name: parameter.default for name, parameter in signature.parameters.items()}


def _unfitted_error() -> type[HousingError]:
    theirs = getattr(sys.modules.get("sklearn.exceptions"), "NotFittedError", None)
    if theirs is None:
        return HousingError
    error: type[HousingError] = type(
        "NotFittedError", (HousingError, theirs), {"__reduce__": lambda self: (HousingError, self.args)}
    )
    return error
