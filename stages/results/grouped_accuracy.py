"""Accuracies of images in groups: the interval of one, and interval and test of the difference of two.

Images of a group are alike: a network that is right about one of them is mostly right about the others. So a group of
five says less than five images. How much less is its correlation, which a few mistakes hardly show; the estimate is
therefore mixed with a correlation of a half, which many mistakes outweigh. From it follows the effective number of
images (Kish 1965), which is never higher than the one from the spread of the groups' own sums (Rao and Scott 1992,
https://doi.org/10.2307/2532311), and the degrees of freedom (Satterthwaite 1946). The interval of an accuracy is
Wilson's with these numbers, as Korn and Graubard 1998 have it for Clopper and Pearson's. The test of a difference is
Obuchowski's (1998) for matched pairs in groups, and its interval holds the differences that the test does not reject:
they cannot contradict each other. `benchmarks/results/coverage.md` says how often they are right.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.stats import t

PRIOR, PRIOR_IMAGES = 0.5, 20  # the correlation mixed in, and with how many mistakes that have a fellow in their group
ADDED = 1.0  # image right for one network and wrong for the other that is added, half each way (Agresti and Min 2005)
LEAST_GROUPS = 10  # effective groups below which nothing is said
LEVEL = 0.05
DIGITS, DIGITS_OF_ENDS = 4, 9  # of a difference; an end near 0 could with fewer be rounded to 0, and contradict p

Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class Evidence(NamedTuple):
    """The number of independent images that say as much, and the degrees of freedom of their variance."""

    images: float
    freedom: float


class Difference(NamedTuple):
    """The ends of the interval of a difference, and the two-sided p-value of no difference."""

    low: float
    high: float
    p: float

    def as_values(self, difference: float) -> dict[str, float]:
        """Return the difference and these numbers as JSON holds them."""
        ends = {"low": round(self.low, DIGITS_OF_ENDS), "high": round(self.high, DIGITS_OF_ENDS)}
        return {"difference": round(float(difference), DIGITS), **ends, "p": self.p}


def accuracy_interval(
    right: Flags | Doubles, groups: npt.NDArray[np.str_], level: float = LEVEL
) -> tuple[float, float]:
    """Return the interval of an accuracy, at 95 % if no other level is given; (0, 1) of too few groups.

    `right` has whether each image is right `(n,)`; or for several trainings `(n, trainings)`, with NaN where a training
    did not test the image. The interval then holds for other trainings too.
    """
    if count_groups(groups) < LEAST_GROUPS:
        return 0.0, 1.0
    values = average(right)
    share = float(values.mean())
    evidence = weigh(values, groups, min(share, 1 - share))
    evidence = add_noise(evidence, share * (1 - share), training_noise(right), level)
    z = t.ppf(1 - level / 2, evidence.freedom)
    pull = z * z / evidence.images
    middle = (share + pull / 2) / (1 + pull)
    half = np.sqrt(pull * (share * (1 - share) + pull / 4)) / (1 + pull)
    # Rounding must not put the ends of an interval of 0 or 1 on its inner side.
    return max(0.0, min(share, float(middle - half))), min(1.0, max(share, float(middle + half)))


def accuracy_difference(
    right: Flags | Doubles, other_right: Flags | Doubles, groups: npt.NDArray[np.str_], level: float = LEVEL
) -> Difference:
    """Return interval and test of the first accuracy less the second, of the same images, as `accuracy_interval` does.

    Of too few groups the interval is (-1, 1).
    """
    if count_groups(groups) < LEAST_GROUPS:
        return Difference(-1.0, 1.0, 1.0)
    gain = average(right) - average(other_right)
    unlike = float((gain * gain).mean())
    noises = training_noise(right) + training_noise(other_right)
    of_images = weigh(gain, groups, unlike)
    tested, evidence = (add_noise(of_images, unlike, noises, each) for each in (LEVEL, level))
    total = evidence.images + ADDED
    difference = gain.mean() * evidence.images / total
    unlike = (unlike * evidence.images + ADDED) / total
    p = 2 * t.sf(abs(difference) / np.sqrt(unlike / evidence.images), tested.freedom)
    pull = t.ppf(1 - level / 2, evidence.freedom) ** 2 / evidence.images
    if pull >= 1:
        return Difference(-1.0, 1.0, float(p))
    half = np.sqrt(max(0.0, pull * (unlike - difference**2) / (1 - pull)))
    return Difference(max(-1.0, float(difference - half)), min(1.0, float(difference + half)), float(p))


def average(right: Flags | Doubles) -> Doubles:
    """Return in which share of the trainings that tested it each image is right, `(n,)`."""
    return np.asarray(np.nanmean(as_columns(right), axis=1))


def as_columns(right: Flags | Doubles) -> Doubles:
    """Return whether each image is right as a column for each training, `(n, trainings)`."""
    columns: Doubles = np.asarray(right, dtype=np.float64).reshape(len(right), -1)
    return columns


def training_noise(right: Flags | Doubles) -> list[tuple[float, float]]:
    """Return the variance that chance in the trainings gives a mean, and its degrees of freedom; nothing of one."""
    columns = as_columns(right)
    means = np.nanmean(columns[:, ~np.isnan(columns).all(axis=0)], axis=0)
    n = len(means)
    return [(float(means.var(ddof=1)) / n, n - 1.0)] if n > 1 else []


def pool_noise(noises: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the sum of variances, and its degrees of freedom (Welch 1947)."""
    total = sum(variance for variance, _ in noises)
    below = sum(variance**2 / freedom for variance, freedom in noises)
    return total, total**2 / below if below else 1.0


def add_noise(evidence: Evidence, variance: float, noises: list[tuple[float, float]], level: float) -> Evidence:
    """Return what trainings leave of the evidence, because other ones would give other means.

    Groups and trainings are crossed, so the variances of the mean over both add up (Owen 2007, "The pigeonhole
    bootstrap", https://doi.org/10.1214/07-AOAS122). With two or three trainings their variance is hardly known, and
    Satterthwaite's degrees of freedom are too many where it happens to look small. So the squared half widths that both
    have alone are added (Howe 1974), and the degrees of freedom are those that give such an interval.

    Args:
        evidence: Of the images.
        variance: Of a single image, from which the evidence makes that of the mean.
        noises: Variance and degrees of freedom of the trainings of each setting.
        level: Of the interval that it is for.
    """
    noise, noise_freedom = pool_noise(noises)
    if not noise or not variance:
        return evidence
    own = variance / evidence.images
    quantiles = t.ppf(1 - level / 2, np.array([evidence.freedom, noise_freedom])) ** 2
    wanted = float(np.sqrt((quantiles * (own, noise)).sum() / (own + noise)))
    return Evidence(variance / (own + noise), freedom_of(wanted, level))


def freedom_of(quantile: float, level: float) -> float:
    """Return the degrees of freedom, at least 1, with which the share `level` of Student's t is beyond a quantile."""
    most = 1e6
    if quantile <= t.ppf(1 - level / 2, most):
        return most
    if quantile >= t.ppf(1 - level / 2, 1):
        return 1.0
    return float(brentq(lambda freedom: t.ppf(1 - level / 2, freedom) - quantile, 1, most))


def count_groups(groups: npt.NDArray[np.str_]) -> float:
    """Return the number of equally large groups that are worth as much: 1 if one group has nearly all images."""
    sizes = np.unique(groups, return_counts=True)[1]
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def weigh(values: Doubles, groups: npt.NDArray[np.str_], informative: float) -> Evidence:
    """Return what the mean of values `(n,)` of images in groups is worth.

    `informative` is the share of images whose values say anything about the correlation: the mistakes, for example.
    """
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    n, pairs = len(values), int((sizes * (sizes - 1)).sum())
    variance = float(values.var())
    away = np.bincount(group, values) - values.mean() * sizes
    spread = float((away * away).sum()) * len(sizes) / (len(sizes) - 1)
    correlation = 0.0
    if pairs:
        found = min(1.0, max(0.0, (spread / variance - n) / pairs)) if variance else PRIOR
        correlation = (informative * pairs * found + PRIOR_IMAGES * PRIOR) / (informative * pairs + PRIOR_IMAGES)
    weights = sizes * (1 + correlation * (sizes - 1))
    images = n * n / float(weights.sum())
    if variance and spread:
        images = min(images, variance * n * n / spread)
    return Evidence(images, max(1.0, float(weights.sum() ** 2 / (weights**2).sum()) - 1))
