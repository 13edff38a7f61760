"""Calibration: how far the probabilities that a network states are from how often it is right.

Images are binned by the probability of their predicted class. The calibration error is the root of the mean squared
difference between a bin's mean probability and its share of right predictions. Chance alone makes such differences: a
perfectly calibrated network that is right about two thirds of 150 images has an error of 0.15. What chance adds on
average is therefore taken off (Kumar, Liang and Ma 2019, "Verified Uncertainty Calibration", section 4,
https://arxiv.org/abs/1909.10155), and an interval and the error that is left to chance are given beside it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.results.bootstrap import PERCENTILES, divide, draw_groups, draws_at_once, number_groups
from stages.results.grouped_accuracy import LEAST_GROUPS, count_groups

MOST_BINS = 15
IN_A_BIN = 10  # images, below which there are fewer bins
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Bins:
    """Images `(n,)`: the probability of the predicted class, whether it is the true class, and the bin."""

    confidence: Doubles
    right: Doubles
    bin: npt.NDArray[np.intp]
    number: int

    def sums(self, *columns: Doubles) -> Doubles:
        """Return the sums of each bin, `(columns, bins)`."""
        return np.stack([np.bincount(self.bin, column, self.number) for column in columns])


def make_bins(labels: npt.NDArray[np.integer[Any]], probabilities: npt.NDArray[np.floating[Any]]) -> Bins:
    """Return the images in up to 15 bins of about equally many, as scikit-learn's `calibration_curve` has quantiles.

    Args:
        labels: The numbers of the true classes, `(n,)`.
        probabilities: What the network says, `(n, n_classes)`.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = (labels == probabilities.argmax(axis=1)).astype(np.float64)
    wanted = max(1, min(MOST_BINS, len(labels) // IN_A_BIN))
    edges = np.quantile(confidence, np.arange(1, wanted) / wanted)
    _, numbers = np.unique(np.searchsorted(edges, confidence), return_inverse=True)
    return Bins(confidence, right, numbers, int(numbers.max()) + 1)


def calibration_error(bins: Bins) -> float:
    """Return the calibration error, without what chance adds on average; 0 where chance adds more than there is."""
    sums = bins.sums(np.ones_like(bins.right), bins.confidence, bins.right)
    return float(np.sqrt(max(0.0, without_chance(*sums[:, :, None])[0])))


def gaps(count: Doubles, confidence: Doubles, right: Doubles) -> Doubles:
    """Return the mean squared gap, `(draws,)`, from the sums of each bin and draw, `(bins, draws)`."""
    squared: Doubles = count * ((confidence - right) / np.maximum(count, 1)) ** 2
    return divide(squared.sum(axis=0), count.sum(axis=0))


def without_chance(count: Doubles, confidence: Doubles, right: Doubles) -> Doubles:
    """Return `gaps` less the variance of each bin's share of right predictions; it can be below 0."""
    share = right / np.maximum(count, 1)
    noise: Doubles = count * share * (1 - share) / np.maximum(count - 1, 1)
    return gaps(count, confidence, right) - divide(noise.sum(axis=0), count.sum(axis=0))


def calibration_interval(bins: Bins, groups: npt.NDArray[np.str_], draws: int, seed: int) -> tuple[float, float]:
    """Return the 95 % interval of the calibration error, by the bootstrap over groups; (0, 1) of too few groups.

    In the world of the draws the images at hand are all there are, and their gaps are the truth. How far the error of
    a draw is from that truth is how far the error at hand may be from the real one.
    """
    if count_groups(groups) < LEAST_GROUPS:
        return 0.0, 1.0
    n_groups, group = number_groups(groups)
    cells = group * bins.number + bins.bin
    columns = (np.ones_like(bins.right), bins.confidence, bins.right)
    sums = [np.bincount(cells, each, n_groups * bins.number).reshape(n_groups, bins.number).T for each in columns]
    parts = [
        without_chance(*(each @ weights for each in sums))
        for weights in draw_groups(n_groups, draws, seed, draws_at_once(bins.number))
    ]
    whole = bins.sums(*columns)[:, :, None]
    found, truth = without_chance(*whole)[0], gaps(*whole)[0]
    least, most = np.percentile(np.concatenate(parts) - truth, PERCENTILES)
    low, high = (float(np.sqrt(max(0.0, found - off))) for off in (most, least))
    return low, high


def error_by_chance(bins: Bins, groups: npt.NDArray[np.str_], draws: int, seed: int) -> float:
    """Return the calibration error that a perfectly calibrated network stays below in 95 % of such sets of images.

    Images of one group are taken to be as alike as can be: one random number decides for all of them whether the
    network is right. So the bound is rather too high than too low.
    """
    n_groups, group = number_groups(groups)
    count, confidence = bins.sums(np.ones_like(bins.right), bins.confidence)
    random = np.random.default_rng(seed)
    errors = [
        without_chance(
            count[:, None], confidence[:, None],
            bins.sums((random.random(n_groups)[group] < bins.confidence).astype(np.float64)).T,
        )[0]
        for _ in range(draws)
    ]  # fmt: skip
    return float(np.sqrt(max(0.0, np.percentile(errors, 95))))
