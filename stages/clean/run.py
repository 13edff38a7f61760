"""Clean: which collected images are fit for use, and the reason against each other image."""

from pathlib import Path
from typing import Any

import pandas as pd

from stages.clean.duplicates import drop_copies, find_alike, mark_copies, reject_repeats
from stages.clean.groups import SAME, name_groups, name_originals
from stages.clean.inspection import apply_decisions, inspect_all
from stages.clean.settings import Clean
from stages.core.files import replacing_folder
from stages.core.tables import read_table, tally, write_table
from stages.images.decisions import Decision, read_decisions

LISTED_COLUMNS = ["image_id", "class", "source_id", "width", "height", "given_split", "file"]
REJECTED_COLUMNS = ["image_id", "class", "source_id", "file", "reason", "detail", "twin", "distance"]
PAIR_COLUMNS = [
    "first", "second", "first_class", "second_class", "distance", "similarity", "likeness",
    "changed", "form", "relation",
]  # fmt: skip


def run(settings: Clean, source: Path, review: Path, target: Path) -> dict[str, Any]:
    """Write `kept.csv`, `rejected.csv` and `pairs.csv` into the folder target, and return the counts.

    `kept.csv` has the columns of the source's `images.csv`, `phash` (16 hexadecimal digits), `texture` (the share of
    the area with fine structure, 0 to 1), `original` and `group`: the smallest image_id among the images that show the
    same image, and among those that look alike too. An image_id stands there once for each of the source's own splits.
    Of several copies of an image, the copy that a person decided to keep stays, then the copy with most pixels, then
    the copy with the smallest image_id. A person's decision outweighs everything but damage.

    Raises:
        FileNotFoundError: The table of decisions or the table of images does not exist.
        ValueError: No image is left, or a decision does not fit its image.
    """
    listed = read_table(source / "images.csv", *LISTED_COLUMNS)
    listed = listed.sort_values(["image_id", "class", "source_id"], kind="stable", ignore_index=True)
    decisions = read_decisions(review, listed)
    images, thumbnails, views = inspect_all(apply_decisions(listed, decisions), source, settings)
    unfit = images[images["reason"] != ""]
    usable, copies = drop_copies(images[images["reason"] == ""], settings)
    thumbnails, usable = thumbnails[usable.index], usable.reset_index(drop=True)
    pairs = find_alike(usable, thumbnails, views, source, settings)
    same = pairs[pairs["relation"] == SAME]
    usable["original"] = name_originals(usable["image_id"], same)
    usable["group"] = name_groups(usable["image_id"], pairs)
    kept, conflicts, twins = reject_repeats(usable, same, settings)
    rejected = pd.concat([unfit, mark_copies(copies, conflicts), conflicts, twins])
    if kept.empty:
        raise ValueError(f"{source}: expected an image that passes `clean`, got {describe_reasons(rejected)}.")
    kept, rejected = sort_rows(kept), sort_rows(rejected)
    with replacing_folder(target, "clean") as folder:
        write_table(kept.drop(columns=["reason", "detail", "decision"]), folder / "kept.csv")
        write_table(rejected.reindex(columns=REJECTED_COLUMNS).astype({"distance": "Int64"}), folder / "rejected.csv")
        write_table(name_pairs(pairs, usable), folder / "pairs.csv")
    return {
        **count_outcomes(listed, kept, rejected),
        "pairs": tally(pairs["relation"]),
        **count_decisions(decisions, set(listed["image_id"])),
    }


def sort_rows(images: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in the order of their table."""
    return images.sort_values(["reason", "image_id", "class", "source_id"], kind="stable")


def name_pairs(pairs: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs with image_ids instead of rows, and with classes, the nearest first."""
    columns = {
        f"{side}{suffix}": images[column].to_numpy()[pairs[side]]
        for side in ("first", "second")
        for suffix, column in (("", "image_id"), ("_class", "class"))
    }
    named = pairs.assign(**columns)
    return named.sort_values(["distance", "first", "second"], kind="stable")[PAIR_COLUMNS]


def describe_reasons(rejected: pd.DataFrame) -> str:
    """Return the reasons and their counts in one phrase."""
    return ", ".join(f"{number} {reason}" for reason, number in tally(rejected["reason"]).items())


def count_outcomes(images: pd.DataFrame, kept: pd.DataFrame, rejected: pd.DataFrame) -> dict[str, Any]:
    """Return how many images were listed, kept, and rejected by reason, and how many were kept of each class."""
    return {
        "listed": len(images),
        "kept": len(kept),
        "rejected": tally(rejected["reason"]),
        "groups": int(kept["group"].nunique()),
        "largest_groups": kept["group"].value_counts().head(5).tolist(),
        "classes": tally(kept["class"]),
    }


def count_decisions(decisions: dict[str, Decision], image_ids: set[str]) -> dict[str, Any]:
    """Return how many decisions of each kind stand, and how many wait for an image that is not among the data."""
    fitting = [decision.decision for image_id, decision in decisions.items() if image_id in image_ids]
    return {"decisions": tally(fitting), "waiting": len(decisions) - len(fitting)}
