"""Dividing images into train, val and test, whole groups on one side, each class in its share."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

NAMES = ("train", "val", "test")
OnLeak = Literal["error", "report", "drop_from_train"]
DROPPED = "dropped"


@dataclass(frozen=True)
class Ratios:
    """What `split.ratios` asks for: shares of train, val and test in percent, or the source's split and a val share."""

    shares: tuple[int, ...]
    is_given: bool = False


def parse_ratios(text: str) -> Ratios:
    """`70/15/15` as shares of 100, or `given/20` as a share of the source's own train rows.

    Raises:
        ValueError: it is neither, a share is not positive, or the three are not 100 together.
    """
    where = "params.yaml split.ratios: expected"
    first, *rest = text.split("/")
    numbers = rest if first == "given" else [first, *rest]
    if not all(number.isdecimal() for number in numbers) or len(numbers) != (1 if first == "given" else 3):
        raise ValueError(f"{where} train/val/test like 70/15/15, or given/20, got {text}.")
    shares = tuple(map(int, numbers))
    if first == "given":
        if not 0 < shares[0] < 100:
            raise ValueError(f"{where} a share of the given train rows from 1 to 99, got {text}.")
        return Ratios((100 - shares[0], shares[0]), is_given=True)
    if sum(shares) != 100 or 0 in shares:
        raise ValueError(f"{where} three positive shares that add up to 100, got {text} with sum {sum(shares)}.")
    return Ratios(shares)


def assign(index: pd.DataFrame, shares: tuple[int, ...], seed: int) -> npt.NDArray[np.str_]:
    """For each row of a table with `class` and `group` its split, groups undivided, drawn by the seed.

    Groups of several images are dealt first, largest first, then single ones; each goes where its classes lack most
    of their share. So single images meet the shares to within one image a class, whatever the groups did.

    Raises:
        ValueError: a class has fewer groups than there are splits.
    """
    names = NAMES[: len(shares)]
    check_size(index, names)
    counts = pd.crosstab(index["group"], index["class"])
    order = np.random.default_rng(seed).permutation(len(counts))
    sizes = counts.to_numpy().sum(axis=1)
    order = order[np.argsort(-sizes[order], kind="stable")]
    wanted = quotas(counts.to_numpy().sum(axis=0), shares)
    missing = wanted.astype(float)
    split_of = {}
    for row in order:
        images = counts.to_numpy()[row]
        # The share of its quota that each split still lacks, weighted by the group's own classes.
        lack = (missing / np.maximum(wanted, 1) * images).sum(axis=1)
        chosen = int(lack.argmax())
        missing[chosen] -= images
        split_of[counts.index[row]] = names[chosen]
    return index["group"].map(split_of).to_numpy(dtype=str)


def quotas(totals: npt.NDArray[np.int64], shares: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """How many images of each class each split should hold, `(splits, classes)`: at least 1, rounded to the total."""
    exact = np.outer(shares, totals) / 100
    whole = np.maximum(np.floor(exact).astype(np.int64), 1)
    for column, total in enumerate(totals):
        while whole[:, column].sum() < total:
            whole[(exact - whole)[:, column].argmax(), column] += 1
        while whole[:, column].sum() > total:
            whole[whole[:, column].argmax(), column] -= 1
    return whole


def check_size(index: pd.DataFrame, names: tuple[str, ...]) -> None:
    """Nothing, where every class can reach every split.

    Raises:
        ValueError: there is one class only, or one has fewer groups than there are splits.
    """
    images = index["class"].value_counts().sort_index()
    groups = index.groupby("class")["group"].nunique()
    if len(images) < 2:
        raise ValueError(f"split: expected at least 2 classes, got {len(images)} ({', '.join(images.index)}).")
    for name in images.index:
        if groups[name] < len(names):
            raise ValueError(
                f"split: expected every class to fill {', '.join(names)} with at least {len(names)} groups of "
                f"duplicates, got class {name} with {images[name]} images in {groups[name]} groups."
            )


def straddling(index: pd.DataFrame, split: npt.NDArray[np.str_]) -> list[str]:
    """The groups whose images lie in more than one split, those dropped left out."""
    is_used = split != DROPPED
    per_group = pd.Series(split[is_used]).groupby(index["group"].to_numpy()[is_used]).nunique()
    return sorted(per_group[per_group > 1].index)


def keep_given(index: pd.DataFrame, ratios: Ratios, seed: int, on_leak: OnLeak) -> npt.NDArray[np.str_]:
    """The source's own test rows (and val rows, if it has any) as they are, and val drawn from its train rows.

    A group that the source put on both sides is a leak: `error` stops, `report` leaves it, `drop_from_train` takes
    its train and val rows out, as `dropped`.

    Raises:
        ValueError: a row has no given split, there are no test rows, or there is a leak and `on_leak` is `error`.
    """
    given = index["given_split"].to_numpy(dtype=str)
    without = int((given == "").sum())
    if without or "test" not in given or "train" not in given:
        counts = ", ".join(f"{(given == name).sum()} {name}" for name in NAMES)
        raise ValueError(
            f"params.yaml split.ratios: expected a source with given splits, got {counts}, {without} none."
        )
    leaks = straddling(index, given)
    if leaks and on_leak == "error":
        raise ValueError(
            f"params.yaml split.on_leak: expected no duplicates across the given splits, got {len(leaks)} groups of "
            f"them, the first {leaks[0][:16]}. Set report or drop_from_train to go on."
        )
    split = given.copy()
    if on_leak == "drop_from_train":
        is_seen = np.isin(index["group"], index["group"].to_numpy()[given == "test"])
        split[is_seen & (given != "test")] = DROPPED
    is_train = split == "train"
    if "val" not in given:
        split[is_train] = assign(index[is_train], ratios.shares, seed)
    return split
