"""ConvNet: five blocks of convolution, batch normalisation, leaky ReLU and max pooling, and one softmax layer.

kuroko_kagami does not list its layers. These are the layers of the author of its data
(https://github.com/developer0hye/Custom-CNN-based-Image-Classification-in-PyTorch). The kernel size is what
kuroko_kagami varied, from 3 to 25. Neither source gives the following, which we chose: "same" padding, PyTorch's
slope of 0.01, PyTorch's momentum of the batch statistics (a tenth for each step, because Keras's hundredth is slow for
15 steps an epoch), and the head of flatten, dropout and softmax.
"""

import keras
from keras import layers
from pydantic import Field

from stages.networks.layers import chain, probabilities, scaled, scaling_layer
from stages.networks.network_params import NetworkParams

MIN_SIDE = 32
BLOCKS = (16, 32, 64, 128, 256)  # filters
SLOPE = 0.01
MOMENTUM = 0.9


class Params(NetworkParams):
    """The section `train.convnet`."""

    kernel_size: int = Field(ge=1)


def build(shape: tuple[int, int, int], n_classes: int, params: Params) -> keras.Model:
    """Return the network from images `(batch, *shape)` in [0, 255] to probabilities `(batch, n_classes)`."""
    stack = [keras.Input(shape), scaling_layer(params.scaling)]
    for filters in BLOCKS:
        stack.append(layers.Conv2D(scaled(filters, params.width), params.kernel_size, padding="same"))
        stack.append(layers.BatchNormalization(momentum=MOMENTUM))
        stack.append(layers.LeakyReLU(SLOPE))
        stack.append(layers.MaxPooling2D())
    stack.append(layers.Flatten())
    stack.append(layers.Dropout(params.dropout))
    stack.append(probabilities(n_classes))
    return chain(stack, "convnet")
