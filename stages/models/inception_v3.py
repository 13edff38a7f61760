"""InceptionV3 with ImageNet weights, frozen up to its last `trainable_layers` layers, under a small head.

Szegedy, Vanhoucke, Ioffe, Shlens and Wojna 2015 (https://arxiv.org/abs/1512.00567), built by `keras.applications`.
anime_characters froze all of it under the head `linear`: at 96 pixels with four classes 21,810,980 parameters, 8,196 of
them trainable. It applied a softmax twice, here there is one; and it divided pixels by 255, the scaling `unit`, where
the weights were trained with `signed`.
"""

import keras

from stages.networks import heads
from stages.networks.layers import scaling_layer
from stages.networks.network_params import TransferParams

MIN_SIDE = 75


class Params(TransferParams):
    """The section `train.inception_v3`."""


def make_backbone(image_shape: tuple[int, int, int], weights: str | None = None) -> keras.Model:
    """The network without its top: images `(batch, *image_shape)` in [-1, 1] to `(batch, h, w, 2048)`.

    Its weights are random, or those that Keras publishes, for `imagenet`.
    """
    return keras.applications.InceptionV3(weights=weights, include_top=False, input_shape=image_shape)


def build(shape: tuple[int, int, int], n_classes: int, params: Params) -> keras.Model:
    """Images `(batch, *shape)` in [0, 255] to probabilities `(batch, n_classes)`, with random weights throughout."""
    return heads.put_on(make_backbone(shape), scaling_layer(params.scaling), n_classes, params)
