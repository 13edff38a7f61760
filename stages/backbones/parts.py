"""The two parts of a backbone: a frozen part, and a tail whose training goes on."""

import keras

from stages.backbones.onnx_layer import find_network
from stages.networks.layers import scaling_layer
from stages.networks.network_params import Scaling

Shape = tuple[int, ...]


def valid_cuts(backbone: keras.Model) -> list[int]:
    """Return each number n for which exactly one tensor enters the last n layers.

    For these numbers the layers before can be frozen and their activations kept. 0 is always among them: then the whole
    backbone is frozen. Nothing else is, where tensors are computed between the layers, as in MobileNetV3.
    """
    position = {id(layer.output): i for i, layer in enumerate(backbone.layers)}
    if len(backbone.operations) > len(backbone.layers):
        return [0]
    last_use = dict.fromkeys(range(len(backbone.layers)), -1)
    for i, layer in enumerate(backbone.layers[1:], start=1):
        for tensor in keras.tree.flatten(layer.input):
            last_use[position[id(tensor)]] = max(last_use[position[id(tensor)]], i)
    last_use[position[id(backbone.output)]] = len(backbone.layers)
    n = len(backbone.layers)
    return [n - 1 - i for i in range(n - 1, -1, -1) if sum(last_use[j] > i for j in range(i + 1)) == 1]


def cut(backbone: keras.Model, trainable_layers: int) -> tuple[keras.Model, keras.Model | None]:
    """Cut off the last `trainable_layers` layers, and return the frozen part and the tail; for 0 the tail is None.

    The tail is a model from the frozen part's output to the backbone's output.

    Raises:
        ValueError: Not exactly one tensor enters the last `trainable_layers` layers, or they are in an ONNX file.
    """
    if trainable_layers == 0:
        return backbone, None
    if find_network(backbone):
        raise ValueError(
            f"params.yaml train.{backbone.name}.trainable_layers: expected 0, because an ONNX file does not learn, got "
            f"{trainable_layers}."
        )
    cuts = valid_cuts(backbone)
    if trainable_layers not in cuts:
        below = max((n for n in cuts if n < trainable_layers), default=None)
        above = min((n for n in cuts if n > trainable_layers), default=None)
        nearest = " or ".join(str(n) for n in (below, above) if n is not None)
        raise ValueError(
            f"params.yaml train.{backbone.name}.trainable_layers: expected a number of layers that one tensor enters, "
            f"got {trainable_layers}; the nearest is {nearest}."
        )
    boundary = backbone.layers[-trainable_layers - 1].output
    frozen = keras.Model(backbone.input, boundary, name=f"{backbone.name}_frozen")
    return frozen, keras.Model(boundary, backbone.output, name=f"{backbone.name}_tail")


def on_pixels(frozen: keras.Model, scaling: Scaling, shape: Shape) -> keras.Model:
    """Return a model that scales pixels in [0, 255] and applies the frozen part, with its trained batch statistics.

    Raises:
        ValueError: The frozen part is an ONNX file that takes bytes, and they are to be scaled.
    """
    network = find_network(frozen)
    if network and network.takes_bytes and scaling != "none":
        name = frozen.name.removesuffix("_frozen")
        raise ValueError(
            f"params.yaml train.{name}.scaling: expected none, because the ONNX file takes bytes, got {scaling}."
        )
    pixels = keras.Input(shape)
    activations = frozen(scaling_layer(scaling)(pixels), training=False)
    return keras.Model(pixels, activations, name=f"{frozen.name}_on_pixels")
