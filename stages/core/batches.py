"""Training batches: shuffled and augmented by seed, epoch and batch alone, whatever thread makes them."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from stages.core.augmentation import Augmentation, augment
from stages.core.inputs import Part


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """The rows of a part of an array, in batches `(x, y)` or, with class weights, `(x, y, weights)`.

    An epoch's order and its augmentations follow from `(seed, epoch)`. Epochs are counted when they begin: Keras calls
    `on_epoch_end` once more than there are epochs.
    """

    def __init__(
        self,
        array: npt.NDArray[Any],
        part: Part,
        batch_size: int,
        seed: int,
        augmentation: Augmentation | None = None,
        class_weights: npt.NDArray[np.float64] | None = None,
    ) -> None:
        super().__init__()
        self.array, self.part, self.batch_size, self.seed = array, part, batch_size, seed
        self.augmentation, self.class_weights = augmentation, class_weights
        self.epoch = 0

    def __len__(self) -> int:
        return -(-len(self.part.rows) // self.batch_size)

    def __getitem__(self, batch: int) -> tuple[npt.NDArray[Any], ...]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.part.rows))
        chosen = order[batch * self.batch_size : (batch + 1) * self.batch_size]
        images = self.array[self.part.rows[chosen]]
        if self.augmentation is not None and self.augmentation.changes:
            # Seeds are padded with zeros, so that [seed, epoch, 0] would repeat the order's numbers.
            random = np.random.default_rng([self.seed, self.epoch, batch + 1])
            images = np.stack([augment(image, self.augmentation, random) for image in images])
        labels = self.part.labels[chosen]
        return (images, labels) if self.class_weights is None else (images, labels, self.class_weights[labels])

    def on_epoch_begin(self) -> None:
        """Each epoch has its own order and augmentations."""
        self.epoch += 1


def balanced_weights(labels: npt.NDArray[np.int64], n_classes: int) -> npt.NDArray[np.float64]:
    """For each class n / (n_classes * its number): every class weighs the same (King and Zeng 2001)."""
    counts = np.bincount(labels, minlength=n_classes)
    return len(labels) / (n_classes * counts)
