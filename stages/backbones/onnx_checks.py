"""What an ONNX file must be to be a backbone: a plain network from images to a tensor of features."""

import numpy as np
import onnx
import onnxruntime

from stages.backbones.onnx_tensors import keep_needed

COLOURS = 3
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}


class Unfit(ValueError):
    """The reason why a file is not taken, in a line of ours."""


def choose_output(proto: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """Return the network up to the tensor of this name, its only output.

    Raises:
        Unfit: There is no such tensor, or there are several outputs and no name.
    """
    outputs = [output.name for output in proto.graph.output]
    if not outputs:
        raise Unfit("expected an ONNX file with an output, got none.")
    if not name and len(outputs) > 1:
        raise Unfit(f"expected options.output to name one of the outputs, {', '.join(outputs)}, got none.")
    if name and name not in {made for node in proto.graph.node for made in node.output}:
        raise Unfit(f"expected options.output to name a tensor of the file, such as {outputs[0]}, got {name}.")
    if name:
        del proto.graph.output[:]
        proto.graph.output.append(onnx.ValueInfoProto(name=name))
    keep_needed(proto)
    return proto


def check_plain(proto: onnx.ModelProto) -> None:
    """Check that all weights are in the file, and that one layer follows the other.

    Raises:
        Unfit: Some are in other files, of which it could name any; or there are branches, loops or sparse weights, in
            which others could be, and whose cost nobody could tell.
    """
    items = [item for node in proto.graph.node for item in node.attribute]
    tensors = [
        *proto.graph.initializer,
        *(item.t for item in items),
        *(each for item in items for each in item.tensors),
    ]
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data for tensor in tensors):
        raise Unfit("expected all weights in the file, got some in others.")
    odd = [item for item in items if item.HasField("g") or item.graphs]
    is_sparse = any(item.HasField("sparse_tensor") or item.sparse_tensors for item in items)
    if odd or is_sparse or proto.graph.sparse_initializer:
        found = "branches or loops" if odd else "sparse weights"
        raise Unfit(f"expected layers one after the other with whole weights, got {found}.")


def check_input(session: onnxruntime.InferenceSession) -> None:
    """Check that there is one input, of images in colour, of one or any number at once.

    Raises:
        Unfit: There is another.
    """
    inputs = session.get_inputs()
    shape = inputs[0].shape if len(inputs) == 1 and inputs[0].type in TYPES else []
    are_images = len(shape) == 4 and COLOURS in (shape[1], shape[3])
    if not are_images or (isinstance(shape[0], int) and shape[0] != 1):
        found = ", ".join(f"{each.name}: {each.type} {each.shape}" for each in inputs)
        raise Unfit(f"expected one input of images, one or any number, with 3 channels first or last, got {found}.")
