"""The learning curve: how often a network is right that learned from fewer images, and what more images may bring."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.cross_validate.outcomes import Outcome, Shares, right_by_deal, rounded, training_images, with_interval
from stages.cross_validate.trainings import SHARE, count_deals
from stages.results.grouped_accuracy import accuracy_difference

HALF = 0.5


def learning_curve(
    outcomes: list[Outcome], right: Shares, folds: pd.DataFrame, labels: npt.NDArray[np.int64]
) -> dict[str, Any]:
    """Return a point for each share of the training images, and what twice as many images may bring; empty without.

    Each point has the accuracy and what is won from there to all training images, both with intervals.

    Args:
        outcomes: The outcomes of all trainings.
        right: Whether each image was predicted right after training on all training images, `(n, deals)`.
        folds: The table of folds.
        labels: The class numbers of its rows, `(n,)`.
    """
    groups = folds["group"].to_numpy(dtype=str)
    points = []
    for series in sorted({one.training.series for one in outcomes if one.training.series.startswith(SHARE)}):
        own = [one for one in outcomes if one.training.series == series]
        fewer = right_by_deal(own, labels, count_deals(folds))
        gain = accuracy_difference(right, fewer, groups)
        points.append({
            "share": float(series.removeprefix(SHARE)),
            "training_images": training_images(own),
            **with_interval(fewer, groups),
            "gain": rounded({"difference": right.mean() - fewer.mean(), "low": gain.low, "high": gain.high}),
        })  # fmt: skip
    if not points:
        return {}
    return {"points": points} | expect_from_twice(float(1 - right.mean()), points)


def expect_from_twice(mistakes: float, points: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what twice as many training images may bring, if they lower the share of mistakes as the last did.

    Shares of mistakes fall about as a power of the number of images (Hestness et al. 2017,
    https://arxiv.org/abs/1712.00409): from half of the images to all by the same factor as from all to twice as many.
    The ends of the interval follow from those of the gain from half to all, a loss as it is.

    Args:
        mistakes: The share of mistakes after training on all training images.
        points: The points of the curve, of which one must be at half.
    """
    half = next((point["gain"] for point in points if point["share"] == HALF), None)
    if half is None or not mistakes or (half["low"], half["high"]) == (-1, 1):  # too few groups
        return {}
    return {"twice": rounded({end: mistakes * gain / (mistakes + max(gain, 0)) for end, gain in half.items()})}
