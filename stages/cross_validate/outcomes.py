"""What trainings of a cross-validation said of their test images, and how often they were right."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stages.cross_validate.trainings import Training
from stages.results.grouped_accuracy import accuracy_interval
from stages.results.scores import DIGITS

Floats = npt.NDArray[np.float32]
Shares = npt.NDArray[np.float64]


class Outcome(NamedTuple):
    """A training, and the probabilities `(n, n_classes)` of its test rows."""

    training: Training
    probabilities: Floats


def training_images(outcomes: list[Outcome]) -> int:
    """Return from how many images the trainings learned, in the mean."""
    return round(float(np.mean([len(one.training.splits["train"].rows) for one in outcomes])))


def right_by_deal(outcomes: list[Outcome], labels: npt.NDArray[np.int64], deals: int) -> Shares:
    """Return whether each image was predicted right in each deal, `(n, deals)`: 1, 0, or NaN if it was not tested."""
    right = np.full((len(labels), deals), np.nan)
    for training, probabilities in outcomes:
        rows = training.splits["test"].rows
        right[rows, training.deal] = probabilities.argmax(axis=1) == labels[rows]
    return right


def with_interval(right: Shares, groups: npt.NDArray[np.str_]) -> dict[str, float]:
    """Return an accuracy with its 95 % interval."""
    low, high = accuracy_interval(right, groups)
    return rounded({"accuracy": np.nanmean(right, axis=1).mean(), "low": low, "high": high})


def rounded(values: dict[str, Any]) -> dict[str, float]:
    """Return the numbers as JSON holds them."""
    return {name: round(float(value), DIGITS) for name, value in values.items()}
