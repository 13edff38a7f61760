"""The meaning of `split.ratios`, and the splits that a source brings along."""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.core.tables import SPLITS
from stages.split.leaks import DROPPED, Kind, OnLeak, check_leaks, drop_leaks

Names = npt.NDArray[np.str_]
FORM = re.compile(r"(given|kfold)/([0-9]{1,3})|([0-9]{1,3})/([0-9]{1,3})/([0-9]{1,3})")


@dataclass(frozen=True)
class Ratios:
    """The meaning of `split.ratios`: the relative sizes of the parts, and which images are dealt.

    `drawn`: all images, into train, val and test. `given`: the source's own train rows, into train and val. `kfold`:
    all images, into equal folds.
    """

    kind: Literal["drawn", "given", "kfold"]
    shares: tuple[int, ...]


def parse_ratios(text: str) -> Ratios:
    """Return the kind and the sizes that `70/15/15`, `given/20` or `kfold/5` ask for.

    Raises:
        ValueError: The text has another form, a share is not positive, the three shares do not add up to 100, or there
            are fewer than three folds.
    """
    where = "params.yaml split.ratios: expected"
    form = FORM.fullmatch(text)
    if not form:
        raise ValueError(f"{where} train/val/test like 70/15/15, given/20 or kfold/5, got {text}.")
    kind, *numbers = form.groups()
    first, *shares = (int(number or 0) for number in numbers)
    if kind == "kfold":
        if first < len(SPLITS):
            raise ValueError(f"{where} at least 3 folds, for train, val and test, got {text}.")
        return Ratios("kfold", (1,) * first)
    if kind == "given":
        if not 0 < first < 100:
            raise ValueError(f"{where} a share of the given train rows from 1 to 99, got {text}.")
        return Ratios("given", (100 - first, first))
    if sum(shares) != 100 or 0 in shares:
        raise ValueError(f"{where} three positive shares that add up to 100, got {text} with sum {sum(shares)}.")
    return Ratios("drawn", tuple(shares))


def name_parts(ratios: Ratios, fold: int) -> tuple[str, ...]:
    """Return the split of each part; of folds, number `fold` is test and the next one val, the first after the last.

    Raises:
        ValueError: The fold does not exist.
    """
    if ratios.kind != "kfold":
        return SPLITS[: len(ratios.shares)]
    k = len(ratios.shares)
    if fold >= k:
        raise ValueError(f"params.yaml split.fold: expected a number from 0 to {k - 1} with kfold/{k}, got {fold}.")
    names = ["train"] * k
    names[fold], names[(fold + 1) % k] = "test", "val"
    return tuple(names)


def read_given(index: pd.DataFrame) -> Names:
    """Return the source's own splits; of a source with train and val alone, val is the test split.

    Raises:
        ValueError: A row has no given split, or there are no train or no test and val rows.
    """
    given = index["given_split"].to_numpy(dtype=str)
    without = int((given == "").sum())
    if without or "train" not in given or not {"val", "test"} & set(given):
        counts = ", ".join(f"{(given == name).sum()} {name}" for name in SPLITS)
        raise ValueError(
            f"params.yaml split.ratios: expected a source with given splits, got {counts}, {without} none. "
            "A ratio like 70/15/15 splits any source."
        )
    return given if "test" in given else np.where(given == "val", "test", given)


def describe_given(text: str, index: pd.DataFrame) -> list[str]:
    """Return in a line each what becomes of a source's own splits that the ratios do not say."""
    ratios, given = parse_ratios(text), set(index["given_split"])
    if ratios.kind != "given":
        return []
    if "test" not in given:
        return ["split: the source has no test images, so its val images are for testing, and val is drawn from train."]
    if "val" in given:
        return [f"split: the source has val images of its own, so the share in {text} is not used."]
    return []


def keep_given(index: pd.DataFrame, on_leak: OnLeak, kinds: list[Kind]) -> Names:
    """Return the source's own splits, with `dropped` for the rows that `drop_from_train` takes out.

    Raises:
        ValueError: A row has no given split, there are no train or no test and val rows, a split lacks a class, or
            there is a leak of one of the kinds and `on_leak` is `error`.
    """
    given = read_given(index)
    if on_leak == "error":
        check_leaks(index, given, kinds)
    split = drop_leaks(index, given, kinds) if on_leak == "drop_from_train" else given
    check_filled(index, split)
    return split


def check_filled(index: pd.DataFrame, split: Names) -> None:
    """Check that every class has rows in every split of the source.

    Raises:
        ValueError: A split has no row of a class.
    """
    names = [name for name in (*SPLITS, DROPPED) if name in split]
    counts = pd.crosstab(split, index["class"].to_numpy()).reindex(names)
    for name in counts.columns:
        if (counts.loc[counts.index != DROPPED, name] == 0).any():
            found = ", ".join(f"{number} {part}" for part, number in counts[name].items())
            raise ValueError(
                f"params.yaml split.ratios: expected every class in each of the source's splits, got {found} of class "
                f"{name}. Give it images there, leave it out of the source, or set a ratio like 70/15/15."
            )
