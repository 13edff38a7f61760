"""Files of weights, written only where the disk has room for them: HDF5 does not end well where it has none."""

import errno
import os
import shutil
from pathlib import Path

import keras

OVERHEAD = 1.02, 2_000_000  # times the weights' own bytes, and bytes more: what HDF5 and zip add


def check_room(model: keras.Model, folder: Path, copies: int = 1) -> None:
    """Check that the disk of a folder has room for the weights of a model, several times over.

    Raises:
        OSError: It has not (ENOSPC), as an error of the disk itself would say.
    """
    size = sum(weight.nbytes for weight in model.get_weights())
    factor, more = OVERHEAD
    if shutil.disk_usage(folder).free < copies * (size * factor + more):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def save_weights(model: keras.Model, path: Path) -> None:
    """Write the weights of a model to a path that ends in `.weights.h5`.

    Raises:
        OSError: The disk has no room for them.
    """
    check_room(model, path.parent)
    model.save_weights(path)
