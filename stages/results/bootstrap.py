"""Intervals by the bootstrap over groups: near-duplicates are drawn together, because they are one piece of evidence.

Each draw takes as many groups as there are, with replacement, and each group with all its rows (Davison and Hinkley
1997, "Bootstrap Methods and their Application", section 3.8; Field and Welsh 2007, "Bootstrapping clustered data"). An
interval goes from the 2.5th to the 97.5th percentile of the draws' values. It is valid for this trained model on other
images of the same kind. It does not contain what another seed or split would change, and with few groups it is too
narrow: that of an accuracy comes from `grouped_accuracy`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from stages.results.scores import DIGITS, losses

PERCENTILES = (2.5, 97.5)
ENTRIES = 2**18  # rows times draws that are held at once, 2 MB; more is not faster
Doubles = npt.NDArray[np.float64]
Labels = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]
Ranking = tuple[csr_array, csr_array]


def intervals(
    labels: Labels, probabilities: Floats, groups: Sequence[str] | npt.NDArray[Any], draws: int, seed: int
) -> dict[str, list[float] | None]:
    """Return 95 % intervals `[low, high]` of accuracy, balanced accuracy, macro F1, log loss and macro one-vs-rest AUC.

    The interval of the AUC is None if no draw has two classes. The ends are rounded to 4 digits.
    """
    values = replicate(labels, probabilities, groups, draws, seed)
    return {name: bounds(each) for name, each in values.items()}


def replicate(
    labels: Labels, probabilities: Floats, groups: Sequence[str] | npt.NDArray[Any], draws: int, seed: int
) -> dict[str, Doubles]:
    """Return the values of each draw, `(draws,)` for each of the five metrics, as `scores.score` defines them.

    A class that a draw leaves out does not count in the means of this draw. The AUC of a draw with a single class is
    NaN. Apart from the values, memory does not grow with the number of draws.
    """
    n_groups, group = number_groups(groups)
    sums = sum_by_group(labels, probabilities, group, n_groups)
    rankings = [rank_scores(labels == k, probabilities[:, k], group, n_groups) for k in range(probabilities.shape[1])]
    parts = [
        {**measure(sums @ weights), "roc_auc": mean_defined(np.stack([areas(each, weights) for each in rankings]))}
        for weights in draw_groups(n_groups, draws, seed, draws_at_once(len(labels)))
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def number_groups(groups: Sequence[str] | npt.NDArray[Any]) -> tuple[int, npt.NDArray[np.intp]]:
    """Return the number of groups, and for each row the position of its group in the order of the groups' names."""
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    return len(names), group


def draws_at_once(rows: int) -> int:
    """Return how many draws are held in memory at once."""
    return max(1, ENTRIES // rows)


def draw_groups(n_groups: int, draws: int, seed: int, at_once: int) -> Iterator[Doubles]:
    """Yield how often each draw took each group, as arrays `(n_groups, at_once or fewer)`.

    The draws do not depend on `at_once`.
    """
    random = np.random.default_rng(seed)
    for start in range(0, draws, at_once):
        width = min(at_once, draws - start)
        cells = random.integers(n_groups, size=(width, n_groups)) * width + np.arange(width)[:, None]
        counts = np.bincount(cells.ravel(), minlength=n_groups * width)
        yield counts.reshape(n_groups, width).astype(np.float64)


def sum_by_group(labels: Labels, probabilities: Floats, group: npt.NDArray[np.intp], n_groups: int) -> Doubles:
    """Return sums over the rows of each group, shape `(1 + 3 n_classes, n_groups)`.

    The first row is the loss. Then follow, each with a row for each class: the count of rows of the class, of rows
    predicted as the class, and of rows that are both. These counts are the diagonal and the margins of the confusion
    matrix, which are all that the metrics need of it.
    """
    classes, predicted = np.arange(probabilities.shape[1])[:, None], probabilities.argmax(axis=1)
    is_class, is_predicted = labels == classes, predicted == classes
    rows = [losses(labels, probabilities)[None], is_class, is_predicted, is_class & is_predicted]
    return np.stack([np.bincount(group, row, n_groups) for part in rows for row in part])


def measure(sums: Doubles) -> dict[str, Doubles]:
    """Return accuracy, balanced accuracy, macro F1 and log loss of each draw, `(draws,)`, from sums `(…, draws)`."""
    loss, (count, predicted, right) = sums[0], sums[1:].reshape(3, -1, sums.shape[1])
    total = count.sum(axis=0)
    return {
        "accuracy": right.sum(axis=0) / total,
        "balanced_accuracy": mean_defined(divide(right, count)),
        "macro_f1": mean_defined(divide(2 * right, np.where(count > 0, count + predicted, 0))),
        "log_loss": loss / total,
    }


def rank_scores(is_class: npt.NDArray[np.bool_], scores: Floats, group: npt.NDArray[np.intp], n_groups: int) -> Ranking:
    """Return the position of the class's rows among all rows, as two tables of counts that `areas` weighs.

    The first, `(m, n_groups)`, counts the class's rows at each of the class's m distinct scores, in ascending order.
    The second, `(2 m + 1, n_groups)`, counts all rows below the first score, at the first score, between the first and
    the second score, and so on.
    """
    levels = np.unique(scores[is_class])
    slot = np.searchsorted(levels, scores) + np.searchsorted(levels, scores, side="right")
    own = slot[is_class] // 2
    at = csr_array((np.ones(len(own)), (own, group[is_class])), shape=(len(levels), n_groups))
    below = csr_array((np.ones(len(slot)), (slot, group)), shape=(2 * len(levels) + 1, n_groups))
    return at, below


def areas(ranking: Ranking, weights: Doubles) -> Doubles:
    """Return the class's area under the ROC curve for each column of weights `(n_groups, draws)`; NaN if undefined.

    The area is exact, also with ties. It is Mann and Whitney's U divided by the product of the weights of the class and
    of the other classes. U is the sum of the class's weighted mid-ranks among all rows, minus the same sum among the
    rows of the class alone, which is half of the square of the class's weight.
    """
    at, below = ranking
    own = at @ weights  # (m, draws)
    ranks = np.cumsum(below @ weights, axis=0)  # (2 m + 1, draws): the weight below and up to each score
    positive = own.sum(axis=0)
    u = (own * (ranks[:-1:2] + ranks[1::2])).sum(axis=0) / 2 - positive**2 / 2
    return divide(u, positive * (ranks[-1] - positive))


def divide(part: Doubles, whole: Doubles) -> Doubles:
    """Return the quotients; NaN where the whole is 0."""
    quotients = np.full(whole.shape, np.nan)
    np.divide(part, whole, out=quotients, where=whole > 0)
    return quotients


def mean_defined(values: Doubles) -> Doubles:
    """Return the means `(draws,)` over the classes of `(n_classes, draws)`, without NaN; NaN where all are NaN."""
    return divide(np.nansum(values, axis=0), (~np.isnan(values)).sum(axis=0))


def bounds(values: Doubles) -> list[float] | None:
    """Return the lower and the upper end of the interval, or None if no value is defined."""
    defined = values[~np.isnan(values)]
    return [round(float(end), DIGITS) for end in np.percentile(defined, PERCENTILES)] if len(defined) else None
