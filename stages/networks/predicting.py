"""The outputs of a network, identical to the bit for an image whatever other images are in its batch."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt


def predict(model: keras.Model, rows: npt.NDArray[Any], batch_size: int, verbose: int = 0) -> npt.NDArray[np.float32]:
    """Return the model's output `(n, …)` for rows `(n, …)`, without augmentation and dropout.

    The last batch is filled with zeros, because a matrix product of one row adds numbers in another order than a
    product of many rows, which changes the seventh digit. For one batch size and number of threads, the output for a
    row depends only on the row and on its position in the batch. On processors with AVX-512 the position has no effect;
    on other processors (seen on one with AVX2 only) it changes the last digits.
    """
    whole = len(rows) // batch_size * batch_size
    rest = rows[whole:]
    filled = np.concatenate([rest, np.zeros((batch_size - len(rest), *rows.shape[1:]), rows.dtype)])
    parts = [rows[:whole]] * bool(whole) + [filled] * bool(len(rest))
    outputs = [model.predict(part, batch_size=batch_size, verbose=verbose) for part in parts]
    return np.concatenate(outputs)[: len(rows)] if outputs else np.empty((0, *model.output_shape[1:]), np.float32)
