"""The schemes: how a linear model is stored in few bytes. A new scheme is a module in here and an entry below."""

from typing import Literal, get_args

from .float32 import Float32
from .integer import Integer
from .per_channel import PerChannel
from .per_tensor import PerTensor
from .scheme import Field, QuantizationScheme

Scheme = Literal["per-tensor", "per-channel", "integer", "float32"]
Rounding = Literal["nearest", "optimal"]
_ALL = (PerTensor(), PerChannel(), Integer(), Float32())

SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
ROUNDINGS: tuple[Rounding, ...] = get_args(Rounding)
BY_NAME: dict[str, QuantizationScheme] = {scheme.name: scheme for scheme in _ALL}
FIELDS: dict[str, dict[str, Field]] = {scheme.name: scheme.fields for scheme in _ALL}
INTEGERS: tuple[Scheme, ...] = tuple(name for name in SCHEMES if "bits" in FIELDS[name])  # what the weights are


def stage_of(scheme: Scheme) -> str:
    """Return what a training calls the model of a scheme: its file without the ending.

    >>> stage_of("integer"), stage_of("float32")
    ('uint8-integer', 'float32')
    """
    return f"uint8-{scheme}" if scheme in INTEGERS else scheme
