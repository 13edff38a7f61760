"""An ONNX file of a head on a backbone that is itself an ONNX file: three graphs, put one after the other."""

from collections.abc import Callable

import keras
import numpy as np
import onnx
from keras import ops
from onnx import compose

from stages.backbones.onnx_file import OnnxNetwork
from stages.backbones.onnx_tensors import OWN, keep_needed

OLDEST, NEWEST = 9, 18  # the versions of ONNX's operations in which tf2onnx writes what heads need

Converter = Callable[[keras.Model, int], onnx.ModelProto]  # from a network and the version of ONNX's operations


def join(scaling: keras.layers.Layer, network: OnnxNetwork, head: keras.Model, convert: Converter) -> onnx.ModelProto:
    """Return the network from pixels, by the backbone's file, to the head's outputs.

    Args:
        scaling: The layer from pixels to what the backbone takes.
        network: The backbone.
        head: From the backbone's features to named outputs.
        convert: What makes an ONNX graph of Keras's layers.

    Raises:
        ValueError: The backbone's file takes one image at a time, or has operations that the converter does not know.
    """
    if not network.takes_many:
        raise ValueError("a backbone in an ONNX file that takes one image at a time")
    version = next(each.version for each in network.proto.opset_import if each.domain in OWN)
    if not OLDEST <= version <= NEWEST:
        raise ValueError(f"a backbone in an ONNX file with operations of version {version}, not {OLDEST} to {NEWEST}")
    below, above = convert(arranged(scaling, network), version), convert(unarranged(head, network), version)
    (given,), (made,) = network.session.get_inputs(), network.session.get_outputs()
    parts = [
        compose.add_prefix(below, "pixels/", rename_inputs=False),
        compose.add_prefix(with_type(network), "backbone/"),
        compose.add_prefix(above, "head/", rename_outputs=False),
    ]
    for part in parts:
        keep_needed(part)
        part.ir_version = max(each.ir_version for each in parts)
    joined = compose.merge_models(*parts[:2], [(parts[0].graph.output[0].name, f"backbone/{given.name}")])
    return compose.merge_models(joined, parts[2], [(f"backbone/{made.name}", parts[2].graph.input[0].name)])


def with_type(network: OnnxNetwork) -> onnx.ModelProto:
    """Return what the backbone's file says, with type and shape of its output, which an inner tensor may lack."""
    proto = onnx.ModelProto()
    proto.CopyFrom(network.proto)
    (made,) = network.session.get_outputs()
    found = network.run(np.zeros((1, *network.image_shape), np.float32))
    kind = onnx.helper.np_dtype_to_tensor_dtype(found.dtype)
    del proto.graph.output[:]
    proto.graph.output.append(onnx.helper.make_tensor_value_info(made.name, kind, ["n", *found.shape[1:]]))
    return proto


def arranged(scaling: keras.layers.Layer, network: OnnxNetwork) -> keras.Model:
    """Return the network from pixels `(n, height, width, 3)` to the images as the backbone's file takes them."""
    pixels = keras.Input(network.image_shape)
    images = scaling(pixels)
    images = ops.transpose(images, (0, 3, 1, 2)) if network.takes_channels_first else images
    kind = network.arrange(np.zeros((1, *network.image_shape))).dtype.name
    return keras.Model(pixels, ops.cast(images, kind) if kind != "float32" else images)


def unarranged(head: keras.Model, network: OnnxNetwork) -> keras.Model:
    """Return the network from features as the backbone's file has them to the head's outputs."""
    found = network.run(np.zeros((1, *network.image_shape), np.float32))
    given = keras.Input(found.shape[1:], dtype=found.dtype.name)
    features = ops.cast(given, "float32") if found.dtype != np.float32 else given
    if found.ndim == 2:
        features = ops.reshape(features, (-1, 1, 1, found.shape[1]))
    elif network.gives_channels_first:
        features = ops.transpose(features, (0, 2, 3, 1))
    return keras.Model(given, head(features))
