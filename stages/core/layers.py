"""Layers that several networks share."""

import keras

# Scale and offset that take pixels [0, 255] to the range a network is trained with.
SCALINGS = {"unit": (1 / 255, 0.0), "signed": (1 / 127.5, -1.0)}


def scaling_layer(scaling: str) -> keras.layers.Layer:
    """Pixels [0, 255] to [0, 1] (`unit`) or [-1, 1] (`signed`), as a layer that is saved with the model."""
    scale, offset = SCALINGS[scaling]
    return keras.layers.Rescaling(scale, offset, name=f"scale_{scaling}")


def scaled(units: int, width: float) -> int:
    """So many filters or units at a width, at least one."""
    return max(1, round(units * width))


def convolution(filters: int, kernel_size: int, strides: int = 1, padding: str = "same") -> keras.layers.Layer:
    """A ReLU convolution, initialised as Keras does by default, since all the documents left that alone."""
    return keras.layers.Conv2D(filters, kernel_size, strides, padding, activation="relu")


def dense(units: int) -> keras.layers.Layer:
    """A fully connected ReLU layer."""
    return keras.layers.Dense(units, activation="relu")


def probabilities(n_classes: int) -> keras.layers.Layer:
    """The class probabilities `(batch, n_classes)`, in 32 bits whatever the network computes in."""
    return keras.layers.Dense(n_classes, activation="softmax", dtype="float32", name="probabilities")
