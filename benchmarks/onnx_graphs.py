"""A linear model as ONNX graphs, and ONNX Runtime sessions that run them."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper

Constants = dict[str, ArrayLike]


def graph(nodes: list[Any], inputs: int, constants: Constants, input_type: int, output_type: int) -> onnx.ModelProto:
    """Return a model with input x (n, inputs) and output y (n, 1)."""
    x = helper.make_tensor_value_info("x", input_type, [None, inputs])
    y = helper.make_tensor_value_info("y", output_type, [None, 1])
    values = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    whole = helper.make_graph(nodes, "linear", [x], [y], values)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def session(model: onnx.ModelProto | str, threads: int = 1) -> onnxruntime.InferenceSession:
    """Return a session on so many threads of the processor."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    content = model if isinstance(model, str) else model.SerializeToString()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def float_graph(coef: np.ndarray, intercept: float) -> onnx.ModelProto:
    """MatMul and Add in float32."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["sum"]), helper.make_node("Add", ["sum", "b"], ["y"])]
    constants: Constants = {"w": coef.astype(np.float32)[:, np.newaxis], "b": np.array([intercept], np.float32)}
    return graph(nodes, len(coef), constants, TensorProto.FLOAT, TensorProto.FLOAT)


def matmul_integer(weights: np.ndarray, zero_point: np.ndarray) -> onnx.ModelProto:
    """MatMulInteger alone: int32 sums without bias and scale."""
    nodes = [helper.make_node("MatMulInteger", ["x", "w", "x_zero", "w_zero"], ["y"])]
    constants: Constants = {"w": weights[:, np.newaxis], "x_zero": np.uint8(0), "w_zero": zero_point}
    return graph(nodes, len(weights), constants, TensorProto.UINT8, TensorProto.INT32)


def qlinear_matmul(weights: np.ndarray, zero_point: np.ndarray, y_scale: float, y_zero: int) -> onnx.ModelProto:
    """QLinearMatMul and DequantizeLinear: sums in units of the weights' scale, through a uint8 output."""
    names = ["x", "one", "x_zero", "w", "one", "w_zero", "y_scale", "y_zero"]
    nodes = [
        helper.make_node("QLinearMatMul", names, ["q"]),
        helper.make_node("DequantizeLinear", ["q", "y_scale", "y_zero"], ["y"]),
    ]
    constants: Constants = {
        "w": weights[:, np.newaxis],
        "one": np.float32(1),
        "x_zero": np.uint8(0),
        "w_zero": zero_point,
        "y_scale": np.float32(y_scale),
        "y_zero": np.uint8(y_zero),
    }
    return graph(nodes, len(weights), constants, TensorProto.UINT8, TensorProto.FLOAT)
