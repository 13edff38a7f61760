"""Split: which images a network trains on, which choose its best epoch, and which test it."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from stages.core import params
from stages.core.files import replacing
from stages.core.tables import SPLITS, read_table, write_table
from stages.split.dealing import assign
from stages.split.folds import CrossValidation, deal_folds
from stages.split.grouping import LOOK_ALIKES, ungroup, unite
from stages.split.leaks import DROPPED, LEAK_COLUMNS, Kind, OnLeak, count_leaks, find_leaks, straddling
from stages.split.ratios import keep_given, name_parts, parse_ratios


class Split(params.Section):
    """The section `split` of params.yaml."""

    ratios: str
    fold: int = Field(ge=0)
    group_by: list[str]
    seed: int = Field(ge=0)
    on_leak: OnLeak
    leaks: list[Kind]


def run(
    settings: Split, cross_validation: CrossValidation, source: Path, target: Path, leaks: Path, folds: Path
) -> dict[str, Any]:
    """Write the class, group and split of every row, the rows that leak, and the folds; return the counts.

    The group is what `split.group_by` keeps together, or the look-alikes if it is empty.

    The table leaks lists all rows of the groups that lie in several splits, or that did before rows were dropped, each
    with the strictest kind in which it is like a row on another side.

    Raises:
        ValueError: The ratios are not valid, there is no column to group by, there are too few images, or a given split
            leaks.
    """
    parse_ratios(settings.ratios)  # so that wrong params are reported before the table is read
    index = read_table(source, "image_id", "class", "source_id", "given_split", "original", "group")
    groups = unite(index, settings.group_by or [LOOK_ALIKES])
    split = assign_splits(settings, index)
    found = find_leaks(index, split)
    table = index[["image_id", "class"]].assign(group=groups, split=split)
    kept = unite(index, settings.group_by) if settings.group_by else ungroup(index)
    dealt, facts = deal_folds(cross_validation, index, kept, settings.group_by, split)
    dealt["group"] = groups  # which an interval needs also where `group_by` keeps nothing together
    tables = {target: table, leaks: found[LEAK_COLUMNS], folds: dealt}
    for path, content in tables.items():
        with replacing(path) as unfinished:
            write_table(content, unfinished)
    return {
        "listed": len(table),
        "largest_group": int(groups.value_counts().iloc[0]),
        "groups_straddling": len(straddling(index, split)),
        "leaks": count_leaks(found),
        "cross_validation": facts,
        **count_images(table),
    }


def assign_splits(settings: Split, index: pd.DataFrame) -> npt.NDArray[np.str_]:
    """Return the split of each row: drawn by the seed, or the source's own, with val drawn from train if it has none.

    Raises:
        ValueError: The ratios are not valid, there are too few images for them, or a given split leaks.
    """
    ratios = parse_ratios(settings.ratios)
    names = name_parts(ratios, settings.fold)
    dealt = index.assign(group=unite(index, settings.group_by) if settings.group_by else ungroup(index))
    if ratios.kind != "given":
        return assign(dealt, ratios.shares, names, settings.seed)
    split = keep_given(index, settings.on_leak, settings.leaks)
    if "val" not in split:
        is_train = split == "train"
        split[is_train] = assign(dealt[is_train], ratios.shares, names, settings.seed)
    return split


def count_images(table: pd.DataFrame) -> dict[str, Any]:
    """Return number and share of each class in each split, and the largest deviation from a class's share of all."""
    counts = pd.crosstab(table["split"], table["class"])
    shown = [name for name in (*SPLITS, DROPPED) if name in counts.index]
    used = counts.loc[list(SPLITS)]
    shares = used.div(used.sum(axis=1), axis=0)
    imbalance = (shares - used.sum() / used.to_numpy().sum()).abs()
    return {
        "largest_imbalance": round(float(imbalance.to_numpy().max()), 4),
        "balance": {name: shares.loc[name].round(4).to_dict() for name in SPLITS},
        "classes": {name: counts.loc[name].to_dict() for name in shown},
    }
