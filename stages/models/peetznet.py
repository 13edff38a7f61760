"""PeetzNet: two towers over one image, one with kernels from large to small and one from small to large.

From cars_tanks (https://github.com/AdamPeetz/CustomImageClassifierTools). Its text says "small to large" for the second
tower, but its notebook has the kernels 3, 4, 3. `tower_b` can be set to either, and params.yaml has the text's. With
the notebook's kernels, at 224 pixels, width 1 and two classes, the network has 414,797,954 parameters.
"""

from typing import Annotated

import keras
from keras import layers
from pydantic import Field

from stages.networks.layers import convolution, dense, probabilities, scaled, scaling_layer
from stages.networks.network_params import NetworkParams

MIN_SIDE = 8
BLOCKS = (64, 128, 256)  # filters
CONVOLUTIONS = 2
DENSE = (1024, 1024)

Kernels = Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=len(BLOCKS), max_length=len(BLOCKS))]


class Params(NetworkParams):
    """The section `train.peetznet`; a tower is the list of its blocks' kernel sizes."""

    tower_a: Kernels
    tower_b: Kernels


def build(shape: tuple[int, int, int], n_classes: int, params: Params) -> keras.Model:
    """Return the network from images `(batch, *shape)` in [0, 255] to probabilities `(batch, n_classes)`."""
    images = keras.Input(shape)
    pixels = scaling_layer(params.scaling)(images)
    towers = [_tower(pixels, kernels, params) for kernels in (params.tower_a, params.tower_b)]
    x = layers.Concatenate()(towers)  # (batch, height / 8, width / 8, 512)
    x = layers.Dropout(params.dropout)(layers.Flatten()(x))
    for units in DENSE:
        x = dense(scaled(units, params.width))(x)
        x = layers.Dropout(params.dropout)(x)
    return keras.Model(images, probabilities(n_classes)(x), name="peetznet")


def _tower(x: keras.KerasTensor, kernels: list[int], params: Params) -> keras.KerasTensor:
    for filters, kernel_size in zip(BLOCKS, kernels, strict=True):
        for _ in range(CONVOLUTIONS):
            x = convolution(scaled(filters, params.width), kernel_size)(x)
        x = layers.Dropout(params.dropout)(layers.MaxPooling2D()(x))
    return x
