"""InceptionV3 with ImageNet weights, frozen except for its last `trainable_layers` layers, under a small head.

Szegedy, Vanhoucke, Ioffe, Shlens and Wojna 2015 (https://arxiv.org/abs/1512.00567), built by `keras.applications`.
anime_characters froze all layers under the head `linear`, which gives 21,810,980 parameters at 96 pixels with four
classes, 8,196 of them trainable. anime_characters applied a softmax twice, and this network applies it once.
anime_characters divided pixels by 255 (the scaling `unit`), although the weights were trained with `signed`.
"""

import keras

from stages.networks import heads
from stages.networks.layers import scaling_layer
from stages.networks.network_params import TransferParams

MIN_SIDE = 75


class Params(TransferParams):
    """The section `train.inception_v3`."""


def build(shape: tuple[int, int, int], n_classes: int, params: Params) -> keras.Model:
    """Return the network from images `(batch, *shape)` in [0, 255] to probabilities `(batch, n_classes)`.

    All its weights are random.
    """
    backbone = keras.applications.InceptionV3(weights=None, include_top=False, input_shape=shape)
    return heads.put_on(backbone, scaling_layer(params.scaling), n_classes, params)
