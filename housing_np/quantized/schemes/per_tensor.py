"""The scheme "per-tensor": one scale and one zero point for all weights."""

from .scheme import Field, QuantizationScheme, fields_of


class PerTensor(QuantizationScheme):
    """Weights in the units of the raw features; the base class with an intercept, and without a center."""

    name = "per-tensor"
    fields = fields_of("model", intercept=Field("<f8", "target"))
