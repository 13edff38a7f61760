"""Scores of predicted probabilities against the true classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    log_loss,
    precision_recall_fscore_support,
    roc_auc_score,
    top_k_accuracy_score,
)

DIGITS = 4
TOPS = (2, 3, 5)
Labels = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]


def score(labels: Labels, probabilities: Floats, classes: Sequence[str]) -> dict[str, Any]:
    """Return the scores of rows whose true class is `classes[label]`, from probabilities `(n, n_classes)`.

    The predicted class is the most probable class, and the first of equally probable ones. A class that no row has
    gets None for everything but its count, and the means over the classes (`balanced_accuracy`, `macro_f1`, `roc_auc`,
    `average_precision`) leave it out. A class that all rows have gets None for its `roc_auc`, and the mean leaves it
    out. The precision and the F1 of a class that is never predicted are 0. Scores are rounded to 4 digits, which is
    finer than the data can resolve.

    Raises:
        ValueError: There are no rows.
    """
    if not len(labels):
        raise ValueError("score: expected at least one row, got none.")
    per_class = score_classes(labels, probabilities)
    tops = {f"top_{k}": top_k_share(k, labels, probabilities) for k in TOPS if k < len(classes)}
    values = {
        "count": len(labels),
        "accuracy": accuracy_score(labels, probabilities.argmax(axis=1)),
        "balanced_accuracy": mean(row["recall"] for row in per_class),
        "macro_f1": mean(row["f1"] for row in per_class),
        "roc_auc": mean(row["roc_auc"] for row in per_class),
        "average_precision": mean(row["average_precision"] for row in per_class),
        "log_loss": log_loss(labels, normalise(probabilities), labels=range(len(classes))),
        **tops,
    }
    named = {name: round_values(row) for name, row in zip(classes, per_class, strict=True)}
    return {**round_values(values), "classes": named}


def score_classes(labels: Labels, probabilities: Floats) -> list[dict[str, Any]]:
    """Return each class's precision, recall, F1, areas under the ROC and precision-recall curves, and count."""
    predicted, n_classes = probabilities.argmax(axis=1), probabilities.shape[1]
    columns = precision_recall_fscore_support(labels, predicted, labels=range(n_classes), zero_division=0)
    rows: list[dict[str, Any]] = []
    for k, (precision, recall, f1, count) in enumerate(zip(*columns, strict=True)):
        is_class, own = labels == k, probabilities[:, k]
        row = {
            "precision": precision,
            "recall": recall,
            "f1": f1,
            "roc_auc": roc_auc_score(is_class, own) if 0 < count < len(labels) else None,
            "average_precision": average_precision_score(is_class, own) if count else None,
        }
        rows.append({**(row if count else dict.fromkeys(row)), "count": int(count)})
    return rows


def mean(values: Any) -> float | None:
    """Return the mean of the values that are not None, or None if all values are None."""
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None


def round_values(values: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers rounded to 4 digits, as JSON holds them; None and counts stay as they are."""
    return {
        name: value if value is None or isinstance(value, int) else round(float(value), DIGITS)
        for name, value in values.items()
    }


def top_k_share(k: int, labels: Labels, probabilities: Floats) -> float:
    """Return the share of rows whose class is among the k most probable; the first of equals counts, as in argmax."""
    n_classes = probabilities.shape[1]  # scikit-learn prefers the last of equals: pass the classes in reverse
    return float(top_k_accuracy_score(n_classes - 1 - labels, probabilities[:, ::-1], k=k, labels=range(n_classes)))


def normalise(probabilities: Floats) -> npt.NDArray[np.float64]:
    """Return the rows in double precision, each with the sum 1.

    The sums of rounded or single-precision probabilities differ from 1 by more than scikit-learn allows.
    """
    doubles: npt.NDArray[np.float64] = probabilities.astype(np.float64)
    doubles /= doubles.sum(axis=1, keepdims=True)
    return doubles


def losses(labels: Labels, probabilities: Floats) -> npt.NDArray[np.float64]:
    """Return each row's cross-entropy in nats, at most 36.04 (a probability of 0 counts as 2.2e-16).

    The mean of the rows is scikit-learn's `log_loss`.
    """
    own = normalise(probabilities)[np.arange(len(labels)), labels]
    return -np.log(np.maximum(own, np.finfo(np.float64).eps))
