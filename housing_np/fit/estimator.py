"""scikit-learn's protocol of an estimator, without importing scikit-learn."""

import inspect
import sys
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..errors import HousingError, quoted

_UNCHANGED = "$UNCHANGED$"  # scikit-learn's mark


class Names(np.ndarray[Any, np.dtype[np.object_]]):
    """An array of names as scikit-learn has it, which also compares equal to a tuple of the same names."""

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
    """The methods that scikit-learn's tools call on a regressor: parameters, tags, and whether it is fitted."""

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
            For a name that is not a parameter.
        """
        known = _parameters(type(self))
        for name, value in params.items():
            if name not in known:
                raise HousingError(
                    f"Invalid parameter {quoted(name)} for estimator {quoted(self)}. Valid parameters are: {[*known]}"
                )
            setattr(self, name, value)
        return self

    def unfitted(self) -> Self:
        """Return a model with the same parameters that is not fitted."""
        return type(self)(**self.get_params())

    def require_fitted(self) -> None:
        """Raise HousingError for a model without coefficients; scikit-learn's NotFittedError too, if that is loaded."""
        if not hasattr(self, "coef_"):
            message = f"this {type(self).__name__} has no coefficients yet: call fit first"
            raise _unfitted_error()(message)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "coef_")

    def __sklearn_tags__(self) -> Any:
        # Only scikit-learn calls this, so it can be imported.
        from sklearn.utils import InputTags, RegressorTags, Tags, TargetTags

        return Tags(
            estimator_type="regressor",
            target_tags=TargetTags(required=True, multi_output=True),
            regressor_tags=RegressorTags(),
            input_tags=InputTags(sparse=True),
        )

    def get_metadata_routing(self) -> Any:
        """Return which methods request weights of scikit-learn's tools, where its metadata routing is enabled."""
        from sklearn.utils.metadata_routing import MetadataRequest  # only scikit-learn and its users call this

        if hasattr(self, "_metadata_request"):
            return self._metadata_request
        requests = MetadataRequest(owner=type(self).__name__)
        for method in (requests.fit, requests.score):
            method.add_request(param="sample_weight", alias=None)
        return requests

    def set_fit_request(self, *, sample_weight: bool | str | None = _UNCHANGED) -> Self:
        """Request weights of scikit-learn's tools for `fit`: True, False, None to be asked, or the name they have."""
        return self._set_request("fit", sample_weight)

    def set_score_request(self, *, sample_weight: bool | str | None = _UNCHANGED) -> Self:
        """Request weights for `score`, as `set_fit_request` does."""
        return self._set_request("score", sample_weight)

    def _set_request(self, method: str, alias: bool | str | None) -> Self:
        from sklearn import get_config

        if not get_config()["enable_metadata_routing"]:
            how = "sklearn.set_config(enable_metadata_routing=True)"
            raise HousingError(f"set_{method}_request is for metadata routing; enable it: {how}")
        requests = deepcopy(self.get_metadata_routing())
        if alias != _UNCHANGED:
            getattr(requests, method).add_request(param="sample_weight", alias=alias)
        self._metadata_request = requests  # by this name scikit-learn clones it
        return self

    def __repr__(self) -> str:
        defaults = _parameters(type(self))
        shown = {name: repr(value) for name, value in self.get_params().items()}
        changed = [f"{name}={value}" for name, value in shown.items() if value != repr(defaults[name])]
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
