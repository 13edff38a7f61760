"""What a network in an ONNX file holds and costs: its parameters, multiply-adds, and the kernels of its first layer."""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, numpy_helper

from stages.backbones.onnx_file import COLOURS, OnnxNetwork, Shape, start

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)
CONVOLUTION, TRANSPOSED, PRODUCTS = "Conv", "ConvTranspose", ("MatMul", "Gemm")
NO_KERNELS = (1, 1, COLOURS, 0)


def count_parameters(network: OnnxNetwork) -> int:
    """Return how many floats the file holds that the features depend on."""
    tensors = held(network.proto)
    return sum(math.prod(tensors[name].dims) for name in used(network.proto) & tensors.keys())


def held(proto: onnx.ModelProto) -> dict[str, TensorProto]:
    """Return the floats in the file by name; some libraries write weights as constants between the layers."""
    constants = {
        node.output[0]: attribute.t
        for node in proto.graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.name == "value"
    }
    tensors = {tensor.name: tensor for tensor in proto.graph.initializer} | constants
    return {name: tensor for name, tensor in tensors.items() if tensor.data_type in FLOATS}


def used(proto: onnx.ModelProto) -> set[str]:
    """Return the names of all tensors that the features depend on."""
    makers = {name: node for node in proto.graph.node for name in node.output}
    found: set[str] = set()
    waiting = [output.name for output in proto.graph.output]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += makers[name].input if name in makers else []
    return found


def count_multiply_adds(network: OnnxNetwork) -> int:
    """Return the number of multiply-adds of the convolutions and dense layers for one image.

    As in `networks.operations`, products of two tensors that both come from the image are left out.
    """
    weights = held(network.proto)
    nodes = [node for node in layers(network.proto) if node.input[1] in weights]
    shapes = measure(network, [name for node in nodes for name in (node.input[0], node.output[0])])
    return sum(
        count_of(node, tuple(weights[node.input[1]].dims), shapes[node.input[0]], shapes[node.output[0]])
        for node in nodes
    )


def layers(proto: onnx.ModelProto) -> Iterator[NodeProto]:
    """Yield the convolutions and products that the features depend on, in order."""
    names = used(proto)
    for node in proto.graph.node:
        if node.op_type in (CONVOLUTION, TRANSPOSED, *PRODUCTS) and node.output[0] in names:
            yield node


def count_of(node: NodeProto, kernel: Shape, entering: Shape, leaving: Shape) -> int:
    """Return the multiply-adds of one layer for one image, from the shapes of its weights and of its tensors."""
    if node.op_type == CONVOLUTION:  # (filters, channels of a group, height, width)
        return math.prod(kernel[1:]) * math.prod(leaving[1:])
    if node.op_type == TRANSPOSED:  # (channels, filters of a group, height, width)
        return math.prod(kernel[1:]) * math.prod(entering[1:])
    return math.prod(entering) * leaving[-1]


def measure(network: OnnxNetwork, names: list[str]) -> dict[str, Shape]:
    """Return the shapes of these tensors for one image."""
    wanted = dict.fromkeys(names)
    (given,) = network.session.get_inputs()
    image = network.arrange(np.zeros((1, *network.image_shape), np.float32))
    shapes: dict[str, Shape] = {given.name: image.shape}
    proto = onnx.ModelProto()
    proto.CopyFrom(network.proto)
    del proto.graph.output[:]
    made = [name for name in wanted if name != given.name]
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in made)
    found = start(proto, threads=1).run(made, {given.name: image}) if made else []
    return shapes | {name: array.shape for name, array in zip(made, found, strict=True)}


def first_kernels(network: OnnxNetwork) -> npt.NDArray[np.float32]:
    """Return the kernels `(height, width, 3, filters)` of the first convolution of the colours; without, 0 filters."""
    weights = held(network.proto)
    for node in layers(network.proto):
        kernel = weights.get(node.input[1])
        if node.op_type == CONVOLUTION and kernel is not None and kernel.dims[1] == COLOURS:
            array: npt.NDArray[np.float32] = numpy_helper.to_array(kernel).astype(np.float32)
            return array.transpose(2, 3, 1, 0)
    return np.zeros(NO_KERNELS, np.float32)
