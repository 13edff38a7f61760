"""A second output of an exported network: how unlike its training images an image is."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from stages.networks.layer_graph import trace
from stages.networks.novelty import NEAREST


def with_novelty(model: keras.Model, references: npt.NDArray[np.floating[Any]]) -> keras.Model:
    """Return the network with two outputs: probabilities `(batch, n_classes)`, and novelty `(batch,)`.

    The second is what `stages.networks.novelty` measures, computed in 32 bits.

    Args:
        model: A network from images to probabilities, whose last dense layer has the features as its input.
        references: The features `(m, d)` of training images.
    """
    steps = trace(model)
    features = next(step.inputs[0] for step in reversed(steps) if isinstance(step.layer, keras.layers.Dense))
    known = references.astype(np.float64)
    # 2 - 2 u r, of vectors from their middle, because a network's features may all point nearly the same way: 1 less a
    # cosine of nearly 1 would leave no digits. Kept in 16 bits, a reference is not quite of length 1.
    middle = known.mean(axis=0)
    constant = ((known - middle) ** 2).sum(axis=1) + 1 - (known**2).sum(axis=1)
    unit = ops.normalize(features, axis=-1) - middle.astype(np.float32)
    products = ops.matmul(unit, (known - middle).T.astype(np.float32))
    squares = ops.sum(unit * unit, axis=-1, keepdims=True) + constant.astype(np.float32) - 2 * products
    nearest, _ = ops.top_k(-squares, min(NEAREST, len(known)))
    novelty = ops.sqrt(ops.maximum(-nearest[:, -1], 0))
    return keras.Model(steps[0].output, [steps[-1].output, novelty])
