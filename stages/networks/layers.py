"""Layers that several networks share."""

from collections.abc import Iterable

import keras

# Scale and offset that take pixels [0, 255] to the range a network is trained with. Those of `imagenet_bgr` are the
# means over ImageNet of blue, green and red, from `keras.applications.imagenet_utils`, after Simonyan and Zisserman.
SCALINGS: dict[str, tuple[float, float | list[float]]] = {
    "unit": (1 / 255, 0.0),
    "signed": (1 / 127.5, -1.0),
    "imagenet_bgr": (1.0, [-103.939, -116.779, -123.68]),
}


def scaling_layer(scaling: str) -> keras.layers.Layer:
    """RGB pixels [0, 255] to [0, 1] (`unit`), [-1, 1] (`signed`) or BGR less its means, saved with the model.

    In 32 bits whatever the network computes in: bfloat16 would round the means to 104, 117 and 123.5.
    """
    scale, offset = SCALINGS[scaling]
    rescaling = keras.layers.Rescaling(scale, offset, dtype="float32", name=f"scale_{scaling}")
    if scaling != "imagenet_bgr":
        return rescaling
    pixels = keras.Input((None, None, 3))
    return keras.Model(pixels, rescaling(keras.ops.flip(pixels, axis=-1)), name="rgb_to_imagenet_bgr")


def scaled(units: int, width: float) -> int:
    """So many filters or units at a width, at least one."""
    return max(1, round(units * width))


def convolution(filters: int, kernel_size: int, strides: int = 1, padding: str = "same") -> keras.layers.Layer:
    """A ReLU convolution, initialised as Keras does by default, since all the documents left that alone."""
    return keras.layers.Conv2D(filters, kernel_size, strides, padding, activation="relu")


def dense(units: int) -> keras.layers.Layer:
    """A fully connected ReLU layer."""
    return keras.layers.Dense(units, activation="relu")


def add_blocks(model: keras.Sequential, blocks: Iterable[tuple[int, int]], width: float) -> None:
    """The model goes on with VGG's blocks, `(filters, convolutions)`: 3x3 convolutions and a max pooling of 2."""
    for filters, convolutions in blocks:
        for _ in range(convolutions):
            model.add(convolution(scaled(filters, width), 3))
        model.add(keras.layers.MaxPooling2D())


def add_dense(model: keras.Sequential, table: Iterable[int], width: float, dropout: float) -> None:
    """The model goes on with fully connected layers of so many units, dropout after each."""
    for units in table:
        model.add(dense(scaled(units, width)))
        model.add(keras.layers.Dropout(dropout))


def probabilities(n_classes: int) -> keras.layers.Layer:
    """The class probabilities `(batch, n_classes)`, in 32 bits whatever the network computes in."""
    return keras.layers.Dense(n_classes, activation="softmax", dtype="float32", name="probabilities")
