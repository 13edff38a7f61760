"""A small network that TensorFlow traces quickly, for tests of the training."""

import keras
from keras import layers

from stages.networks.layers import chain, convolution, probabilities, scaling_layer
from stages.networks.network_params import NetworkParams

MIN_SIDE = 4


class Params(NetworkParams):
    """The section `train.tiny`."""


def build(shape: tuple[int, int, int], n_classes: int, params: Params) -> keras.Model:
    """Return the network from images `(batch, *shape)` in [0, 255] to probabilities `(batch, n_classes)`."""
    return chain([
        keras.Input(shape), scaling_layer(params.scaling), convolution(8, 3, strides=2),
        layers.GlobalAveragePooling2D(), layers.Dropout(params.dropout), probabilities(n_classes),
    ], "tiny")  # fmt: skip
