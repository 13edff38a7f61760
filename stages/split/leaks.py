"""Leaks of a given split, which are alike images on several sides: finding, counting, reporting and dropping them.

A leak is `identical` (the same bytes), `changed` (the same image otherwise, such as a smaller copy) or a `look-alike`.
"""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.core.tables import tally

DROPPED = "dropped"
OnLeak = Literal["error", "report", "drop_from_train"]
Kind = Literal["identical", "changed", "look-alike"]
Names = npt.NDArray[np.str_]
LEAK_COLUMNS = ["group", "image_id", "class", "source_id", "given_split", "split", "kind"]
# The column that two alike images share, by the kind of leak that they are, the strictest first.
SHARED: dict[Kind, str] = {"identical": "image_id", "changed": "original", "look-alike": "group"}


def straddling(index: pd.DataFrame, split: Names) -> list[str]:
    """Return the groups whose images lie in more than one split; dropped rows do not count."""
    is_used = split != DROPPED
    per_group = pd.Series(split[is_used]).groupby(index["group"].to_numpy()[is_used]).nunique()
    return sorted(per_group[per_group > 1].index)


def find_leaks(index: pd.DataFrame, split: Names) -> pd.DataFrame:
    """Return all rows of the groups that lie in several splits, or that did before rows were dropped.

    Added are the columns `split`, `side` (the given split of a dropped row, else its split) and `kind`: how the row is
    like a row on another side, in the strictest way.
    """
    sides = np.where(split == DROPPED, index["given_split"].to_numpy(dtype=str), split)
    is_leak = index["group"].isin(straddling(index, sides)).to_numpy()
    leaks = index.assign(split=split, side=sides)[is_leak]
    order = ["group", "image_id", "given_split", "class", "source_id"]
    return leaks.assign(kind=kinds_across(leaks)).sort_values(order)


def kinds_across(rows: pd.DataFrame) -> Names:
    """Return for each row how it is like a row on another side: the strictest kind of leak."""
    is_shared = [rows.groupby(column)["side"].transform("nunique").to_numpy() > 1 for column in SHARED.values()]
    return np.select(is_shared, list(SHARED), "")


def kinds_towards(rows: pd.DataFrame, targets: pd.DataFrame) -> Names:
    """Return for each row how it is like one of the targets: the strictest kind of leak, empty if it is not."""
    is_shared = [rows[column].isin(targets[column]).to_numpy() for column in SHARED.values()]
    return np.select(is_shared, list(SHARED), "")


def count_leaks(leaks: pd.DataFrame) -> dict[str, Any]:
    """Return how many groups leak, and how many rows of each kind are like a row on a side that matters more.

    `like_test` counts train and val rows, `like_val` the train rows that are not like a test row.
    """
    test, val, train = (leaks[leaks["side"] == side] for side in ("test", "val", "train"))
    like_test = pd.concat([train, val])
    to_test = kinds_towards(like_test, test)
    left = train[kinds_towards(train, test) == ""]
    return {
        "groups": int(leaks["group"].nunique()),
        "like_test": tally_kinds(to_test),
        "like_val": tally_kinds(kinds_towards(left, val)),
    }


def tally_kinds(kinds: Names) -> dict[str, int]:
    """Return how many rows are of each kind of leak."""
    found = tally(kinds)
    return {kind: found.get(kind, 0) for kind in SHARED}


def check_leaks(index: pd.DataFrame, given: Names, kinds: list[Kind]) -> None:
    """Check that no row is like a row of a given split that matters more, in one of the kinds.

    Raises:
        ValueError: A row is.
    """
    is_leak = drop_leaks(index, given, kinds) == DROPPED
    if not is_leak.any():
        return
    counts = count_leaks(find_leaks(index, given))
    raise ValueError(
        f"params.yaml split.on_leak: expected no {' or '.join(kinds)} images across the given splits, got train and "
        f"val rows like test rows: {in_words(counts['like_test'])}; other train rows like val rows: "
        f"{in_words(counts['like_val'])}; the first {exemplify(index, given, is_leak)}. "
        "Set report or drop_from_train to go on."
    )


def in_words(counts: dict[str, int]) -> str:
    """Return counts by kind in words."""
    return ", ".join(f"{number} {kind}" for kind, number in counts.items())


def exemplify(index: pd.DataFrame, given: Names, is_leak: npt.NDArray[np.bool_]) -> str:
    """Return a row that leaks and the row that it is like, in words: identical ones if there are any."""
    rows = index.assign(side=given)
    for column in SHARED.values():
        columns = list(dict.fromkeys([column, "image_id", "source_id", "side"]))
        pairs = rows.loc[is_leak, columns].merge(rows[columns], on=column, suffixes=("", "_other"))
        matters_more = (pairs["side_other"] == "test") & (pairs["side"] != "test")
        matters_more |= (pairs["side_other"] == "val") & (pairs["side"] == "train")
        found = pairs[matters_more].sort_values(["image_id", "source_id", "side_other", "source_id_other"])
        if len(found):
            break
    first = found.iloc[0]
    return f"{first['source_id']} ({first['side']}) and {first['source_id_other']} ({first['side_other']})"


def drop_leaks(index: pd.DataFrame, given: Names, kinds: list[Kind]) -> Names:
    """Return the given splits, with `dropped` for rows like a row that matters more: test before val before train."""
    to_test = kinds_towards(index, index[given == "test"])
    to_val = kinds_towards(index, index[given == "val"])
    is_leak = ((given != "test") & np.isin(to_test, kinds)) | ((given == "train") & np.isin(to_val, kinds))
    return np.where(is_leak, DROPPED, given)
