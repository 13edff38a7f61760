"""Cutting a pretrained backbone into a frozen part and a tail that is trained on."""

import hashlib
from pathlib import Path
from types import ModuleType

import keras
import numpy as np

from stages.networks.layers import scaling_layer

TAIL_WEIGHTS = "tail.weights.h5"


def valid_cuts(backbone: keras.Model) -> list[int]:
    """The numbers n for which one single tensor enters the last n layers, so that the rest can be frozen and cached.

    0, for the whole backbone frozen, is always among them.
    """
    position = {id(layer.output): i for i, layer in enumerate(backbone.layers)}
    last_use = dict.fromkeys(range(len(backbone.layers)), -1)
    for i, layer in enumerate(backbone.layers[1:], start=1):
        for tensor in keras.tree.flatten(layer.input):
            last_use[position[id(tensor)]] = max(last_use[position[id(tensor)]], i)
    last_use[position[id(backbone.output)]] = len(backbone.layers)
    n = len(backbone.layers)
    return [n - 1 - i for i in range(n - 1, -1, -1) if sum(last_use[j] > i for j in range(i + 1)) == 1]


def cut(backbone: keras.Model, trainable_layers: int) -> tuple[keras.Model, keras.Model | None]:
    """The frozen part, and the last `trainable_layers` layers as a model of its output; None for 0.

    Raises:
        ValueError: several tensors enter those layers.
    """
    cuts = valid_cuts(backbone)
    if trainable_layers not in cuts:
        below = max((n for n in cuts if n < trainable_layers), default=None)
        above = min((n for n in cuts if n > trainable_layers), default=None)
        nearest = " or ".join(str(n) for n in (below, above) if n is not None)
        raise ValueError(
            f"params.yaml train.{backbone.name}.trainable_layers: expected a number of layers that one tensor enters, "
            f"got {trainable_layers}; the nearest is {nearest}."
        )
    if trainable_layers == 0:
        return backbone, None
    boundary = backbone.layers[-trainable_layers - 1].output
    return keras.Model(backbone.input, boundary), keras.Model(boundary, backbone.output, name=f"{backbone.name}_tail")


def see(frozen: keras.Model, scaling: str, shape: tuple[int, ...]) -> keras.Model:
    """The frozen part, from pixels in [0, 255], with batch statistics as they were trained."""
    pixels = keras.Input(shape)
    return keras.Model(pixels, frozen(scaling_layer(scaling)(pixels), training=False))


def read_tail(
    network: ModuleType, image_shape: tuple[int, ...], trainable_layers: int, source: Path
) -> keras.Model | None:
    """The tail with the weights that `features` left in the source folder; None for 0 layers."""
    if trainable_layers == 0:
        return None  # without building the whole backbone for nothing
    _, tail = cut(network.make_backbone(image_shape), trainable_layers)
    if tail is not None:
        tail.load_weights(source / TAIL_WEIGHTS)
    return tail


def sha256_of(model: keras.Model) -> str:
    """SHA-256 over the shapes and the float32 values of the model's weights, in the model's order.

    Independent of file formats and of layer names, which Keras numbers by what was built before.
    """
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(repr(weight.shape).encode())
        digest.update(np.ascontiguousarray(weight, dtype="<f4").tobytes())
    return digest.hexdigest()
