"""The two parts of a pretrained backbone: a frozen part, and a tail whose training goes on."""

import hashlib
from pathlib import Path
from types import ModuleType

import keras
import numpy as np

from stages.networks.layers import scaling_layer
from stages.networks.network_params import Scaling

TAIL_WEIGHTS = "tail.weights.h5"


def valid_cuts(backbone: keras.Model) -> list[int]:
    """Return each number n for which exactly one tensor enters the last n layers.

    For these numbers the layers before can be frozen and their activations kept. 0 is always among them: then the whole
    backbone is frozen.
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
    """Cut off the last `trainable_layers` layers, and return the frozen part and the tail; for 0 the tail is None.

    The tail is a model from the frozen part's output to the backbone's output.

    Raises:
        ValueError: Not exactly one tensor enters the last `trainable_layers` layers.
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
    frozen = keras.Model(backbone.input, boundary, name=f"{backbone.name}_frozen")
    return frozen, keras.Model(boundary, backbone.output, name=f"{backbone.name}_tail")


def on_pixels(frozen: keras.Model, scaling: Scaling, shape: tuple[int, ...]) -> keras.Model:
    """Return a model that scales pixels in [0, 255] and applies the frozen part, with its trained batch statistics."""
    pixels = keras.Input(shape)
    activations = frozen(scaling_layer(scaling)(pixels), training=False)
    return keras.Model(pixels, activations, name=f"{frozen.name}_on_pixels")


def read_tail(
    network: ModuleType, image_shape: tuple[int, ...], trainable_layers: int, source: Path
) -> keras.Model | None:
    """Return the tail with the weights that the step `features` wrote to the source folder; None for 0 layers."""
    if trainable_layers == 0:
        return None  # before the backbone is built, which takes seconds
    _, tail = cut(network.make_backbone(image_shape), trainable_layers)
    if tail is not None:
        tail.load_weights(source / TAIL_WEIGHTS)
    return tail


def sha256_of(model: keras.Model) -> str:
    """Return the SHA-256 hash of the shapes and float32 values of the model's weights, in the model's order.

    The hash does not depend on the file format, nor on layer names, which Keras numbers across all models of a process.
    """
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(repr(weight.shape).encode())
        digest.update(np.ascontiguousarray(weight, dtype="<f4").tobytes())
    return digest.hexdigest()
