"""Training batches: shuffled and augmented by seed, epoch and batch alone, whatever thread makes them."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from stages.networks.inputs import Part
from stages.transforms.affine import Augmentation, augment
from stages.transforms.mixing import mix


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """The rows of a part of an array, in batches `(x, y, weights)`: y one-hot, a weight for each row.

    An epoch's order and its augmentations follow from `(seed, epoch)`. Epochs are counted when they begin: Keras calls
    `on_epoch_end` once more than there are epochs. `views` `(views, rows of the array, …)` are augmented versions of
    all rows, of which each row shows one, or itself, in each epoch.
    """

    def __init__(
        self,
        array: npt.NDArray[Any],
        part: Part,
        batch_size: int,
        seed: int,
        class_weights: npt.NDArray[np.float64],
        augmentation: Augmentation | None = None,
        views: npt.NDArray[Any] | None = None,
    ) -> None:
        super().__init__()
        self.array, self.part, self.batch_size, self.seed = array, part, batch_size, seed
        self.class_weights, self.augmentation, self.views = class_weights, augmentation, views
        self.epoch = 0

    def __len__(self) -> int:
        return -(-len(self.part.rows) // self.batch_size)

    def __getitem__(self, batch: int) -> tuple[npt.NDArray[Any], ...]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.part.rows))
        chosen = order[batch * self.batch_size : (batch + 1) * self.batch_size]
        # Seeds are padded with zeros, so that [seed, epoch, 0] would repeat the order's numbers.
        random = np.random.default_rng([self.seed, self.epoch, batch + 1])
        images = self.take(self.part.rows[chosen], random)
        labels = np.eye(len(self.class_weights), dtype=np.float32)[self.part.labels[chosen]]
        if self.augmentation is not None and self.augmentation.changes:
            images = np.stack([augment(image, self.augmentation, random) for image in images])
            images, labels = mix(images, labels, self.augmentation, random)
        return images, labels, (labels @ self.class_weights).astype(np.float32)

    def take(self, rows: npt.NDArray[np.int64], random: np.random.Generator) -> npt.NDArray[Any]:
        """The rows of the array or, where there are views, of one of these by chance."""
        if self.views is None:
            return self.array[rows]
        chosen = random.integers(len(self.views) + 1, size=len(rows))
        return np.stack([
            self.views[view - 1, row] if view else self.array[row] for row, view in zip(rows, chosen, strict=True)
        ])  # fmt: skip

    def on_epoch_begin(self) -> None:
        """Each epoch has its own order and augmentations."""
        self.epoch += 1


def balanced_weights(labels: npt.NDArray[np.int64], n_classes: int) -> npt.NDArray[np.float64]:
    """For each class n / (n_classes * its number): every class weighs the same (King and Zeng 2001)."""
    counts = np.bincount(labels, minlength=n_classes).clip(1)  # a class without rows weighs whatever it may
    return len(labels) / (n_classes * counts)
