"""A network's probabilities, the same bits for an image whichever others stand beside it in its batch."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt


def predict(model: keras.Model, rows: npt.NDArray[Any], batch_size: int, verbose: int = 0) -> npt.NDArray[np.float32]:
    """The model's output `(n, …)` for rows `(n, …)`; nothing is augmented or dropped out.

    The last batch is filled up, because matrix products of one row add up in another order than those of many, which
    moves the seventh digit. At one batch size and thread count the output for a row depends on nothing but that row
    and its place in the batch. On processors with AVX-512 the place does not matter either; on others (seen on one
    with AVX2 alone) it moves the last digits.
    """
    whole = len(rows) // batch_size * batch_size
    rest = rows[whole:]
    filled = np.concatenate([rest, np.zeros((batch_size - len(rest), *rows.shape[1:]), rows.dtype)])
    parts = [rows[:whole]] * bool(whole) + [filled] * bool(len(rest))
    outputs = [model.predict(part, batch_size=batch_size, verbose=verbose) for part in parts]
    return np.concatenate(outputs)[: len(rows)] if outputs else np.empty((0, *model.output_shape[1:]), np.float32)
