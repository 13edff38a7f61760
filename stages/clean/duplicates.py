"""Which images repeat others: duplicates, near-duplicates and conflicts between classes."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.clean.agreement import compare_views
from stages.clean.candidates import Thumbnails, find_pairs, screen
from stages.clean.groups import LOOK_ALIKE, SAME, find_repeats, nearest_of_another_class
from stages.clean.inspection import Views
from stages.clean.settings import Clean

CHANGED_IN_A_DRAWING = 0.002  # share of the area that resampling may change where there is no texture


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
    images: pd.DataFrame, thumbnails: Thumbnails, views: Views, source: Path, settings: Clean
) -> pd.DataFrame:
    """Return all pairs of rows that show the same image or look alike, with `distance`, agreement and `relation`.

    Candidates are rows whose hashes are within `max_distance` and whose outlines agree. They show the same image if
    they have the same bytes, or by `are_same`. Other candidates look alike if half of their fine structure is at least
    `min_likeness` similar.
    """
    pairs = find_pairs(thumbnails, settings.max_distance, settings.mirrored, settings.rotated)
    pairs = pairs[screen(pairs, thumbnails) | are_identical(pairs, images)].reset_index(drop=True)
    pairs = compare_views(pairs, [source / file for file in images["file"]], views)
    is_same = are_same(pairs, settings) | are_identical(pairs, images)
    pairs["relation"] = np.where(is_same, SAME, LOOK_ALIKE)
    return pairs[is_same | (pairs["likeness"] >= settings.min_likeness)].reset_index(drop=True)


def are_same(pairs: pd.DataFrame, settings: Clean) -> npt.NDArray[np.bool_]:
    """Return for each compared pair whether both rows show the same image.

    Their fine structure is at least `min_similarity` similar, and next to nothing is changed: on a photograph at most
    `max_changed` of the area, such as a watermark; on a drawing nothing, because there a small change makes another
    drawing.
    """
    allowed = np.where(pairs["is_textured"], settings.max_changed, CHANGED_IN_A_DRAWING)
    same = (pairs["similarity"] >= settings.min_similarity) & (pairs["changed"] <= allowed)
    return same.to_numpy()


def are_identical(pairs: pd.DataFrame, images: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return for each pair whether both rows have the same bytes; of a smooth image they tell little else."""
    ids = images["image_id"].to_numpy()
    identical: npt.NDArray[np.bool_] = ids[pairs["first"]] == ids[pairs["second"]]
    return identical


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
