"""A model as an ONNX graph, for ONNX Runtime and whatever else reads the format."""

import json

import numpy as np
from numpy.typing import ArrayLike

from ..errors import HousingError, extra
from ..quantized.model import Model, QuantizedLinear, is_quantized
from ..rows.columns import Columns
from .facts import Facts
from .onnx_columns import inputs_of, with_columns
from .onnx_graph import DOUBLE, FLOAT, UINT8, Graph, Input, Node

# Converters of scikit-learn's models use the same names, so that servers and clients need no other configuration.
INPUT, OUTPUT = "X", "variable"
_FEATURES = "features"  # made of a user's columns, where these are the inputs
# The most products of two bytes whose sum fits int32, before zero points are subtracted.
_MOST_FEATURES = (2**31 - 1) // 255**2


def graph(model: Model, facts: Facts, *, float32: bool) -> bytes:
    """Return a model as the bytes of an ONNX file, the same for equal models; the facts are its metadata.

    The graph has the input "X" (batch, p) and the output "variable" (batch, k) in float64. A model with categories or
    fills has an input (batch, 1) for each column, by its name; that of a category takes text. The scheme "integer"
    answers as `predict` does, to the last bit. In the others the weights are equal, and an answer is within the
    rounding of a dot product. A row with NaN or infinity, or with text that is no level, all of which `predict`
    refuses, is answered with NaN or infinity. Raises HousingError without the package onnx, or for a model that the
    graph cannot hold exactly.

    Inputs in float32 are computed with in float64 even so: only their rounding changes an answer, by at most
    ``float32_deviation`` in the metadata, if the range of the features is known.

    Each scheme has the lowest opset that will do: 9 is the first whose constants need not be inputs too, 10 the first
    with DequantizeLinear, 13 with one of its scales a feature, 11 with Round. Clip would take 12, where ONNX Runtime's
    begins to take float64: Max and Min do as well.
    https://onnx.ai/onnx/operators/

    >>> from housing_np import LinearRegression
    >>> line = LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])
    >>> content = graph(line, Facts.of(line, "line"), float32=False)
    >>> import onnx.reference
    >>> onnx.reference.ReferenceEvaluator(onnx.load_from_string(content)).run(None, {"X": np.array([[10.0]])})
    [array([[21.]])]
    """
    with extra("onnx", "ONNX takes the package onnx"):
        from onnx import checker, helper, numpy_helper
    deviation = _float32_deviation(model, facts) if float32 else None
    inputs, made = _with_inputs(model, FLOAT if float32 else DOUBLE)
    opsets = [helper.make_opsetid(domain, version) for domain, version in made.opsets.items()]
    proto = helper.make_model(
        helper.make_graph(
            [helper.make_node(op, given, [to], domain=in_, **more) for op, given, to, more, in_ in made.nodes],
            facts.name.encode(errors="replace").decode() or "model",
            [helper.make_tensor_value_info(x.name, x.type, ["batch", x.width], x.description) for x in inputs],
            [helper.make_tensor_value_info(made.output, DOUBLE, ["batch", len(facts.targets)])],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in made.constants.items()],
        ),
        opset_imports=opsets,
        ir_version=helper.find_min_ir_version_for(opsets),
        producer_name="housing_np",
        doc_string=_description(facts, model.columns, made.output, float32, deviation is not None),
    )
    helper.set_model_props(proto, _metadata(facts, model.columns, deviation))
    checker.check_model(proto, full_check=True)
    content: bytes = proto.SerializeToString()
    return content


def _with_inputs(model: Model, number: int) -> tuple[list[Input], Graph]:
    """Return the inputs, whose numbers are of this type, and the graph of a model on them."""
    if not model.columns.is_plain:
        made = with_columns(_graph(model, _FEATURES), model.columns, number, _FEATURES)
        return inputs_of(model.columns, number), made
    made = _graph(model, INPUT) if number == DOUBLE else _in_float32(model)
    return [Input(INPUT, number, len(model.feature_names))], made


def _graph(model: Model, x: str) -> Graph:
    """Return the graph of a model on inputs x in float64."""
    if not is_quantized(model):
        constants = {"weights": np.atleast_2d(model.coef_), "bias": np.atleast_1d(model.intercept_)}
        return Graph(9, [_weighted_sum(x)], constants)
    if model.scheme == "float32":
        narrow = {"float32_weights": np.atleast_2d(model.weights), "bias": np.atleast_1d(model.intercept)}
        return Graph(9, [Node("Cast", ("float32_weights",), "weights", {"to": DOUBLE}), _weighted_sum(x)], narrow)
    return _integer(model, x) if model.scheme == "integer" else _dequantized(model, x)


def _in_float32(model: Model) -> Graph:
    made = _graph(model, "wide")
    return made._replace(nodes=[Node("Cast", (INPUT,), "wide", {"to": DOUBLE}), *made.nodes])


def _weighted_sum(x: str) -> Node:
    return Node("Gemm", (x, "weights", "bias"), OUTPUT, {"transB": 1})


def _dequantized(model: QuantizedLinear, x: str) -> Graph:
    affine, per_feature = model.affine, model.affine.axis is not None
    if np.any(np.abs(affine.dequantize(model.weights)) == np.finfo(np.float32).max):
        raise HousingError("a weight ends where float32 does, and ONNX makes it infinity: rescale the features")
    nodes = [
        Node("DequantizeLinear", ("integers", "scale", "zero_point"), "floats", {"axis": 1} if per_feature else {}),
        Node("Cast", ("floats",), "weights", {"to": DOUBLE}),
        _weighted_sum(x),
    ]
    constants: dict[str, ArrayLike] = {
        "integers": np.atleast_2d(model.weights),
        "scale": affine.scale,
        "zero_point": affine.zero_point,
        "bias": np.atleast_1d(model.bias),
    }
    return Graph(13 if per_feature else 10, nodes, constants)


def _integer(model: QuantizedLinear, x: str) -> Graph:
    scale, offset = np.asarray(model.input_scale, np.float64), np.asarray(model.input_offset)
    if len(scale) > _MOST_FEATURES:
        raise HousingError(
            f"the model has {len(scale)} features: with more than {_MOST_FEATURES} a sum of ONNX's MatMulInteger may "
            "overflow; use the scheme 'per-channel'"
        )
    nodes = [
        Node("Sub", (x, "input_offset"), "shifted"),
        Node("Div", ("shifted", "input_scale"), "steps"),
        Node("Round", ("steps",), "rounded"),
        Node("Max", ("rounded", "smallest"), "not_less"),
        Node("Min", ("not_less", "largest"), "saturated"),
        Node("Cast", ("saturated",), "inputs", {"to": UINT8}),
        # uint8 times uint8: with int8 weights, AVX2 without VNNI would saturate the sums of pairs at 16 bits.
        Node("MatMulInteger", ("inputs", "weights", "input_zero_point", "zero_point"), "products"),
        Node("Add", ("products", "bias"), "sums"),
        Node("Cast", ("sums",), "whole", {"to": DOUBLE}),
        Node("Mul", ("whole", "scale"), "answers"),
        # x - x is 0, but NaN for NaN and infinity, of which the cast to uint8 makes a number like any other.
        Node("Sub", (x, x), "zeros"),
        Node("ReduceSum", ("zeros",), "zero", {"axes": [1]}),
        Node("Add", ("answers", "zero"), OUTPUT),
    ]
    constants: dict[str, ArrayLike] = {
        "input_offset": offset,
        "input_scale": scale,
        "smallest": np.float64(0),
        "largest": np.float64(255),
        "weights": np.atleast_2d(model.weights).T,
        "input_zero_point": np.uint8(0),
        "zero_point": model.affine.zero_point,
        "bias": np.atleast_1d(model.bias),
        "scale": model.affine.scale.astype(np.float64),
    }
    return Graph(11, nodes, constants)


def _float32_deviation(model: Model, facts: Facts) -> list[float] | None:
    """Return how much the rounding of inputs to float32 can change each target at most, in rows within the range.

    None where the range, or the bound, is not known. A feature moves by at most h, half a step of float32 at its
    largest size, and a prediction by Σ |weight| · h. In the scheme "integer" h carries an input over at most one step
    more than fit into it. What float64 rounds in both predictions is added (Higham 2002, section 3.1).
    """
    if facts.low is None or facts.high is None:
        return None
    size = np.maximum(np.abs(facts.low), np.abs(facts.high))
    with np.errstate(over="ignore"):
        narrow = size.astype(np.float32)
    for name, finite in zip(facts.features, np.isfinite(narrow), strict=True):
        if not finite:
            raise HousingError(f"the range of {name!r} goes beyond float32: take inputs in float64")
    moved = np.spacing(narrow).astype(np.float64) / 2
    intercept = model.intercept if is_quantized(model) else model.intercept_
    with np.errstate(over="ignore", invalid="ignore"):
        if is_quantized(model) and model.input_scale is not None:
            step = model.input_scale.astype(np.float64)
            moved = step * np.minimum(np.floor(moved / step + 2.0**-40) + 1, 255)
        # No size is above 2**25 times what it moves by: of the products, what float64 rounds is small beside that.
        terms, bound = len(moved) + 4, np.abs(np.atleast_2d(model.coef_)) @ moved
        bound = bound * (1 + terms * 2.0**-26) + terms * 2.0**-52 * np.abs(intercept)
    return bound.tolist() if np.isfinite(bound).all() else None


def _metadata(facts: Facts, columns: Columns, deviation: list[float] | None) -> dict[str, str]:
    """Return the metadata, in ASCII, so that hostile names are harmless wherever they are shown."""
    names = (*facts.features, *facts.targets)
    facts_by_key = {
        "features": facts.features,
        "targets": facts.targets,
        "columns": None if columns.is_plain else columns.names,
        "levels": dict(columns.levels),
        "fills": dict(columns.fills),
        "units": {name: facts.units[name] for name in names if name in facts.units},
        "low": None if facts.low is None else facts.low.tolist(),
        "high": None if facts.high is None else facts.high.tolist(),
        "float32_deviation": deviation,
    }
    known = {name: json.dumps(value) for name, value in facts_by_key.items() if value}
    return {"scheme": facts.scheme, "sha256": facts.sha256, **known}


def _description(facts: Facts, columns: Columns, output: str, float32: bool, bounded: bool) -> str:
    """Return the description in the file: its input, its output, and how exact it is."""
    exactness = (
        "Equal to predict of the same numbers, to the last bit. A row with NaN or infinity is answered with NaN."
        if facts.scheme == "integer"
        else "Weights equal to predict's; an answer differs at most by the rounding of a dot product in float64. "
        "A row with NaN or infinity is answered with NaN or infinity."
    )
    numbers = INPUT if columns.is_plain else "numbers"
    rounded = f"Only the rounding of {numbers} to float32 costs: " + (
        "within low and high at most float32_deviation." if bounded else "at most 2**-24 of each weight times feature."
    )
    names = (
        f"{INPUT}: a row of features each, {OUTPUT}: of targets, both in the order of the metadata."
        if columns.is_plain
        else f"An input for each of the columns in the metadata: numbers, or text, which is one of the levels. "
        f"NaN stands for the fill, if there is one. Other text is answered with NaN. {output}: a row of targets each."
    )
    lines = [
        f"A linear model of housing_np, {facts.scheme}, from the file with the SHA-256 {facts.sha256}.",
        names,
        exactness,
    ]
    return "\n".join([*lines, rounded] if float32 else lines)
