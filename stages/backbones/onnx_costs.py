"""What a network in an ONNX file holds and costs: its parameters, multiply-adds, and the kernels of its first layer."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto

from stages.backbones.onnx_file import COLOURS, OnnxNetwork, start
from stages.backbones.onnx_tensors import constants, tensors_in

NUMBERS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.INT8, TensorProto.UINT8)
# Where convolutions and products have their images and their kernels among the inputs; those of bytes too.
PLACES = {
    "Conv": (0, 1), "ConvTranspose": (0, 1), "ConvInteger": (0, 1), "QLinearConv": (0, 3),
    "MatMul": (0, 1), "Gemm": (0, 1), "MatMulInteger": (0, 1), "QLinearMatMul": (0, 3),
}  # fmt: skip
NO_KERNELS = (1, 1, COLOURS, 0)

Arrays = dict[str, npt.NDArray[Any]]


def count_parameters(network: OnnxNetwork) -> int:
    """Return how many floats and bytes of weights the file holds, as far as the features depend on them."""
    return sum(math.prod(tensor.dims) for tensor in tensors_in(network.proto) if tensor.data_type in NUMBERS)


def count_multiply_adds(network: OnnxNetwork) -> int:
    """Return the number of multiply-adds of the convolutions and dense layers for one image.

    As in `networks.operations`, products of two tensors that both come from the image are left out.
    """
    layers = find_layers(network.proto)
    found = compute(network, [name for node in layers for name in (image_of(node), kernel_of(node), node.output[0])])
    return sum(count_of(node, found) for node in layers)


def find_layers(proto: onnx.ModelProto) -> list[NodeProto]:
    """Return the convolutions and products with kernels that do not depend on the image, in order."""
    fixed = constants(proto)
    return [node for node in proto.graph.node if node.op_type in PLACES and kernel_of(node) in fixed]


def image_of(node: NodeProto) -> str:
    """Return the name of the tensor that enters a layer."""
    return str(node.input[PLACES[node.op_type][0]])


def kernel_of(node: NodeProto) -> str:
    """Return the name of the tensor with a layer's kernels."""
    return str(node.input[PLACES[node.op_type][1]])


def count_of(node: NodeProto, found: Arrays) -> int:
    """Return the multiply-adds of one layer for one image, given the tensors at its ends."""
    entering, kernel, leaving = (found[name].shape for name in (image_of(node), kernel_of(node), node.output[0]))
    if node.op_type == "ConvTranspose":  # (channels, filters of a group, height, width)
        return math.prod(kernel[1:]) * math.prod(entering[1:])
    if "Conv" in node.op_type:  # (filters, channels of a group, height, width)
        return math.prod(kernel[1:]) * math.prod(leaving[1:])
    return int(math.prod(entering) * leaving[-1])


def compute(network: OnnxNetwork, names: list[str]) -> Arrays:
    """Return the tensors of these names for one image."""
    (given,) = network.session.get_inputs()
    image = network.arrange(np.zeros((1, *network.image_shape), np.float32))
    proto = onnx.ModelProto()
    proto.CopyFrom(network.proto)
    held = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    made = [name for name in dict.fromkeys(names) if name not in held and name != given.name]
    del proto.graph.output[:]
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in made)
    found = start(proto, threads=1).run(made, {given.name: image}) if made else []
    return {**held, given.name: image, **dict(zip(made, found, strict=True))}


def first_kernels(network: OnnxNetwork) -> npt.NDArray[np.float32]:
    """Return the kernels `(height, width, 3, filters)` of the first convolution of the colours; without, 0 filters."""
    kernels = [kernel_of(node) for node in find_layers(network.proto) if "Conv" in node.op_type]
    found = compute(network, kernels)
    for name in kernels:
        if found[name].ndim == 4 and found[name].shape[1] == COLOURS:
            return found[name].astype(np.float32).transpose(2, 3, 1, 0)
    return np.zeros(NO_KERNELS, np.float32)
