"""Trainings of the head `logistic`, each of which is one fit."""

from typing import Any

import numpy as np
import numpy.typing as npt

from stages.cross_validate.trainings import Training
from stages.training.batches import Batches
from stages.training.calibration import fit_temperature
from stages.training.logistic import LogisticHead, fit_rows
from stages.training.recipe import class_weights

Floats = npt.NDArray[np.float32]


class LogisticTrainer:
    """A head that is fitted many times to rows of the same pooled activations `(n, channels)`."""

    def __init__(self, pooled: Floats, n_classes: int, settings: Any) -> None:
        self.pooled, self.n_classes, self.settings = pooled, n_classes, settings

    def train(self, training: Training) -> Floats:
        """Return the probabilities `(n, n_classes)` of the training's test rows."""
        train, val, test = (training.splits[name] for name in ("train", "val", "test"))
        settings, weights = self.settings, class_weights(train, self.n_classes, self.settings)
        batches = Batches(
            np.empty(0), train, settings.batch_size, training.seed, weights, label_smoothing=settings.label_smoothing
        )
        head = fit_rows(self.pooled[train.rows], batches, settings.weight_decay)
        temperature = fit_temperature(val.labels, head.probabilities(self.pooled[val.rows]))
        calibrated = LogisticHead(head.kernel / temperature, head.bias / temperature)
        return calibrated.probabilities(self.pooled[test.rows])
