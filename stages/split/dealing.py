"""Dealing images into train, val and test or into folds, whole groups on one side, each class in its share."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

Integers = npt.NDArray[np.int64]
TRIES = 20


def ungroup(index: pd.DataFrame) -> pd.DataFrame:
    """The index with every row a group of its own, copies of the same bytes too."""
    keys = index["image_id"] + "/" + index["given_split"]
    return index.assign(group=keys + "/" + index["source_id"] if "source_id" in index else keys)


def assign(index: pd.DataFrame, shares: tuple[int, ...], names: tuple[str, ...], seed: int) -> npt.NDArray[np.str_]:
    """For each row of a table with `class` and `group` the name of its part, groups undivided, drawn by the seed.

    Groups of several images are dealt first, largest first, then single ones; each goes where its classes lack most
    of their share. Where all groups are of one image, each class meets its quotas. Where groups of several classes
    leave a class out of a part, they are dealt anew, in other orders, up to 20 times in all. The order of the rows
    does not matter.

    Raises:
        ValueError: a class has fewer groups than there are parts, or was left out of one each time.
    """
    check_size(index, names)
    counts = pd.crosstab(index["group"], index["class"])
    images = counts.to_numpy()
    wanted = quotas(images.sum(axis=0), shares)
    for order in draw_orders(images.sum(axis=1), seed):
        parts, dealt = deal(images[order], wanted)
        if dealt.all():
            row_of = counts.index[order].get_indexer(pd.Index(index["group"]))
            return np.array(names)[parts[row_of]]
    raise ValueError(describe_left_out(counts, dealt, names))


def describe_left_out(counts: pd.DataFrame, dealt: Integers, names: tuple[str, ...]) -> str:
    """The error of the first class that some part got no image of, with how many of its groups hold others too."""
    name = counts.columns[(dealt == 0).any(axis=0)][0]
    groups = counts[counts[name] > 0]
    n_mixed = int(((groups > 0).sum(axis=1) > 1).sum())
    return (
        f"split: expected a way to put every class into {describe(names)}, got none in {TRIES} tries for class {name} "
        f"(images: {groups[name].sum()}, groups: {len(groups)}, of those with other classes too: {n_mixed}). "
        "A smaller clean.group_distance, or clean.on_conflict: reject, makes fewer groups of several classes."
    )


def draw_orders(sizes: Integers, seed: int) -> Iterator[Integers]:
    """Orders to deal the groups in: one by falling size, equal ones in random order, then random ones."""
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(sizes))
    yield order[np.argsort(-sizes[order], kind="stable")]
    for _ in range(TRIES - 1):
        yield generator.permutation(len(sizes))


def deal(images: Integers, wanted: Integers) -> tuple[Integers, Integers]:
    """For each group, a row of its images of each class, its part; and what each part got, `(parts, classes)`."""
    missing = wanted.astype(float)
    parts = np.empty(len(images), dtype=np.int64)
    for row, group in enumerate(images):
        # The share of its quota that each part still lacks, weighted by the group's own classes.
        lack = (missing / wanted * group).sum(axis=1)
        parts[row] = lack.argmax()
        missing[parts[row]] -= group
    return parts, wanted - missing.astype(np.int64)


def quotas(totals: Integers, shares: tuple[int, ...]) -> Integers:
    """How many images of each class each part should hold, `(parts, classes)`: at least 1, rounded to the total.

    The largest remainders are rounded up; of equal ones those of the parts that the classes before left shortest, so
    that equal folds stay equal over many small classes.
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
    """Nothing, where there are classes to tell apart and each has a group for each part.

    Raises:
        ValueError: there is one class only, or one has fewer groups than there are parts.
    """
    groups = index.groupby("class")["group"].agg(["size", "nunique"]).sort_values("nunique", kind="stable")
    if len(groups) < 2:
        raise ValueError(f"split: expected at least 2 classes, got {len(groups)} ({', '.join(groups.index)}).")
    is_small = groups["nunique"] < len(names)
    if is_small.any():
        images, smallest = groups.iloc[0]
        raise ValueError(
            f"split: expected at least {len(names)} groups of look-alikes in every class, for {describe(names)}, got "
            f"{is_small.sum()} of {len(groups)} classes with fewer, the smallest {groups.index[0]} (images: {images}, "
            f"groups: {smallest}). Collect more of them, leave them out of the source, or deal into fewer folds."
        )


def describe(names: tuple[str, ...]) -> str:
    """The parts in words."""
    return ", ".join(names) if len(set(names)) == len(names) else f"{len(names)} folds"
