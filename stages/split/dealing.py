"""Dealing images into parts: whole groups on one side, and each class in its share.

A part is one split or, with `kfold`, one fold; several folds can belong to one split.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

Integers = npt.NDArray[np.int64]
TRIES = 20


def ungroup(index: pd.DataFrame) -> pd.DataFrame:
    """Return the index with every row as a group of its own, including copies of the same bytes."""
    keys = index["image_id"] + "/" + index["given_split"]
    return index.assign(group=keys + "/" + index["source_id"] if "source_id" in index else keys)


def assign(index: pd.DataFrame, shares: tuple[int, ...], names: tuple[str, ...], seed: int) -> npt.NDArray[np.str_]:
    """Return for each row of a table with `class` and `group` the name of its part; groups stay undivided.

    Groups of several images are dealt first, the largest first, then single images; each group goes where its classes
    lack most of their share. The seed decides the order of equally large groups. If all groups have one image, each
    class meets its quotas. If a part gets no image of some class, because groups hold several classes, all groups are
    dealt anew in another order, up to 20 times in all. The order of the rows does not matter.

    Raises:
        ValueError: A class has fewer groups than there are parts, or in each try a part got no image of some class.
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
    """Return the error message for the first class that some part got no image of, with the class's counts."""
    name = counts.columns[(dealt == 0).any(axis=0)][0]
    groups = counts[counts[name] > 0]
    n_mixed = int(((groups > 0).sum(axis=1) > 1).sum())
    return (
        f"split: expected a way to put every class into {list_parts(names)}, got none in {TRIES} tries for class "
        f"{name} (images: {groups[name].sum()}, groups: {len(groups)}, groups with other classes: {n_mixed}). "
        "A higher clean.min_likeness, or clean.on_conflict: reject, makes fewer groups of several classes."
    )


def draw_orders(sizes: Integers, seed: int) -> Iterator[Integers]:
    """Yield orders to deal the groups in: first by falling size, equal sizes in random order, then random orders."""
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(sizes))
    yield order[np.argsort(-sizes[order], kind="stable")]
    for _ in range(TRIES - 1):
        yield generator.permutation(len(sizes))


def deal(images: Integers, wanted: Integers) -> tuple[Integers, Integers]:
    """Return the part of each group, given its images of each class, and what each part got, `(parts, classes)`."""
    missing = wanted.astype(float)
    parts = np.empty(len(images), dtype=np.int64)
    for row, group in enumerate(images):
        # The share of its quota that each part still lacks, weighted by the group's own classes.
        lack = (missing / wanted * group).sum(axis=1)
        parts[row] = lack.argmax()
        missing[parts[row]] -= group
    return parts, wanted - missing.astype(np.int64)


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
            f"split: expected at least {len(names)} groups of look-alikes in every class, for {list_parts(names)}, got "
            f"{is_small.sum()} of {len(groups)} classes with fewer, the smallest {groups.index[0]} (images: {images}, "
            f"groups: {smallest}). Collect more for such classes, leave them out, or deal into fewer folds."
        )


def list_parts(names: tuple[str, ...]) -> str:
    """Return the parts in words."""
    return ", ".join(names) if len(set(names)) == len(names) else f"{len(names)} folds"
