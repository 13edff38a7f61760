"""The devices of a training: one device, or several GPUs with a copy of the model on each."""

from contextlib import AbstractContextManager, nullcontext

import keras


def scope(gpus: int) -> AbstractContextManager[object]:
    """Return the context in which a model must be built and compiled to divide each batch among the GPUs.

    For 1 the backend chooses the device: a GPU if there is one.

    Raises:
        ValueError: There are fewer GPUs, or Keras's backend is not TensorFlow.
    """
    if gpus == 1:
        return nullcontext()
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"params.yaml train.common.gpus: expected 1 with Keras on {keras.backend.backend()}, got {gpus}."
        )
    found = list_gpus()
    if len(found) < gpus:
        raise ValueError(f"params.yaml train.common.gpus: expected at most the {len(found)} there are, got {gpus}.")
    import tensorflow as tf

    context: AbstractContextManager[object] = tf.distribute.MirroredStrategy(found[:gpus]).scope()
    return context


def list_gpus() -> list[str]:
    """Return the names of the GPUs that TensorFlow finds."""
    import tensorflow as tf  # Keras has no function for this list.

    return [device.name.removeprefix("/physical_device:") for device in tf.config.list_physical_devices("GPU")]
