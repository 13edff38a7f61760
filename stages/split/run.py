"""Split: which images train, which choose, and which test."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from stages.core import params
from stages.core.files import read_table, replacing, write_table
from stages.split.dealing import assign, ungroup
from stages.split.leaks import DROPPED, LEAK_COLUMNS, OnLeak, count_leaks, find_leaks, measure_closeness, straddling
from stages.split.ratios import NAMES, keep_given, name_parts, parse_ratios


class Split(params.Section):
    """The section `split` of params.yaml."""

    ratios: str
    fold: int = Field(ge=0)
    grouped: bool
    seed: int = Field(ge=0)
    on_leak: OnLeak


class Likeness(params.Section, extra="ignore"):
    """What of the section `clean` of params.yaml says how close two look-alikes are."""

    group_distance: int = Field(ge=0, le=64)


def run(settings: Split, group_distance: int, source: Path, target: Path, leaks: Path) -> dict[str, Any]:
    """The counts, after the table target lists every row of the index with its class, group and split.

    The table leaks lists all rows of the groups that lie in several splits, or did before their rows were dropped:
    `identical` where the same bytes are on another side, else `near`.

    Raises:
        ValueError: the ratios make no sense, the images cannot fill them, or a given split leaks.
    """
    parse_ratios(settings.ratios)  # what is wrong with the params is said before the table is read
    index = read_table(source)
    split = divide(settings, index)
    found = find_leaks(index, split)
    table = index[["image_id", "class", "group"]].assign(split=split)
    with replacing(target) as unfinished, replacing(leaks) as unfinished_leaks:
        write_table(table, unfinished)
        write_table(found[LEAK_COLUMNS], unfinished_leaks)
    near, closest = measure_closeness(index, split, group_distance)
    return {
        "listed": len(table),
        "groups_straddling": len(straddling(index, split)),
        "leaks": count_leaks(found),
        "near_pairs_across_splits": near,
        "closest_across_splits": closest,
        **count(table),
    }


def divide(settings: Split, index: pd.DataFrame) -> npt.NDArray[np.str_]:
    """The split of each row: drawn by the seed, or the source's own, with val drawn from its train rows if it has none.

    Raises:
        ValueError: the ratios make no sense, the images cannot fill them, or a given split leaks.
    """
    ratios = parse_ratios(settings.ratios)
    names = name_parts(ratios, settings.fold)
    dealt = index if settings.grouped else ungroup(index)
    if ratios.kind != "given":
        return assign(dealt, ratios.shares, names, settings.seed)
    split = keep_given(index, settings.on_leak)
    if "val" not in split:
        is_train = split == "train"
        split[is_train] = assign(dealt[is_train], ratios.shares, names, settings.seed)
    return split


def count(table: pd.DataFrame) -> dict[str, Any]:
    """How many images of each class each split has, their share of it, and how far that is from their share of all."""
    counts = pd.crosstab(table["split"], table["class"])
    shown = [name for name in (*NAMES, DROPPED) if name in counts.index]
    used = counts.loc[list(NAMES)]
    shares = used.div(used.sum(axis=1), axis=0)
    imbalance = (shares - used.sum() / used.to_numpy().sum()).abs()
    return {
        "largest_imbalance": round(float(imbalance.to_numpy().max()), 4),
        "balance": {name: shares.loc[name].round(4).to_dict() for name in NAMES},
        "classes": {name: counts.loc[name].to_dict() for name in shown},
    }
