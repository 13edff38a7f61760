"""Where a training runs: on one device, or on copies of the model on several GPUs."""

from contextlib import AbstractContextManager, nullcontext

import keras


def scope(gpus: int) -> AbstractContextManager[object]:
    """The context in which a model must be built and compiled: each batch is divided among so many GPUs.

    With 1 the model is where the backend puts it, on a GPU if there is one.

    Raises:
        ValueError: there are fewer GPUs, or Keras's backend is not TensorFlow.
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
    """The names of TensorFlow's GPUs."""
    import tensorflow as tf  # Keras has no call for these.

    return [device.name.removeprefix("/physical_device:") for device in tf.config.list_physical_devices("GPU")]
