"""ConvNet: five blocks of convolution, batch normalisation, leaky ReLU and max pooling, under one softmax layer.

kuroko_kagami does not list its layers; these are those of its data's author
(https://github.com/developer0hye/Custom-CNN-based-Image-Classification-in-PyTorch), and the kernel size is what
kuroko_kagami varied, from 3 to 25. The readings are ours where nothing is given: same padding, PyTorch's slope of 0.01
and its batch statistics that move by a tenth a step (Keras's hundredth is slow for 15 steps an epoch), and the head:
flatten, dropout, softmax.
"""

import keras
from keras import layers
from pydantic import Field

from stages.networks.layers import probabilities, scaled, scaling_layer
from stages.networks.network_params import NetworkParams

MIN_SIDE = 32
BLOCKS = (16, 32, 64, 128, 256)  # filters
SLOPE = 0.01
MOMENTUM = 0.9


class Params(NetworkParams):
    """The section `train.convnet`."""

    kernel_size: int = Field(ge=1)


def build(shape: tuple[int, int, int], n_classes: int, params: Params) -> keras.Model:
    """Images `(batch, *shape)` in [0, 255] to probabilities `(batch, n_classes)`."""
    model = keras.Sequential([keras.Input(shape), scaling_layer(params.scaling)], name="convnet")
    for filters in BLOCKS:
        model.add(layers.Conv2D(scaled(filters, params.width), params.kernel_size, padding="same"))
        model.add(layers.BatchNormalization(momentum=MOMENTUM))
        model.add(layers.LeakyReLU(SLOPE))
        model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    model.add(layers.Dropout(params.dropout))
    model.add(probabilities(n_classes))
    return model
