"""A small network with a backbone that can be cut, for tests of the steps from `pretrained` to `train`."""

import keras
from keras import layers

from stages.networks import heads
from stages.networks.layers import scaling_layer
from stages.networks.network_params import TransferParams

MIN_SIDE = 8


class Params(TransferParams):
    """The section `train.tiny_transfer`."""


def make_backbone(image_shape: tuple[int, int, int], weights: str | None = None) -> keras.Model:
    """Return the backbone from images `(batch, *image_shape)` in [-1, 1] to `(batch, height / 4, width / 4, 16)`.

    Its last three layers are `last_conv`, `last_bn` and a ReLU.

    Args:
        image_shape: Height, width and channels of the images.
        weights: The path of a file of weights; None for random weights.
    """
    images = keras.Input(image_shape)
    x = layers.BatchNormalization()(layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(images))
    x = layers.MaxPooling2D()(layers.Activation("relu")(x))
    x = layers.SeparableConv2D(16, 3, padding="same", use_bias=False, name="last_conv")(x)
    x = layers.Activation("relu")(layers.BatchNormalization(name="last_bn")(x))
    backbone = keras.Model(images, x, name="tiny_transfer")
    if weights:
        backbone.load_weights(weights)
    return backbone


def build(shape: tuple[int, int, int], n_classes: int, params: Params) -> keras.Model:
    """Return the network from images `(batch, *shape)` in [0, 255] to probabilities `(batch, n_classes)`.

    All its weights are random.
    """
    return heads.put_on(make_backbone(shape), scaling_layer(params.scaling), n_classes, params)
