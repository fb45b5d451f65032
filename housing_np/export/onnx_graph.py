"""The parts of an ONNX graph, of which the package onnx makes a file."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from numpy.typing import ArrayLike

FLOAT, UINT8, STRING, DOUBLE = 1, 2, 8, 11  # as onnx.TensorProto numbers them
ML, ML_VERSION = "ai.onnx.ml", 2  # the operators on text; 2 is the first whose LabelEncoder takes its keys


class Input(NamedTuple):
    """An input (batch, width) of the graph, and what its values mean."""

    name: str
    type: int
    width: int
    description: str = ""


class Node(NamedTuple):
    """One operation: the names of its inputs and its output, its attributes, and its domain if it has one."""

    op: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any] = {}
    domain: str | None = None


class Graph(NamedTuple):
    """Nodes from the inputs to the output of the last one, and their constants."""

    opset: int
    nodes: list[Node]
    constants: Mapping[str, ArrayLike]

    @property
    def output(self) -> str:
        """The name of the graph's output."""
        return self.nodes[-1].output

    @property
    def opsets(self) -> dict[str, int]:
        """The version of the operators in each domain."""
        has_text = any(node.domain == ML for node in self.nodes)
        return {"": self.opset, ML: ML_VERSION} if has_text else {"": self.opset}

    def renamed(self, names: Mapping[str, str]) -> "Graph":
        """Return the graph with these names for its values."""
        nodes = [
            node._replace(inputs=tuple(names[name] for name in node.inputs), output=names[node.output])
            for node in self.nodes
        ]
        return self._replace(nodes=nodes, constants={names[name]: value for name, value in self.constants.items()})
