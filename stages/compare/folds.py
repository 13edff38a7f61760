"""How far networks differ that were cross-validated on the same folds."""

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.core.tables import read_table
from stages.results.grouped_accuracy import LEAST_GROUPS, accuracy_difference, count_groups

# Of trainings: on all training images, and with no value of a column such as author known.
SERIES = ALL, UNKNOWN = "all", "unknown"


def compare_folds(folders: dict[str, Path]) -> list[dict[str, Any]]:
    """Return for every two networks how far their accuracies in cross-validation differ, on the images tested by both.

    `difference` is the accuracy of the first less that of the second, with its 95 % interval, which contains what other
    images, divisions and seeds would change; `p` is that of no difference. All describe: nothing is chosen by them.

    Args:
        folders: The folder of each network's predictions.
    """
    tables = {name: read_table(folder / "predictions.csv") for name, folder in folders.items()}
    pairs = [compare_two(a, b, series, tables) for series in SERIES for a, b in combinations(tables, 2)]
    return [pair for pair in pairs if pair["images"]]


def compare_two(a: str, b: str, series: str, tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Return the comparison of two networks in one series of trainings, as `compare_folds` describes it."""
    right = {name: right_by_deal(tables[name], series) for name in (a, b)}
    tested = right[a].index.intersection(right[b].index)
    if tested.empty:
        return {"images": 0}
    groups = groups_of(tables[a], tested, series)
    one, other = (right[name].loc[tested].to_numpy() for name in (a, b))
    found = accuracy_difference(one, other, groups)
    difference = np.nanmean(one, axis=1).mean() - np.nanmean(other, axis=1).mean()
    return {"a": a, "b": b, "series": series, "images": len(tested), **found.as_values(difference)}


def groups_of(predictions: pd.DataFrame, tested: pd.Index, series: str) -> npt.NDArray[np.str_]:
    """Return the groups of the tested images: of values kept apart, such as authors, where those are enough."""
    rows = predictions.drop_duplicates("image_id").set_index("image_id").loc[tested]
    narrow: npt.NDArray[np.str_] = rows["group"].to_numpy(dtype=str)
    if series == ALL or "apart_group" not in rows:
        return narrow
    wide: npt.NDArray[np.str_] = rows["apart_group"].to_numpy(dtype=str)
    return wide if count_groups(wide) >= LEAST_GROUPS else narrow


def right_by_deal(predictions: pd.DataFrame, series: str) -> pd.DataFrame:
    """Return whether each image, a row, was predicted right in each deal, a column: 1, 0, or NaN if not tested."""
    own = predictions[predictions["series"] == series]
    right = own.assign(right=(own["class"] == own["predicted"]).astype(float))
    return right.pivot(index="image_id", columns="deal", values="right")
