"""VGG19: five blocks of 3x3 convolutions, together 16, and two dense layers with dropout.

After Simonyan and Zisserman 2014 (https://arxiv.org/abs/1409.1556), table 1, column E. asuka_tag names the network
and gives no details; the dense layers and their dropout are the paper's.
"""

import keras
from keras import layers

from stages.networks.layers import blocks, chain, dense_layers, probabilities, scaling_layer
from stages.networks.network_params import TransferParams

MIN_SIDE = 32
#        filters, convolutions
BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
DENSE = (4096, 4096)


class Params(TransferParams):
    """The section `train.vgg19`: `trainable_layers` and `head` have an effect only in a training on activations."""


def build(shape: tuple[int, int, int], n_classes: int, params: Params) -> keras.Model:
    """Return the network from images `(batch, *shape)` in [0, 255] to probabilities `(batch, n_classes)`.

    All its weights are random.
    """
    stack = [keras.Input(shape), scaling_layer(params.scaling)]
    stack += blocks(BLOCKS, params.width)
    stack.append(layers.Flatten())
    stack += dense_layers(DENSE, params.width, params.dropout)
    stack.append(probabilities(n_classes))
    return chain(stack, "vgg19")
