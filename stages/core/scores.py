"""Scores of predictions against classes."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from scipy.stats import binomtest
from sklearn.metrics import f1_score, precision_recall_fscore_support

DIGITS = 4


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
