"""What a network in an ONNX file holds and costs: its parameters, multiply-adds, and the kernels of its first layer."""

import math

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto

from stages.backbones.onnx_checks import COLOURS
from stages.backbones.onnx_file import Array, OnnxNetwork, Shape, start
from stages.backbones.onnx_tensors import constants

NUMBERS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.INT8, TensorProto.UINT8)
# Where layers have their two factors among the inputs: of convolutions images and kernels.
CONVOLUTIONS = {"Conv": (0, 1), "ConvTranspose": (0, 1), "ConvInteger": (0, 1), "QLinearConv": (0, 3)}
PRODUCTS = {"MatMul": (0, 1), "Gemm": (0, 1), "MatMulInteger": (0, 1), "QLinearMatMul": (0, 3)}
NO_KERNELS = (1, 1, COLOURS, 0)
AT_ONCE = 32  # tensors that are in memory together


def count_parameters(network: OnnxNetwork) -> int:
    """Return how many floats and bytes of weights the file holds, as far as the features depend on them."""
    graph = network.proto.graph
    constant = [item.t for node in graph.node if node.op_type == "Constant" for item in node.attribute]
    tensors = [*graph.initializer, *constant]
    return sum(math.prod(tensor.dims) for tensor in tensors if tensor.data_type in NUMBERS)


def count_multiply_adds(network: OnnxNetwork) -> int:
    """Return the number of multiply-adds of the convolutions and dense layers for one image.

    As in `networks.operations`, products of two tensors that both come from the image are left out.
    """
    layers = find_layers(network.proto)
    shapes = measure(network, [name for node in layers for name in (*factors(node), node.output[0])])
    return sum(count_of(node, shapes) for node in layers)


def factors(node: NodeProto) -> tuple[str, str]:
    """Return the names of the two tensors that a layer multiplies; of a convolution the second is its kernel."""
    first, second = (CONVOLUTIONS | PRODUCTS)[node.op_type]
    return node.input[first], node.input[second]


def find_layers(proto: onnx.ModelProto) -> list[NodeProto]:
    """Return the convolutions and products with one factor that does not depend on the image, in order."""
    fixed = constants(proto)
    nodes = [node for node in proto.graph.node if node.op_type in CONVOLUTIONS | PRODUCTS]
    return [node for node in nodes if sum(name in fixed for name in factors(node)) == 1]


def count_of(node: NodeProto, shapes: dict[str, Shape]) -> int:
    """Return the multiply-adds of one layer for one image, given the shapes of its tensors."""
    first, second = (shapes[name] for name in factors(node))
    leaving = shapes[node.output[0]]
    if node.op_type == "ConvTranspose":  # kernels (channels, filters of a group, height, width)
        return math.prod(second[1:]) * math.prod(first[1:])
    if node.op_type in CONVOLUTIONS:  # kernels (filters, channels of a group, height, width)
        return math.prod(second[1:]) * math.prod(leaving[1:])
    is_turned = any(item.name == "transA" and item.i for item in node.attribute)
    return math.prod(leaving) * (first[0] if is_turned else first[-1])


def measure(network: OnnxNetwork, names: list[str]) -> dict[str, Shape]:
    """Return the shapes of the tensors of these names for one image."""
    shapes: dict[str, Shape] = {tensor.name: tuple(tensor.dims) for tensor in network.proto.graph.initializer}
    left = [name for name in dict.fromkeys(names) if name not in shapes]
    for first in range(0, len(left), AT_ONCE):
        found = compute(network, left[first : first + AT_ONCE])
        shapes |= {name: array.shape for name, array in found.items()}
    return shapes


def compute(network: OnnxNetwork, names: list[str]) -> dict[str, Array]:
    """Return the tensors of these names, which are no initializers, for one image."""
    (given,) = network.session.get_inputs()
    image = network.arrange(np.zeros((1, *network.image_shape), np.float32))
    made = [name for name in names if name != given.name]
    proto = onnx.ModelProto()
    proto.CopyFrom(network.proto)
    del proto.graph.output[:]
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in made)
    found = start(proto, threads=1).run(made, {given.name: image}) if made else []
    return {given.name: image, **dict(zip(made, found, strict=True))}


def first_kernels(network: OnnxNetwork) -> npt.NDArray[np.float32]:
    """Return the kernels `(height, width, 3, filters)` of the first convolution of the colours; without, 0 filters."""
    held = {tensor.name: tensor for tensor in network.proto.graph.initializer}
    layers = [node for node in find_layers(network.proto) if node.op_type in CONVOLUTIONS]
    shapes = measure(network, [factors(node)[1] for node in layers])
    for name in (factors(node)[1] for node in layers):
        if len(shapes[name]) == 4 and shapes[name][1] == COLOURS:
            kernel = onnx.numpy_helper.to_array(held[name]) if name in held else compute(network, [name])[name]
            return kernel.astype(np.float32).transpose(2, 3, 1, 0)
    return np.zeros(NO_KERNELS, np.float32)
