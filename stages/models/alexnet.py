"""AlexNet: five convolutions, three overlapping max poolings, and three dense layers with dropout before each.

After Krizhevsky, Sutskever and Hinton 2012 (https://papers.nips.cc/paper/4824). Unlike the paper, and like most later
implementations, it has one tower and no local response normalisation. At the paper's 227 pixels 6x6 positions are left
before the dense layers, at 96 pixels 1x1. film_genres has up to three dropout layers and the paper has two; this
network has one before each dense layer.
"""

import keras
from keras import layers

from stages.networks.layers import chain, convolution, dense, probabilities, scaled, scaling_layer
from stages.networks.network_params import NetworkParams

MIN_SIDE = 67
#          filters, kernel, strides, padding, pooled
TABLE = (
    (96, 11, 4, "valid", True),
    (256, 5, 1, "same", True),
    (384, 3, 1, "same", False),
    (384, 3, 1, "same", False),
    (256, 3, 1, "same", True),
)  # fmt: skip
DENSE = (4096, 4096)


class Params(NetworkParams):
    """The section `train.alexnet`."""


def build(shape: tuple[int, int, int], n_classes: int, params: Params) -> keras.Model:
    """Return the network from images `(batch, *shape)` in [0, 255] to probabilities `(batch, n_classes)`."""
    stack = [keras.Input(shape), scaling_layer(params.scaling)]
    for filters, kernel_size, strides, padding, is_pooled in TABLE:
        stack.append(convolution(scaled(filters, params.width), kernel_size, strides, padding))
        if is_pooled:
            stack.append(layers.MaxPooling2D(pool_size=3, strides=2))
    stack.append(layers.Flatten())
    for units in DENSE:
        stack.append(layers.Dropout(params.dropout))
        stack.append(dense(scaled(units, params.width)))
    stack.append(layers.Dropout(params.dropout))
    stack.append(probabilities(n_classes))
    return chain(stack, "alexnet")
