"""The trainings of a cross-validation: which images each of them learns from, chooses its epoch by, and tests."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.networks.inputs import SplitRows

# The deals that stay as they are, and the two whose trainings are cut to equal numbers of images. In `known` a column's
# values, such as authors, may be among the training images of their test images; in `unknown` they never are.
ALL, KNOWN, UNKNOWN = "all", "known", "unknown"
CHOICE = "choice"  # the deals without the test images of the split, by which the champion may be chosen
SHARE = "share-"  # before the share of the training images, in the name of a series that learns from no more
DEAL, APART, CHOSEN = "deal_", "apart_", "choice_"
NOWHERE = -1  # the fold of a row that a deal leaves out
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Training:
    """A training on one fold: the rows of each split, and the seed."""

    series: str
    deal: int
    fold: int
    seed: int
    splits: dict[str, SplitRows]

    @property
    def name(self) -> str:
        """A name that no other training of the cross-validation has."""
        return f"{self.series}-{self.deal}-{self.fold}"

    def is_same_as(self, other: "Training") -> bool:
        """Return whether the two trainings give the same predictions."""
        pairs = [(part.rows, other.splits[name].rows) for name, part in self.splits.items()]
        return self.seed == other.seed and all(np.array_equal(*pair) for pair in pairs)


def plan_trainings(folds: pd.DataFrame, labels: Rows, seed: int, shares: Sequence[float] = ()) -> list[Training]:
    """Return all trainings, those of one deal and fold one after the other.

    A fold is tested by a network that learned from the others but the next one, which chooses the epoch; after the last
    fold comes the first. Each fold of each deal has a seed of its own, counted from the given one.

    Args:
        folds: The table of folds, as `split` wrote it.
        labels: The class numbers of its rows, `(n,)`.
        seed: The seed of the network's single training.
        shares: Of the training images, for further trainings that learn from so many only.
    """
    trainings, groups = [], folds["group"].to_numpy(dtype=str)
    for deal in range(count_deals(folds)):
        dealt, apart = numbers(folds, f"{DEAL}{deal}"), numbers(folds, f"{APART}{deal}")
        n_folds = int(dealt.max()) + 1
        for fold in range(n_folds):
            own = seed + deal * n_folds + fold
            parts = divide(dealt, fold, n_folds)
            trainings.append(Training(ALL, deal, fold, own, with_labels(parts, labels)))
            if len(apart):
                pair = cut_alike(parts, divide(apart, fold, n_folds), own)
                for series, cut in zip((KNOWN, UNKNOWN), pair, strict=True):
                    trainings.append(Training(series, deal, fold, own, with_labels(cut, labels)))
            for share in shares:
                cut = cut_groups(parts, groups, share, own)
                trainings.append(Training(f"{SHARE}{share:g}", deal, fold, own, with_labels(cut, labels)))
    return trainings + plan_choice(folds, labels, seed)


def plan_choice(folds: pd.DataFrame, labels: Rows, seed: int) -> list[Training]:
    """Return the trainings on the folds of training and validation images, as `plan_trainings` describes them."""
    trainings = []
    for deal in range(count_deals(folds, CHOSEN)):
        dealt = numbers(folds, f"{CHOSEN}{deal}")
        n_folds = int(dealt.max()) + 1
        for fold in range(n_folds):
            parts = divide(dealt, fold, n_folds)
            trainings.append(Training(CHOICE, deal, fold, seed + deal * n_folds + fold, with_labels(parts, labels)))
    return trainings


def count_deals(folds: pd.DataFrame, kind: str = DEAL) -> int:
    """Return the number of deals of a kind in the table of folds."""
    return sum(bool(re.fullmatch(rf"{kind}\d+", name)) for name in folds.columns)


def column_apart(folds: pd.DataFrame) -> str | None:
    """Return the name of the column whose values some deals keep apart, or None if there are no such deals."""
    return next((name for name in folds.columns if f"{name}_group" in folds), None)


def numbers(folds: pd.DataFrame, column: str) -> Rows:
    """Return the fold of each row in one deal, NOWHERE if it has none; empty if the table does not have the deal."""
    if column not in folds:
        return np.empty(0, np.int64)
    dealt: Rows = pd.to_numeric(folds[column]).fillna(NOWHERE).to_numpy(dtype=np.int64)
    return dealt


def divide(dealt: Rows, fold: int, n_folds: int) -> dict[str, Rows]:
    """Return the rows of each split if a fold is tested."""
    is_val = dealt == (fold + 1) % n_folds
    is_test = dealt == fold
    is_train = ~is_val & ~is_test & (dealt != NOWHERE)
    return {"train": np.flatnonzero(is_train), "val": np.flatnonzero(is_val), "test": np.flatnonzero(is_test)}


def cut_alike(one: dict[str, Rows], other: dict[str, Rows], seed: int) -> Iterator[dict[str, Rows]]:
    """Yield both divisions with as many training rows as the smaller one has; which stay is drawn by the seed."""
    least = min(len(one["train"]), len(other["train"]))
    for parts in (one, other):
        kept = np.random.default_rng(seed).permutation(len(parts["train"]))[:least]
        yield parts | {"train": parts["train"][np.sort(kept)]}


def cut_groups(parts: dict[str, Rows], groups: npt.NDArray[np.str_], share: float, seed: int) -> dict[str, Rows]:
    """Return the division with about this share of the training rows, in whole groups that are drawn by the seed.

    The groups of a smaller share are among those of a larger one. At least one group is kept, and a class may lose all
    of its groups.
    """
    own = groups[parts["train"]]
    names, sizes = np.unique(own, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    wanted = share * len(own)
    before = np.cumsum(sizes[order]) - sizes[order] / 2  # of the last group, more than a half fits
    kept = np.isin(own, names[order][: max(1, int((before <= wanted).sum()))])
    return parts | {"train": parts["train"][kept]}


def with_labels(parts: dict[str, Rows], labels: Rows) -> dict[str, SplitRows]:
    """Return the rows of each split with their class numbers."""
    return {name: SplitRows(rows, labels[rows]) for name, rows in parts.items()}


def is_known(values: npt.NDArray[Any], training: Training) -> npt.NDArray[np.bool_]:
    """Return for each test row whether its value, which is not empty, occurs among the training rows."""
    own, seen = values[training.splits["test"].rows], values[training.splits["train"].rows]
    known: npt.NDArray[np.bool_] = np.isin(own, seen) & (own != "")
    return known
