"""EfficientNet-Lite0 with ImageNet weights, frozen except for its last `trainable_layers` layers, under a small head.

EfficientNet (Tan and Le 2019, https://arxiv.org/abs/1905.11946) without squeeze and excitation and with ReLU6, as its
authors made it for phones, built by `keras_cv`. It was trained at 224 pixels and takes any size of at least 32.
"""

import keras

from stages.networks import heads
from stages.networks.layers import scaling_layer
from stages.networks.network_params import TransferParams

MIN_SIDE = 32

# Kernel size, repeats, filters from and to, expansion and stride of each stack of blocks: table 1 of the paper.
STACKS = (
    (3, 1, 32, 16, 1, 1), (3, 2, 16, 24, 6, 2), (5, 2, 24, 40, 6, 2), (3, 3, 40, 80, 6, 2),
    (5, 3, 80, 112, 6, 1), (5, 4, 112, 192, 6, 2), (3, 1, 192, 320, 6, 1),
)  # fmt: skip


class Params(TransferParams):
    """The section `train.efficientnet_lite0`."""


def make_backbone(image_shape: tuple[int, int, int], weights: str | None = None) -> keras.Model:
    """Return the network without its top and with random weights.

    It goes from images `(batch, *image_shape)`, scaled `efficientnet_lite`, to `(batch, h, w, 1280)`.

    Raises:
        ValueError: Weights are asked for, which Keras does not publish for this network.
    """
    if weights is not None:
        raise ValueError("expected a mirror pip: or file:, because Keras publishes no weights of efficientnet_lite0.")
    from keras_cv.models import EfficientNetLiteBackbone  # It takes seconds to import.

    kernel_sizes, repeats, filters_from, filters_to, expansions, strides = map(list, zip(*STACKS, strict=True))
    backbone = EfficientNetLiteBackbone(
        include_rescaling=False, width_coefficient=1.0, depth_coefficient=1.0, drop_connect_rate=0.0,
        stackwise_kernel_sizes=kernel_sizes, stackwise_num_repeats=repeats, stackwise_input_filters=filters_from,
        stackwise_output_filters=filters_to, stackwise_expansion_ratios=expansions, stackwise_strides=strides,
        input_shape=image_shape,
    )  # fmt: skip
    # As a plain model of Keras's own layers, which a saved file needs no other package for.
    return keras.Model(backbone.input, backbone.output, name="efficientnet_lite0")


def build(shape: tuple[int, int, int], n_classes: int, params: Params) -> keras.Model:
    """Return the network from images `(batch, *shape)` in [0, 255] to probabilities `(batch, n_classes)`.

    All its weights are random.
    """
    return heads.put_on(make_backbone(shape), scaling_layer(params.scaling), n_classes, params)
