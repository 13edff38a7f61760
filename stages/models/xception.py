"""Xception with ImageNet weights, frozen except for its last `trainable_layers` layers, under a small head.

Chollet 2017 (https://arxiv.org/abs/1610.02357), built by `keras.applications`. cars_tanks trained the last 6 layers
under the head `dense`; the head `linear` is from anime_characters.
"""

import keras

from stages.networks import heads
from stages.networks.layers import scaling_layer
from stages.networks.network_params import TransferParams

MIN_SIDE = 71


class Params(TransferParams):
    """The section `train.xception`."""


def build(shape: tuple[int, int, int], n_classes: int, params: Params) -> keras.Model:
    """Return the network from images `(batch, *shape)` in [0, 255] to probabilities `(batch, n_classes)`.

    All its weights are random.
    """
    backbone = keras.applications.Xception(weights=None, include_top=False, input_shape=shape)
    return heads.put_on(backbone, scaling_layer(params.scaling), n_classes, params)
