"""Training batches, whose order and augmentations depend only on the seed, the epoch and the batch."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from stages.networks.inputs import SplitRows
from stages.transforms.affine import Augmentation, augment
from stages.transforms.mixing import mix

PREFETCHED = 2  # batches that are made while the network learns from the one before


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches `(x, y, weights)` of one split's rows of an array: y is one-hot, and each row has a weight.

    The order and the augmentations of an epoch follow from `(seed, epoch)`; who trains counts `epoch` from 1. `views`
    `(views, rows of the array, …)` are augmented versions of all rows: in each epoch, a row is replaced by one of its
    views or stays, by chance. Labels are smoothed for training alone: the loss on validation is the plain
    cross-entropy, by which values of `label_smoothing` can be compared.
    """

    def __init__(
        self,
        array: npt.NDArray[Any],
        rows: SplitRows,
        batch_size: int,
        seed: int,
        class_weights: npt.NDArray[np.float64],
        augmentation: Augmentation | None = None,
        views: npt.NDArray[Any] | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.array, self.rows, self.batch_size, self.seed = array, rows, batch_size, seed
        self.class_weights, self.augmentation, self.views = class_weights, augmentation, views
        self.label_smoothing = label_smoothing
        self.epoch = 0

    def __len__(self) -> int:
        return -(-len(self.rows.rows) // self.batch_size)

    def __getitem__(self, batch: int) -> tuple[npt.NDArray[Any], ...]:
        chosen = self.order()[batch * self.batch_size : (batch + 1) * self.batch_size]
        # NumPy pads seeds with zeros: [seed, epoch, 0] would give the same random numbers as the order's [seed, epoch].
        random = np.random.default_rng([self.seed, self.epoch, batch + 1])
        images = self.take(self.rows.rows[chosen], random)
        labels = np.eye(len(self.class_weights), dtype=np.float32)[self.rows.labels[chosen]]
        if self.augmentation is not None and self.augmentation.changes:
            images = np.stack([augment(image, self.augmentation, random) for image in images])
            images, labels = mix(images, labels, self.augmentation, random)
        return images, self.smooth(labels), (labels @ self.class_weights).astype(np.float32)

    def order(self) -> npt.NDArray[np.int64]:
        """Return the positions of the rows in the order of the epoch."""
        return np.random.default_rng([self.seed, self.epoch]).permutation(len(self.rows.rows))

    def smooth(self, labels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the labels with the share `label_smoothing` spread over all classes (Szegedy et al. 2016)."""
        smoothed: npt.NDArray[np.float32] = labels * np.float32(1 - self.label_smoothing)
        return smoothed + np.float32(self.label_smoothing / labels.shape[1])

    def take(self, rows: npt.NDArray[np.int64], random: np.random.Generator) -> npt.NDArray[Any]:
        """Return the rows of the array; if there are views, each row is itself or one of its views, by chance."""
        if self.views is None:
            return self.array[rows]
        chosen = random.integers(len(self.views) + 1, size=len(rows))
        return np.stack([
            self.views[view - 1, row] if view else self.array[row] for row, view in zip(rows, chosen, strict=True)
        ])  # fmt: skip


@dataclass(frozen=True)
class Data:
    """The batches to train on, and the batches to validate each epoch with."""

    training: Batches
    validation: Batches


def readable(batches: Batches) -> Any:
    """Return what `keras.Model.fit` is to read the batches from.

    Of batches as they are, Keras makes a TensorFlow dataset that tunes itself. At the end of each epoch TensorFlow
    waits for the tuning thread, which sleeps 0.01, 0.02, 0.04, … seconds: on two cores, epochs that compute for 5
    seconds took 5 to 10. So with TensorFlow the answer is a dataset that does not tune itself.
    """
    if keras.backend.backend() != "tensorflow":
        return batches
    import tensorflow as tf  # Keras has no option for this.

    signature = tuple(tf.TensorSpec((None, *part.shape[1:]), part.dtype) for part in batches[0])
    dataset = tf.data.Dataset.from_generator(
        lambda: (batches[number] for number in range(len(batches))), output_signature=signature
    )
    options = tf.data.Options()
    options.autotune.enabled = False
    counted = dataset.apply(tf.data.experimental.assert_cardinality(len(batches)))
    return counted.prefetch(PREFETCHED).with_options(options)


def balanced_weights(labels: npt.NDArray[np.int64], n_classes: int) -> npt.NDArray[np.float64]:
    """Return n / (n_classes * rows of the class) for each class, so that all weigh the same (King and Zeng 2001)."""
    counts = np.bincount(labels, minlength=n_classes).clip(
        1
    )  # avoids a division by 0; the weight of a class without rows has no effect
    return len(labels) / (n_classes * counts)
