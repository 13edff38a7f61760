"""The outputs of a network, identical to the bit for an image whatever other images are in its batch."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from stages.core.terminal import progress

Floats = npt.NDArray[np.float32]


def predict(model: keras.Model, rows: npt.NDArray[Any], batch_size: int, title: str = "") -> Floats:
    """Return the model's output `(n, …)` for rows `(n, …)`, without augmentation and dropout.

    Args:
        model: A network with one output.
        rows: The inputs, one a row.
        batch_size: The number of rows that are computed at once.
        title: The text before a progress bar; no bar without one.
    """
    outputs = np.empty((len(rows), *model.output_shape[1:]), np.float32)
    for number, output in enumerate(predict_batches(model, rows, batch_size, title)):
        outputs[number * batch_size : (number + 1) * batch_size] = output
    return outputs


def predict_batches(model: keras.Model, rows: npt.NDArray[Any], batch_size: int, title: str = "") -> Iterator[Floats]:
    """Yield the model's output `(at most batch_size, …)` for one batch of rows after the other, as `predict` would.

    The last batch is filled with zeros, because a matrix product of one row adds numbers in another order than a
    product of many rows, which changes the seventh digit. For one batch size and number of threads, the output for a
    row depends only on the row and on its position in the batch. On processors with AVX-512 the position has no effect;
    on other processors (seen on one with AVX2 only) it changes the last digits.
    """
    starts = range(0, len(rows), batch_size)
    # One batch at a time: `model.predict` makes a data pipeline for each call, which takes 80 ms.
    for start in progress(starts, len(starts), title, unit="batch") if title else starts:
        batch = rows[start : start + batch_size]
        filled = np.concatenate([batch, np.zeros((batch_size - len(batch), *rows.shape[1:]), rows.dtype)])
        yield model.predict_on_batch(filled)[: len(batch)]
