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
    of their share. Where all groups are of one image, each class meets its shares to within one.

    Raises:
        ValueError: a class has fewer groups than there are splits, or is left out of one by groups of several classes.
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
        lack = ((missing / wanted).clip(min=0) * images).sum(axis=1)
        chosen = int(lack.argmax())
        missing[chosen] -= images
        split_of[counts.index[row]] = names[chosen]
    split = index["group"].map(split_of).to_numpy(dtype=str)
    check_filled(index, split, names)
    return split


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


def check_filled(index: pd.DataFrame, split: npt.NDArray[np.str_], names: tuple[str, ...]) -> None:
    """Nothing, where every class lies in every split.

    Raises:
        ValueError: one does not.
    """
    counts = pd.crosstab(split, index["class"].to_numpy()).reindex(names, fill_value=0)
    for name in counts.columns:
        if (counts[name] == 0).any():
            found = ", ".join(f"{n} {part}" for part, n in zip(names, counts[name], strict=True))
            raise ValueError(
                f"split: expected images of every class in every split, got {found} of class {name}. Where "
                "groups of duplicates hold several classes, a smaller clean.group_distance may do."
            )


def straddling(index: pd.DataFrame, split: npt.NDArray[np.str_]) -> list[str]:
    """The groups whose images lie in more than one split, those dropped left out."""
    is_used = split != DROPPED
    per_group = pd.Series(split[is_used]).groupby(index["group"].to_numpy()[is_used]).nunique()
    return sorted(per_group[per_group > 1].index)


def keep_given(index: pd.DataFrame, ratios: Ratios, seed: int, on_leak: OnLeak) -> npt.NDArray[np.str_]:
    """The source's own test rows (and val rows, if it has any) as they are, and val drawn from its train rows.

    A group that the source put on both sides is a leak: `error` stops, `report` leaves it, `drop_from_train` takes
    its rows out, as `dropped`, down to those of one side: test before val before train.

    Raises:
        ValueError: a row has no given split, there are no test rows, there is a leak and `on_leak` is `error`, or a
            class is left out of a split.
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
    split = given.astype(f"<U{len(DROPPED)}")
    if on_leak == "drop_from_train":
        group = index["group"].to_numpy()
        is_seen = np.isin(group, group[given == "test"])
        split[is_seen & (given != "test")] = DROPPED
        split[np.isin(group, group[split == "val"]) & (split == "train")] = DROPPED
    is_train = split == "train"
    if "val" not in given:
        split[is_train] = assign(index[is_train], ratios.shares, seed)
    check_filled(index, split, NAMES)
    return split
