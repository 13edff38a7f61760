"""What stands on a backbone: its activations to class probabilities."""

import keras
from keras import layers

from stages.core.layers import dense, probabilities, scaled

DENSE = (1024, 1024)


def build(head: str, shape: tuple[int, int, int], n_classes: int, dropout: float, width: float) -> keras.Model:
    """Activations `(batch, *shape)` to probabilities `(batch, n_classes)`.

    `linear` is global average pooling and dropout (anime_characters); `dense` flattens, normalises the batch and has
    two dense layers, each with dropout (cars_tanks).
    """
    model = keras.Sequential([keras.Input(shape)], name=f"{head}_head")
    if head == "linear":
        model.add(layers.GlobalAveragePooling2D())
        model.add(layers.Dropout(dropout))
    else:
        model.add(layers.Flatten())
        model.add(layers.BatchNormalization())
        for units in DENSE:
            model.add(dense(scaled(units, width)))
            model.add(layers.Dropout(dropout))
    model.add(probabilities(n_classes))
    return model
