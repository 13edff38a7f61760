"""Leaks, which are groups on several sides of a split: finding, counting, reporting and dropping them."""

from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.images.hamming_search import near_pairs

DROPPED = "dropped"
OnLeak = Literal["error", "report", "drop_from_train"]
Names = npt.NDArray[np.str_]
LEAK_COLUMNS = ["group", "image_id", "class", "source_id", "given_split", "split", "kind"]
FARTHEST = 20


def straddling(index: pd.DataFrame, split: Names) -> list[str]:
    """Return the groups whose images lie in more than one split; dropped rows do not count."""
    is_used = split != DROPPED
    per_group = pd.Series(split[is_used]).groupby(index["group"].to_numpy()[is_used]).nunique()
    return sorted(per_group[per_group > 1].index)


def find_leaks(index: pd.DataFrame, split: Names) -> pd.DataFrame:
    """Return all rows of the groups that lie in several splits, or that did before rows were dropped.

    Added are the columns `split`, `side` (the given split of a dropped row, else its split) and `kind`: `identical` if
    the same image_id is on another side, else `near`.
    """
    sides = np.where(split == DROPPED, index["given_split"].to_numpy(dtype=str), split)
    is_leak = index["group"].isin(straddling(index, sides)).to_numpy()
    leaks = index.assign(split=split, side=sides)[is_leak]
    n_sides = leaks.groupby("image_id")["side"].transform("nunique")
    leaks = leaks.assign(kind=np.where(n_sides > 1, "identical", "near"))
    return leaks.sort_values(["group", "image_id", "given_split", "class", "source_id"])


def count_leaks(leaks: pd.DataFrame) -> dict[str, int]:
    """Return how many groups leak, and how many rows of train and val are like a row on a side that matters more.

    `like_test` counts train and val rows in a group with a test row, and `identical_to_test` the rows among them whose
    image is also a test image; `like_val` counts the other train rows in a group with a val row. `drop_from_train`
    drops `like_test` and `like_val`.
    """
    is_test = leaks["side"] == "test"
    has_test = leaks["group"].isin(leaks.loc[is_test, "group"])
    is_copy = leaks["image_id"].isin(leaks.loc[is_test, "image_id"])
    return {
        "groups": int(leaks["group"].nunique()),
        "like_test": int((has_test & ~is_test).sum()),
        "identical_to_test": int((is_copy & ~is_test).sum()),
        "like_val": int((~has_test & (leaks["side"] == "train")).sum()),
    }


def check_leaks(index: pd.DataFrame, given: Names) -> None:
    """Check that no group lies in several of the given splits.

    Raises:
        ValueError: A group lies in several splits.
    """
    leaks = find_leaks(index, given)
    if leaks.empty:
        return
    counts = count_leaks(leaks)
    raise ValueError(
        f"params.yaml split.on_leak: expected no look-alikes across the given splits, got groups of look-alikes: "
        f"{counts['groups']}, train and val rows like test rows: {counts['like_test']} (identical to a test row: "
        f"{counts['identical_to_test']}), other train rows like val rows: {counts['like_val']}, the first "
        f"{exemplify(leaks)}. Set report or drop_from_train to go on."
    )


def exemplify(leaks: pd.DataFrame) -> str:
    """Return two rows of one group on two sides, in words: identical rows if there are any, else near ones."""
    first = leaks.sort_values("kind", kind="stable").iloc[0]
    key = "image_id" if first["kind"] == "identical" else "group"
    rows = leaks[leaks[key] == first[key]].sort_values("side", ascending=False, kind="stable")
    return " and ".join(f"{rows['source_id'].iloc[i]} ({rows['side'].iloc[i]})" for i in (0, -1))


def drop_leaks(index: pd.DataFrame, given: Names) -> Names:
    """Return the given splits, with `dropped` for rows like a row that matters more: test before val before train."""
    group = index["group"]
    like_test = group.isin(group[given == "test"]).to_numpy() & (given != "test")
    like_val = group.isin(group[given == "val"]).to_numpy() & (given == "train")
    return np.where(like_test | like_val, DROPPED, given)


def measure_closeness(index: pd.DataFrame, split: Names, max_distance: int) -> tuple[int, int | None]:
    """Return how many pairs across splits have hashes within max_distance bits, and the smallest distance of any.

    Both come from `phash` alone, as a check on the groups; dropped rows are left out. The smallest distance is None if
    it is over 20 bits: unrelated images are 32 bits apart on average, and searching that far takes long.
    """
    is_used = split != DROPPED
    hashes = np.array([int(digits, 16) for digits in index["phash"][is_used]], dtype=np.uint64)
    near = closest = distances_across(hashes, split[is_used], max_distance)
    for wider in range(max_distance + 2, FARTHEST + 2, 2):
        if len(closest):
            break
        closest = distances_across(hashes, split[is_used], wider)
    smallest = int(closest.min(initial=64))
    return len(near), smallest if smallest <= FARTHEST else None


def distances_across(hashes: npt.NDArray[np.uint64], split: Names, max_distance: int) -> npt.NDArray[np.int64]:
    """Return the distances in bits of all pairs in different splits that are at most max_distance apart."""
    first, second, distance = near_pairs(hashes, max_distance)
    across: npt.NDArray[np.int64] = distance[split[first] != split[second]]
    return across
