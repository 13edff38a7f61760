"""VGG as cars_tanks built it: three blocks of two convolutions, and two dense layers.

After Simonyan and Zisserman 2014 (https://arxiv.org/abs/1409.1556), whose blocks stack small convolutions and end with
a pooling. cars_tanks has kernels of 4 instead of the paper's 3, and dropout after each block. At 224 pixels, width 1
and two classes the network has 208,609,154 parameters.
"""

import keras
from keras import layers

from stages.networks.layers import chain, convolution, dense_layers, probabilities, scaled, scaling_layer
from stages.networks.network_params import NetworkParams

MIN_SIDE = 8
BLOCKS = (64, 128, 256)  # filters
CONVOLUTIONS = 2
KERNEL_SIZE = 4
DENSE = (1024, 1024)


class Params(NetworkParams):
    """The section `train.vgg`."""


def build(shape: tuple[int, int, int], n_classes: int, params: Params) -> keras.Model:
    """Return the network from images `(batch, *shape)` in [0, 255] to probabilities `(batch, n_classes)`."""
    stack = [keras.Input(shape), scaling_layer(params.scaling)]
    for filters in BLOCKS:
        for _ in range(CONVOLUTIONS):
            stack.append(convolution(scaled(filters, params.width), KERNEL_SIZE))
        stack.append(layers.MaxPooling2D())
        stack.append(layers.Dropout(params.dropout))
    stack.append(layers.Flatten())
    stack += dense_layers(DENSE, params.width, params.dropout)
    stack.append(probabilities(n_classes))
    return chain(stack, "vgg")
