"""The tables behind the plots: ROC and precision-recall curves, reliability, and the scores of each class."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import precision_recall_curve, roc_curve

from stages.evaluate.calibration import make_bins
from stages.results.scores import DIGITS, score_classes

POINTS = 200
METRICS = ("precision", "recall", "f1", "roc_auc", "average_precision")
Labels = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]
Curve = tuple[Floats, Floats]


def roc_points(labels: Labels, probabilities: Floats, classes: Sequence[str]) -> pd.DataFrame:
    """Return each class against the rest: `class`, `false_positive_rate` in ascending order, `true_positive_rate`.

    A class has at most 200 points. A class that no row or every row has is left out, because it has no ROC curve.
    """

    def curve(is_class: npt.NDArray[np.bool_], scores: Floats) -> Curve:
        false_positive_rate, true_positive_rate, _ = roc_curve(is_class, scores)
        return false_positive_rate, true_positive_rate

    columns = ["class", "false_positive_rate", "true_positive_rate"]
    return pd.DataFrame(one_vs_rest(curve, labels, probabilities, classes), columns=columns)


def precision_recall_points(labels: Labels, probabilities: Floats, classes: Sequence[str]) -> pd.DataFrame:
    """Return each class against the rest: `class`, `recall` in ascending order, `precision`.

    A class has at most 200 points. The first point of each class, recall 0 and precision 1, belongs to no threshold.
    The classes that `roc_points` leaves out are left out here too.
    """

    def curve(is_class: npt.NDArray[np.bool_], scores: Floats) -> Curve:
        precision, recall, _ = precision_recall_curve(is_class, scores, drop_intermediate=True)
        return recall[::-1], precision[::-1]

    return pd.DataFrame(
        one_vs_rest(curve, labels, probabilities, classes), columns=["class", "recall", "precision"]
    )  # fmt: skip


def one_vs_rest(
    curve: Callable[[npt.NDArray[np.bool_], Floats], Curve],
    labels: Labels, probabilities: Floats, classes: Sequence[str],
) -> Iterator[tuple[str, float, float]]:  # fmt: skip
    """Yield the points of each class's curve, with the name of the class."""
    for k, name in enumerate(classes):
        is_class = labels == k
        if is_class.any() and not is_class.all():
            for x, y in zip(*thin(*curve(is_class, probabilities[:, k])), strict=True):
                yield name, round(float(x), DIGITS), round(float(y), DIGITS)


def thin(x: Floats, y: Floats) -> Curve:
    """Return the curve with at most 200 of its points, both ends among them.

    The length of the curve, measured along its steps in x and y, is cut into 198 equal parts, and the first point of
    each part is kept. A point that is left out is thus at most a 198th of that length from a point that stays, which
    is at most 0.011 in an ROC curve.
    """
    if len(x) <= POINTS:
        return x, y
    length = np.concatenate([[0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    parts = np.floor(length / length[-1] * (POINTS - 2))
    kept = np.union1d(np.unique(parts, return_index=True)[1], len(x) - 1)
    return x[kept], y[kept]


def reliability(labels: Labels, probabilities: Floats) -> pd.DataFrame:
    """Return the mean `confidence`, the `accuracy` and the `count` of each bin of the calibration error."""
    bins = make_bins(labels, probabilities)
    count, confidence, accuracy = bins.sums(np.ones_like(bins.right), bins.confidence, bins.right)
    return pd.DataFrame({
        "confidence": (confidence / count).round(DIGITS), "accuracy": (accuracy / count).round(DIGITS),
        "count": count.astype(int),
    })  # fmt: skip


def per_class_bars(labels: Labels, probabilities: Floats, classes: Sequence[str]) -> pd.DataFrame:
    """Return `class`, `metric` and `value` of each class's scores as in `scores.score`, without undefined scores."""
    rows = [
        (name, metric, round(float(values[metric]), DIGITS))
        for name, values in zip(classes, score_classes(labels, probabilities), strict=True)
        for metric in METRICS
        if values[metric] is not None
    ]
    return pd.DataFrame(rows, columns=["class", "metric", "value"])
