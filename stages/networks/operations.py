"""What a network costs: counted, so that it is the same on every machine."""

import math
from collections.abc import Iterator

import keras


def count_multiply_adds(model: keras.Model) -> int:
    """Multiplications with an addition each on one image's way through convolutions and dense layers.

    A floating-point operation is half of one. What the other layers do (normalisation, pooling, activation) is left
    out, as in the tables of the networks' papers: it is about 1 % of the work.
    """
    return sum(
        math.prod(weight.shape) * math.prod(layer.output.shape[1:-1])
        for layer in leaves(model)
        for weight in layer.weights
        if weight.path.endswith("kernel")
    )


def leaves(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """The layers that are no models, those of nested models in their place."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from leaves(layer)
        else:
            yield layer
