"""VGG16 as in film_genres or as in the paper: blocks of 3x3 convolutions, and two dense layers with dropout.

After Simonyan and Zisserman 2014 (https://arxiv.org/abs/1409.1556), table 1, column D. film_genres counts 12
convolutions and 4 max poolings, and the paper has 13 and 5; we read film_genres's blocks as 2, 2, 4 and 4 convolutions.
In one place film_genres names four fully connected layers, in another place two and the softmax. This network has two
and the softmax, as in the paper.
"""

from typing import Literal

import keras
from keras import layers

from stages.networks.layers import blocks, chain, dense_layers, probabilities, scaling_layer
from stages.networks.network_params import TransferParams

MIN_SIDE = 32  # for the paper's five poolings; film_genres's four poolings could take 16
#   filters, convolutions
FORMS = {
    "film_genres": ((64, 2), (128, 2), (256, 4), (512, 4)),
    "paper": ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)),
}
DENSE = (4096, 4096)


class Params(TransferParams):
    """The section `train.vgg16`: `form` is for training on images, `trainable_layers` and `head` for activations."""

    form: Literal["film_genres", "paper"]


def build(shape: tuple[int, int, int], n_classes: int, params: Params) -> keras.Model:
    """Return the network from images `(batch, *shape)` in [0, 255] to probabilities `(batch, n_classes)`.

    All its weights are random.
    """
    stack = [keras.Input(shape), scaling_layer(params.scaling)]
    stack += blocks(FORMS[params.form], params.width)
    stack.append(layers.Flatten())
    stack += dense_layers(DENSE, params.width, params.dropout)
    stack.append(probabilities(n_classes))
    return chain(stack, "vgg16")
