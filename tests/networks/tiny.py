"""A network small enough that TensorFlow traces it in no time, for tests of the training."""

import keras
from keras import layers

from stages.core.hyperparams import Hyperparams
from stages.core.layers import convolution, probabilities, scaling_layer

MIN_SIDE = 4


class Params(Hyperparams):
    """The section `train.tiny`."""


def build(shape: tuple[int, int, int], n_classes: int, params: Params) -> keras.Model:
    """Images `(batch, *shape)` in [0, 255] to probabilities `(batch, n_classes)`."""
    return keras.Sequential([
        keras.Input(shape), scaling_layer(params.scaling), convolution(8, 3, strides=2), layers.GlobalMaxPooling2D(),
        layers.Dropout(params.dropout), probabilities(n_classes),
    ], name="tiny")  # fmt: skip
