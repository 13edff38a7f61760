"""Thresholds: from which probability on an image may be called by a class's name, if most such calls must be right."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import betainc
from scipy.stats import binomtest
from sklearn.metrics import precision_recall_curve

from stages.results.grouped_accuracy import count_groups
from stages.results.scores import DIGITS, round_values

LEVEL = 0.05  # the chance that a threshold called sure has a lower precision than wanted
STARTS = (0.0, 0.4)  # of the way from the highest threshold to the lowest: where tests begin, each with half of LEVEL
STEPS = 200  # thresholds that are tried at most

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.floating[Any]]
Groups = npt.NDArray[np.str_]


class Threshold(NamedTuple):
    """The lowest probability that is enough, and whether it is sure to be."""

    score: float
    is_sure: bool


def choose_threshold(labels: Flags, scores: Floats, groups: Groups, wanted_precision: float) -> Threshold | None:
    """Return the lowest threshold that is sure to have the wanted precision; if none is, one that has it here; or None.

    Args:
        labels: Whether each image is of the class, `(n,)`.
        scores: The probability of the class for each image, `(n,)`.
        groups: The group of each image, `(n,)`.
        wanted_precision: The share of the images from the threshold on that must be of the class.
    """
    sure = sure_threshold(labels, scores, groups, wanted_precision)
    if sure is not None:
        return Threshold(sure, is_sure=True)
    reached = lowest_threshold(labels, scores, wanted_precision)
    return None if reached is None else Threshold(reached, is_sure=False)


def sure_threshold(labels: Flags, scores: Floats, groups: Groups, wanted_precision: float) -> float | None:
    """Return the lowest score from which on the precision is at least the wanted one, with 95 % certainty; or None.

    A threshold picked because it does well on some images does worse on others. Here each threshold is tested, and the
    chance that any with too low a precision passes is at most 5 % (Learn then Test: Angelopoulos et al. 2021,
    https://arxiv.org/abs/2110.01052, with fixed sequences from several starts). Where the sequences begin follows from
    the scores alone. From each start the test goes to ever lower thresholds and ends at the first that fails.
    """
    level = LEVEL / len(STARTS)
    counts = counts_to_try(len(scores), wanted_precision)
    if not len(counts):
        return None
    order = np.argsort(-scores, kind="stable")
    thresholds = scores[order[counts - 1]]
    passed: list[float] = []
    for start in STARTS:
        tried = thresholds[int(start * len(counts)) :]
        passed += passing(tried, labels, scores, groups, wanted_precision, level)
    return float(min(passed)) if passed else None


def counts_to_try(n: int, wanted_precision: float) -> npt.NDArray[np.intp]:
    """Return how many of n images lie above each threshold that is tried: from the fewest that can pass to all."""
    least = images_needed(wanted_precision)
    if least is None or n < least:
        return np.empty(0, np.intp)
    return np.unique(np.geomspace(least, n, STEPS).round().astype(np.intp))


def images_needed(wanted_precision: float) -> int | None:
    """Return how many images a sure threshold must have above it if all of them are right; None: no number is enough.

    One image a group; if some lie in one group, it takes more.
    """
    if wanted_precision >= 1:
        return None
    return int(np.ceil(np.log(LEVEL / len(STARTS)) / np.log(wanted_precision)))


def passing(
    thresholds: Floats, labels: Flags, scores: Floats, groups: Groups, wanted_precision: float, level: float
) -> Iterator[float]:
    """Yield the thresholds until the first whose precision may be below the wanted one."""
    for threshold in thresholds:
        is_above = scores >= threshold
        if chance_of(labels[is_above], groups[is_above], wanted_precision) > level:
            return
        yield threshold


def chance_of(right: Flags, groups: Groups, precision: float) -> float:
    """Return how probable so many right images, or more, are if the precision is no better than the given one.

    The images of a group count as one, and groups of unlike sizes as the fewer equally large ones that are worth as
    much (Kish 1965): nothing is known of how alike the images above a threshold are.
    """
    count, hits = len(right), int(right.sum())
    if not hits:
        return 1.0
    share, images = hits / count, count_groups(groups)
    return float(betainc(share * images, (1 - share) * images + 1, precision))


def lowest_threshold(labels: Flags, scores: Floats, wanted_precision: float) -> float | None:
    """Return the lowest score for which the rows with at least this score reach the wanted precision, or None.

    The threshold is one of the scores. A higher threshold may be less precise, because precision does not rise
    steadily. The lowest threshold has the highest recall.
    """
    if not labels.any():
        return None
    precision, _, thresholds = precision_recall_curve(labels, scores)
    reached = thresholds[precision[:-1] >= wanted_precision]
    return float(reached[0]) if len(reached) else None


def precision_recall_at(labels: Flags, scores: Floats, threshold: float) -> dict[str, Any]:
    """Return precision and recall of "score >= threshold", the count of such rows, and the precision's 95 % interval.

    The precision and its interval are None if there is no such row. The recall is None if no label is true.
    """
    is_above = scores >= threshold
    count, right, total = int(is_above.sum()), int((is_above & labels).sum()), int(labels.sum())
    precision, recall = right / count if count else None, right / total if total else None
    low, high = wilson_interval(right / count, count) if count else (None, None)
    return round_values({"precision": precision, "recall": recall, "count": count, "low": low, "high": high})


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of `count` images (Wilson 1927); repeated images would make it too narrow."""
    low, high = binomtest(round(share * count), count).proportion_ci(0.95, method="wilson")
    return round(float(low), DIGITS), round(float(high), DIGITS)
