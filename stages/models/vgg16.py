"""VGG16, as film_genres built it or as in the paper: blocks of 3x3 convolutions, two dense layers with dropout.

After Simonyan and Zisserman 2014 (https://arxiv.org/abs/1409.1556), table 1, column D. film_genres counts 12
convolutions and 4 max poolings where the paper has 13 and 5; its blocks of 2, 2, 4, 4 are our reading. It has four
fully connected layers in one place, two and the softmax in another: two and the softmax, as in the paper.
"""

from typing import Literal

import keras
from keras import layers

from stages.networks.layers import add_blocks, add_dense, probabilities, scaling_layer
from stages.networks.network_params import TransferParams

MIN_SIDE = 32  # of the paper's five poolings; film_genres's four would leave something of 16
#   filters, convolutions
FORMS = {
    "film_genres": ((64, 2), (128, 2), (256, 4), (512, 4)),
    "paper": ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)),
}
DENSE = (4096, 4096)


class Params(TransferParams):
    """The section `train.vgg16`; `form` counts on images alone, `trainable_layers` and `head` on activations alone."""

    form: Literal["film_genres", "paper"]


def make_backbone(image_shape: tuple[int, int, int], weights: str | None = None) -> keras.Model:
    """The paper's convolutions: images `(batch, *image_shape)`, scaled `imagenet_bgr`, to `(batch, h, w, 512)`.

    Its weights are random, or those that Keras publishes, for `imagenet`.
    """
    return keras.applications.VGG16(weights=weights, include_top=False, input_shape=image_shape)


def build(shape: tuple[int, int, int], n_classes: int, params: Params) -> keras.Model:
    """Images `(batch, *shape)` in [0, 255] to probabilities `(batch, n_classes)`, with random weights throughout."""
    model = keras.Sequential([keras.Input(shape), scaling_layer(params.scaling)], name="vgg16")
    add_blocks(model, FORMS[params.form], params.width)
    model.add(layers.Flatten())
    add_dense(model, DENSE, params.width, params.dropout)
    model.add(probabilities(n_classes))
    return model
