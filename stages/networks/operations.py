"""The cost of a network as a number of operations, which is the same on every machine."""

import math
from collections.abc import Iterator

import keras


def count_multiply_adds(model: keras.Model) -> int:
    """Return the number of multiply-adds of the convolutions and dense layers for one image.

    A multiply-add is one multiplication and one addition, so two floating-point operations. Other layers
    (normalisation, pooling, activation) are left out, as in the tables of the networks' papers: they are about 1 % of
    the work.
    """
    return sum(
        math.prod(weight.shape) * math.prod(layer.output.shape[1:-1])
        for layer in leaves(model)
        for weight in layer.weights
        if weight.path.endswith("kernel")
    )


def leaves(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """Yield all layers; a nested model yields its layers instead of itself."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from leaves(layer)
        else:
            yield layer
