"""Dealing images into parts: whole groups on one side, and each class in its share.

A part is one split or, with `kfold`, one fold; several folds can belong to one split.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.split.local_search import Search, count

Integers = npt.NDArray[np.int64]
TRIES = 20


def assign(index: pd.DataFrame, shares: tuple[int, ...], names: tuple[str, ...], seed: int) -> npt.NDArray[np.str_]:
    """Return for each row of a table with `class` and `group` the name of its part; groups stay undivided.

    Groups of several images are dealt at random by the shares, so that each of them can come to lie wherever it is not
    larger than the quota of its class; a local search then moves as many of them as the quotas need. Groups of one
    image fill up. If all groups have
    one image, each class meets its quotas. If a part gets no image of some class, because groups hold several classes,
    all is dealt anew, up to 20 times in all. The order of the rows does not matter.

    Raises:
        ValueError: A class has fewer groups than there are parts, or in each try a part got no image of some class.
    """
    check_size(index, names)
    counts = pd.crosstab(index["group"], index["class"])
    images = counts.to_numpy()
    wanted = quotas(images.sum(axis=0), shares)
    generator = np.random.default_rng(seed)
    is_single = images.sum(axis=1) == 1
    search = Search(images[~is_single], wanted, images[is_single].sum(axis=0), generator)
    for _ in range(TRIES):
        parts = deal(images, wanted, np.array(shares) / sum(shares), search)
        dealt = count(images, parts, len(names))
        if dealt.all():
            return np.array(names)[parts[counts.index.get_indexer(pd.Index(index["group"]))]]
    raise ValueError(describe_left_out(counts, dealt, names))


def describe_left_out(counts: pd.DataFrame, dealt: Integers, names: tuple[str, ...]) -> str:
    """Return the error message for the first class that some part got no image of, with the class's counts."""
    name = counts.columns[(dealt == 0).any(axis=0)][0]
    groups = counts[counts[name] > 0]
    n_mixed = int(((groups > 0).sum(axis=1) > 1).sum())
    return (
        f"split: expected a way to put every class into {list_parts(names)}, got none in {TRIES} tries for class "
        f"{name} (images: {groups[name].sum()}, groups: {len(groups)}, groups with other classes: {n_mixed}). "
        "Fewer columns in split.group_by, a higher clean.min_likeness, or clean.on_conflict: reject, makes fewer "
        "groups of several classes."
    )


def deal(images: Integers, wanted: Integers, shares: npt.NDArray[np.float64], search: Search) -> Integers:
    """Return the part of each group, given its images of each class `(groups, classes)` and the quotas."""
    is_single, generator = images.sum(axis=1) == 1, search.generator
    parts = generator.choice(len(wanted), size=len(images), p=shares)
    parts[~is_single] = search.improve(parts[~is_single])
    left = wanted - count(images[~is_single], parts[~is_single], len(wanted))
    for class_, number in enumerate(search.singles):
        rows = np.flatnonzero(is_single & (images[:, class_] > 0))
        gets = fill_up(left[:, class_], wanted[:, class_], number)
        parts[generator.permutation(rows)] = np.repeat(np.arange(len(wanted)), gets)
    return parts


def fill_up(left: Integers, wanted: Integers, number: int) -> Integers:
    """Return how many of a class's single images each part gets, `(parts,)`, given what is left of its quota.

    Where there are too few, because other parts have too much, the part that has most of its quota does without.
    """
    gets = np.maximum(left, 0)
    while gets.sum() > number:
        total = wanted - left + gets
        # Its only image is the last that a part gives away.
        gets[np.where(gets > 0, np.where(total > 1, total / wanted, 0), -1).argmax()] -= 1
    return gets


def quotas(totals: Integers, shares: tuple[int, ...]) -> Integers:
    """Return how many images of each class each part should hold, `(parts, classes)`, at least 1.

    The quotas of a class add up to its total. The largest remainders are rounded up; of equal remainders, the remainder
    of the part that the earlier classes left shortest, so that equal folds stay equal over many small classes.
    """
    due, unit = np.outer(shares, totals), sum(shares)
    whole: Integers = np.maximum(due // unit, 1)
    for column, total in enumerate(totals):
        while whole[:, column].sum() < total:
            short = due - unit * whole
            whole[np.lexsort((-short[:, :column].sum(axis=1), -short[:, column]))[0], column] += 1
        while whole[:, column].sum() > total:
            whole[whole[:, column].argmax(), column] -= 1
    return whole


def check_size(index: pd.DataFrame, names: tuple[str, ...]) -> None:
    """Check that there are at least two classes and that each class has a group for each part.

    Raises:
        ValueError: There is one class only, or a class has fewer groups than there are parts.
    """
    groups = index.groupby("class")["group"].agg(["size", "nunique"]).sort_values("nunique", kind="stable")
    if len(groups) < 2:
        raise ValueError(f"split: expected at least 2 classes, got {len(groups)} ({', '.join(groups.index)}).")
    is_small = groups["nunique"] < len(names)
    if is_small.any():
        images, smallest = groups.iloc[0]
        raise ValueError(
            f"split: expected at least {len(names)} groups of images that stay together in every class, for "
            f"{list_parts(names)}, got {is_small.sum()} of {len(groups)} classes with fewer, the smallest "
            f"{groups.index[0]} (images: {images}, groups: {smallest}). Collect more for such classes, leave them out, "
            "or deal into fewer folds."
        )


def list_parts(names: tuple[str, ...]) -> str:
    """Return the parts in words."""
    return ", ".join(names) if len(set(names)) == len(names) else f"{len(names)} folds"
