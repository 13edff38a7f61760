"""Clean: which collected images are fit for use, and why each other one is not."""

from pathlib import Path
from typing import Any

import pandas as pd

from stages.clean.duplicates import drop_copies, mark_copies, pair, sort_out
from stages.clean.inspection import decide, inspect_all
from stages.clean.pairs import SAME, group
from stages.clean.settings import Clean
from stages.core.counts import tally
from stages.core.files import read_table, replacing, write_table
from stages.images.decisions import Decision, read_decisions

REJECTED_COLUMNS = ["image_id", "class", "source_id", "file", "reason", "detail", "twin", "distance"]
PAIR_COLUMNS = ["first", "second", "first_class", "second_class", "distance", "similarity", "form", "relation"]


def run(settings: Clean, source: Path, review: Path, target: Path) -> dict[str, Any]:
    """The counts, after the folder target holds `kept.csv`, `rejected.csv` and `pairs.csv`.

    `kept.csv` has the columns of the source's `images.csv` and `phash` (16 hexadecimal digits) and `group`: the
    smallest image_id among those that `pairs.csv` connects with it. An image_id stands there once for each of the
    source's own splits. Of the same pictures the one that a person decided to keep stays, then the one with most
    pixels, then the one with the smallest image_id. A person's decisions stand over everything but damage.

    Raises:
        FileNotFoundError: there is no table of decisions, or of images.
        ValueError: no image is left, or a decision is not about these images.
    """
    listed = read_table(source / "images.csv").sort_values(["image_id", "class", "source_id"], kind="stable")
    decisions = read_decisions(review, listed)
    images, thumbnails, colours = inspect_all(decide(listed.reset_index(drop=True), decisions), source, settings)
    unfit = images[images["reason"] != ""]
    usable, copies = drop_copies(images[images["reason"] == ""], settings)
    thumbnails, usable = thumbnails[usable.index], usable.reset_index(drop=True)
    pairs = pair(usable, thumbnails, colours, source, settings)
    usable["group"] = group(usable["image_id"], pairs)
    kept, conflicts, twins = sort_out(usable, pairs[pairs["relation"] == SAME], settings)
    rejected = pd.concat([unfit, mark_copies(copies, conflicts), conflicts, twins])
    if kept.empty:
        raise ValueError(f"{source}: expected an image that passes `clean`, got {describe(rejected)}.")
    kept, rejected = arrange(kept), arrange(rejected)
    with replacing(target) as folder:
        folder.mkdir()
        write_table(kept.drop(columns=["reason", "detail", "decision"]), folder / "kept.csv")
        write_table(rejected.reindex(columns=REJECTED_COLUMNS).astype({"distance": "Int64"}), folder / "rejected.csv")
        write_table(name_pairs(pairs, usable), folder / "pairs.csv")
    return {**count(listed, kept, rejected), "pairs": tally(pairs["relation"]), "decisions": tally_of(decisions)}


def arrange(images: pd.DataFrame) -> pd.DataFrame:
    """The rows in the order of their table."""
    return images.sort_values(["reason", "image_id", "class", "source_id"], kind="stable")


def name_pairs(pairs: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """The pairs with image_ids instead of rows, and classes, the nearest first."""
    columns = {
        f"{side}{suffix}": images[column].to_numpy()[pairs[side]]
        for side in ("first", "second")
        for suffix, column in (("", "image_id"), ("_class", "class"))
    }
    named = pairs.assign(**columns)
    return named.sort_values(["distance", "first", "second"], kind="stable")[PAIR_COLUMNS]


def describe(rejected: pd.DataFrame) -> str:
    """The reasons and their counts in one phrase."""
    return ", ".join(f"{number} {reason}" for reason, number in tally(rejected["reason"]).items())


def count(images: pd.DataFrame, kept: pd.DataFrame, rejected: pd.DataFrame) -> dict[str, Any]:
    """How many came, stayed and were rejected by reason, and what stayed by class."""
    return {
        "listed": len(images),
        "kept": len(kept),
        "rejected": tally(rejected["reason"]),
        "groups": int(kept["group"].nunique()),
        "classes": tally(kept["class"]),
    }


def tally_of(decisions: dict[str, Decision]) -> dict[str, int]:
    """How many decisions of each kind stand."""
    return tally(each.decision for each in decisions.values())
