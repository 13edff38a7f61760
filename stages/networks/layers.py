"""Layers that several networks share: scaling, convolutions, dense layers and the softmax."""

from collections.abc import Iterable
from functools import reduce

import keras

from stages.networks.network_params import Scaling

# Scale and offset from pixels [0, 255] to the range that a network is trained with. The offsets of `imagenet_bgr` are
# the means of blue, green and red over ImageNet, from `keras.applications.imagenet_utils` (Simonyan and Zisserman).
# `efficientnet_lite` is (pixel - 127) / 128, as its authors have it. `imagenet_rgb` subtracts the means of red, green
# and blue and divides by their deviations. `none` is for networks that scale pixels themselves.
MEANS, DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of pixels / 255 over ImageNet
SCALINGS: dict[Scaling, tuple[float | list[float], float | list[float]]] = {
    "none": (1.0, 0.0),
    "unit": (1 / 255, 0.0),
    "signed": (1 / 127.5, -1.0),
    "imagenet_bgr": (1.0, [-103.939, -116.779, -123.68]),
    "imagenet_rgb": (
        [1 / 255 / deviation for deviation in DEVIATIONS],
        [-mean / deviation for mean, deviation in zip(MEANS, DEVIATIONS, strict=True)],
    ),
    "efficientnet_lite": (1 / 128, -127 / 128),
}


def scaling_layer(scaling: Scaling) -> keras.layers.Layer:
    """Return a layer from RGB pixels [0, 255] to what a network is trained with: see `SCALINGS`.

    The layer is saved with the model. It computes in 32 bits also if the network does not, because bfloat16 would round
    the means to 104, 117 and 123.5.
    """
    scale, offset = SCALINGS[scaling]
    rescaling = keras.layers.Rescaling(scale, offset, dtype="float32", name=f"scale_{scaling}")
    if scaling != "imagenet_bgr":
        return rescaling
    pixels = keras.Input((None, None, 3))
    return keras.Model(pixels, rescaling(keras.ops.flip(pixels, axis=-1)), name="rgb_to_imagenet_bgr")


def chain(stack: Iterable[keras.layers.Layer], name: str) -> keras.Model:
    """Return the network in which an input is followed by each of the layers in turn.

    A `keras.Sequential` is built anew for each layer that is read from a file: VGG19 takes twice as long to load.

    Args:
        stack: What `keras.Input` returns, and then the layers.
        name: The name of the network.
    """
    inputs, *rest = stack
    return keras.Model(inputs, reduce(lambda tensor, layer: layer(tensor), rest, inputs), name=name)


def scaled(units: int, width: float) -> int:
    """Return the number of filters or units at a width, at least 1."""
    return max(1, round(units * width))


def convolution(filters: int, kernel_size: int, strides: int = 1, padding: str = "same") -> keras.layers.Layer:
    """Return a ReLU convolution with Keras's default initialisation, which no document changed."""
    return keras.layers.Conv2D(filters, kernel_size, strides, padding, activation="relu")


def dense(units: int) -> keras.layers.Layer:
    """Return a fully connected ReLU layer."""
    return keras.layers.Dense(units, activation="relu")


def blocks(table: Iterable[tuple[int, int]], width: float) -> list[keras.layers.Layer]:
    """Return VGG's blocks, given as `(filters, convolutions)`: 3x3 convolutions and a max pooling of 2."""
    stack = []
    for filters, convolutions in table:
        stack += [convolution(scaled(filters, width), 3) for _ in range(convolutions)]
        stack.append(keras.layers.MaxPooling2D())
    return stack


def dense_layers(table: Iterable[int], width: float, dropout: float) -> list[keras.layers.Layer]:
    """Return fully connected layers with the given numbers of units, and dropout after each."""
    stack = []
    for units in table:
        stack += [dense(scaled(units, width)), keras.layers.Dropout(dropout)]
    return stack


def probabilities(n_classes: int) -> keras.layers.Layer:
    """Return the softmax layer `(batch, n_classes)`, which computes in 32 bits also if the network does not."""
    return keras.layers.Dense(n_classes, activation="softmax", dtype="float32", name="probabilities")
