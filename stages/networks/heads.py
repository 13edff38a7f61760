"""Heads: the layers from a backbone's activations to class probabilities."""

import keras
from keras import layers

from stages.networks.layers import chain, dense_layers, probabilities
from stages.networks.network_params import TransferParams

DENSE = (1024, 1024)


def build(shape: tuple[int, ...], n_classes: int, params: TransferParams) -> keras.Model:
    """Return a head from activations `(batch, *shape)` to probabilities `(batch, n_classes)`.

    The head `linear` has global average pooling, which activations `(batch, channels)` do not need, and dropout
    (anime_characters). The head `logistic` is the same without dropout; `stages/training/logistic.py` fits it. The head
    `dense` flattens, normalises the batch and has two dense layers, each with dropout (cars_tanks).
    """
    stack = [keras.Input(shape)]
    if params.head == "dense":
        stack += [layers.Flatten(), layers.BatchNormalization()]
        stack += dense_layers(DENSE, params.width, params.dropout)
    else:
        stack += [layers.GlobalAveragePooling2D()] if len(shape) > 1 else []
        stack += [layers.Dropout(params.dropout)] if params.head == "linear" else []
    stack.append(probabilities(n_classes))
    return chain(stack, f"{params.head}_head")


def put_on(backbone: keras.Model, scaling: keras.layers.Layer, n_classes: int, params: TransferParams) -> keras.Model:
    """Return the network from images in [0, 255] to probabilities `(batch, n_classes)`: scaling, backbone and head."""
    images = keras.Input(backbone.input_shape[1:])
    head = build(backbone.output_shape[1:], n_classes, params)
    return keras.Model(images, head(backbone(scaling(images))), name=backbone.name)
