"""Which images repeat others: duplicates, near-duplicates and conflicts between classes."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.clean.inspection import Colours, Thumbnails
from stages.clean.pairs import LOOK_ALIKE, SAME, compare_pixels, find_pairs, find_repeats, nearest_of_another_class
from stages.clean.settings import Clean


def drop_copies(images: pd.DataFrame, settings: Clean) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split off the rows that repeat the bytes of an earlier row of their class and given split."""
    is_copy = images.duplicated(["image_id", "class", "given_split"]) & (settings.on_duplicate == "reject")
    return images[~is_copy], reject(images[is_copy], "duplicate", images.loc[is_copy, "image_id"], 0)


def mark_copies(copies: pd.DataFrame, conflicts: pd.DataFrame) -> pd.DataFrame:
    """Return the copies; copies of an image in conflict get the reason `conflict`."""
    return copies.assign(reason=copies["reason"].mask(copies["image_id"].isin(conflicts["image_id"]), "conflict"))


def reject(images: pd.DataFrame, reason: str, twins: Any, distances: Any) -> pd.DataFrame:
    """Return the rows with the reason, and the image_id and distance in bits of the image that each row repeats."""
    return images.assign(reason=reason, twin=twins, distance=distances)


def find_alike(
    images: pd.DataFrame, thumbnails: Thumbnails, colours: Colours, source: Path, settings: Clean
) -> pd.DataFrame:
    """Return all pairs of rows that show the same image or look alike, with distance, similarity and `relation`.

    Two rows show the same image if their hashes are within `max_distance` and their pixels at least `min_similarity`
    alike. Look-alikes are other pairs whose hashes are within `group_distance`.
    """
    farthest = max(settings.max_distance, settings.group_distance)
    pairs = find_pairs(thumbnails, farthest, settings.mirrored, settings.rotated)
    files = [source / file for file in images["file"]]
    pairs["similarity"] = compare_pixels(pairs, thumbnails, files, colours, settings.min_similarity)
    is_same = (pairs["distance"] <= settings.max_distance) & (pairs["similarity"] >= settings.min_similarity)
    pairs["relation"] = np.where(is_same, SAME, LOOK_ALIKE)
    return pairs[is_same | (pairs["distance"] <= settings.group_distance)].reset_index(drop=True)


def reject_repeats(images: pd.DataFrame, same: pd.DataFrame, settings: Clean) -> tuple[pd.DataFrame, ...]:
    """Return the rows that stay, the rows in conflict between classes, and the rows that repeat a row that stays."""
    ids, is_decided = images["image_id"].to_numpy(), (images["decision"] != "").to_numpy()
    rivals = {}
    if settings.on_conflict == "reject":
        is_open = ~is_decided[same["first"]] & ~is_decided[same["second"]]
        rivals = nearest_of_another_class(images["class"], same[is_open])
    copies = {}
    if settings.on_duplicate == "reject":
        given = images["given_split"].to_numpy()
        is_left = ~same["first"].isin(list(rivals)) & ~same["second"].isin(list(rivals))
        copies = find_repeats(
            rank_rows(images), same[is_left & (given[same["first"]] == given[same["second"]])], is_decided
        )
    found = []
    for reason, others in (("conflict", rivals), ("near-duplicate", copies)):
        twins, bits = zip(*others.values(), strict=True) if others else ((), ())
        found.append(reject(images.loc[list(others)], reason, ids[list(twins)], pd.array(bits, dtype="Int64")))
    conflicts, repeated = found
    repeated["reason"] = repeated["reason"].mask(repeated["image_id"] == repeated["twin"], "duplicate")
    return images.drop(index=[*rivals, *copies]), conflicts, repeated


def rank_rows(images: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return the place of each row from the best on: decided to keep, then most pixels, then smallest image_id."""
    pixels = images["width"].astype(int) * images["height"].astype(int)
    keys = images.assign(is_open=images["decision"] == "", fewer=-pixels)
    order = keys.sort_values(["is_open", "fewer", "image_id", "class"], kind="stable").index
    return np.argsort(order.to_numpy())
