"""Scores of predictions against classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import binomtest
from sklearn.metrics import f1_score, precision_recall_fscore_support

DIGITS = 4
Labels = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]


def score(predictions: pd.DataFrame, classes: Sequence[str]) -> dict[str, Any]:
    """Accuracy, macro F1 and each class's precision, recall and count, for rows with `class` and `predicted`.

    The precision of a class that was never predicted is 0, and so is its F1. Rounded to 4 digits, which is finer than
    any of these data can tell.
    """
    true, predicted = predictions["class"], predictions["predicted"]
    precision, recall, _, count = precision_recall_fscore_support(true, predicted, labels=classes, zero_division=0)
    per_class = {
        name: {"precision": round(float(p), DIGITS), "recall": round(float(r), DIGITS), "count": int(n)}
        for name, p, r, n in zip(classes, precision, recall, count, strict=True)
    }
    return {
        "accuracy": round(float((true == predicted).mean()), DIGITS),
        "macro_f1": round(float(f1_score(true, predicted, labels=classes, average="macro", zero_division=0)), DIGITS),
        "count": len(predictions),
        "classes": per_class,
    }


def interval(accuracy: float, count: int) -> tuple[float, float]:
    """The 95 % interval of an accuracy over so many images (Wilson 1927); repeated images would make it too narrow."""
    low, high = binomtest(round(accuracy * count), count).proportion_ci(0.95, method="wilson")
    return round(float(low), DIGITS), round(float(high), DIGITS)


def normalise(probabilities: Floats) -> npt.NDArray[np.float64]:
    """The rows with the sum 1 in double precision: sums of rounded or single ones miss it by more than it allows."""
    doubles: npt.NDArray[np.float64] = probabilities.astype(np.float64)
    normal: npt.NDArray[np.float64] = doubles / doubles.sum(axis=1, keepdims=True)
    return normal


def losses(labels: Labels, probabilities: Floats) -> npt.NDArray[np.float64]:
    """Each row's cross-entropy in nats, at most 36.04 (a probability of 0 counts as 2.2e-16)."""
    own = normalise(probabilities)[np.arange(len(labels)), labels]
    values: npt.NDArray[np.float64] = -np.log(np.maximum(own, np.finfo(np.float64).eps))
    return values
