"""Tables for plots: ROC and precision-recall curves, reliability and scores by class."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import precision_recall_curve, roc_curve

from stages.results.scores import DIGITS, bin_confidence, score_classes

POINTS = 200
METRICS = ("precision", "recall", "f1", "roc_auc", "average_precision")
Labels = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]
Curve = tuple[Floats, Floats]


def roc_points(labels: Labels, probabilities: Floats, classes: Sequence[str]) -> pd.DataFrame:
    """Each class against the rest: `class`, `false_positive_rate` ascending, `true_positive_rate`.

    At most 200 points a class; a class that no row or every row has is left out, as it has no such curve.
    """

    def curve(is_class: npt.NDArray[np.bool_], scores: Floats) -> Curve:
        false_positive_rate, true_positive_rate, _ = roc_curve(is_class, scores)
        return false_positive_rate, true_positive_rate

    columns = ["class", "false_positive_rate", "true_positive_rate"]
    return pd.DataFrame(one_vs_rest(curve, labels, probabilities, classes), columns=columns)


def precision_recall_points(labels: Labels, probabilities: Floats, classes: Sequence[str]) -> pd.DataFrame:
    """Each class against the rest: `class`, `recall` ascending, `precision`; at most 200 points a class.

    The first point of each, recall 0 and precision 1, stands for no threshold. The same classes are left out as in
    `roc_points`.
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
    """The points of each class's curve, with its name."""
    for k, name in enumerate(classes):
        is_class = labels == k
        if is_class.any() and not is_class.all():
            for x, y in zip(*thin(*curve(is_class, probabilities[:, k])), strict=True):
                yield name, round(float(x), DIGITS), round(float(y), DIGITS)


def thin(x: Floats, y: Floats) -> Curve:
    """The curve with at most 200 of its points, both ends among them.

    The way along the curve is cut into equal parts and the first point of each is kept, so that none that is left out
    is farther than a 198th of that way from one that stays: at most 0.011 in an ROC curve.
    """
    if len(x) <= POINTS:
        return x, y
    way = np.concatenate([[0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    parts = np.floor(way / way[-1] * (POINTS - 2))
    kept = np.union1d(np.unique(parts, return_index=True)[1], len(x) - 1)
    return x[kept], y[kept]


def reliability(labels: Labels, probabilities: Floats) -> pd.DataFrame:
    """`confidence`, `accuracy` and `count` of each of 15 bins of the predicted class's probability that has rows."""
    confidence, accuracy, count = bin_confidence(labels, probabilities)
    return pd.DataFrame({
        "confidence": confidence.round(DIGITS), "accuracy": accuracy.round(DIGITS), "count": count,
    })  # fmt: skip


def per_class_bars(labels: Labels, probabilities: Floats, classes: Sequence[str]) -> pd.DataFrame:
    """`class`, `metric` and `value` of each class's scores as in `scores.score`, without what is undefined."""
    rows = [
        (name, metric, round(float(values[metric]), DIGITS))
        for name, values in zip(classes, score_classes(labels, probabilities), strict=True)
        for metric in METRICS
        if values[metric] is not None
    ]
    return pd.DataFrame(rows, columns=["class", "metric", "value"])
