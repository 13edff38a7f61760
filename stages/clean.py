"""Clean: which collected images are fit for use, and why each other one is not."""

import argparse
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import joblib
import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from stages.core import params
from stages.core.counts import tally
from stages.core.files import read_table, replacing, write_json, write_table
from stages.core.hashes import phash
from stages.core.inspection import Finding, Limits, inspect
from stages.core.reviews import Decision, read_decisions
from stages.core.terminal import command, progress
from stages.core.twins import LOOK_ALIKE, SAME, compare, find_pairs, group, nearest_of_another_class, repeats

REJECTED_COLUMNS = ["image_id", "class", "source_id", "file", "reason", "detail", "twin", "distance"]
PAIR_COLUMNS = ["first", "second", "first_class", "second_class", "distance", "similarity", "form", "relation"]
FILES_AT_ONCE = 8  # that a thread decodes, and then looks at
COLOURS_KEPT = 50_000  # pictures, 12 KB each; others are read again where they have to be compared
Thumbnails = npt.NDArray[np.uint8]
Colours = dict[Path, npt.NDArray[np.uint8]]


class Clean(Limits):
    """The section `clean` of params.yaml."""

    max_distance: int = Field(ge=0, le=64)
    min_similarity: float = Field(ge=0, le=1)
    group_distance: int = Field(ge=0, le=64)
    mirrored: bool
    rotated: bool
    placeholder_copies: int = Field(ge=2)
    placeholder_hashes: list[str]
    on_duplicate: Literal["reject", "keep"]
    on_conflict: Literal["reject", "keep"]


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


def decide(images: pd.DataFrame, decisions: dict[str, Decision]) -> pd.DataFrame:
    """The rows with a person's `decision` (keep, reject or move; empty without one), in the class that it says."""
    decided = [decisions.get(image_id) for image_id in images["image_id"]]
    classes = [each.class_ if each else class_ for each, class_ in zip(decided, images["class"], strict=True)]
    return images.assign(**{"class": classes, "decision": [each.decision if each else "" for each in decided]})


def inspect_all(images: pd.DataFrame, source: Path, settings: Clean) -> tuple[pd.DataFrame, Thumbnails, Colours]:
    """The rows with `phash`, and `reason` and `detail` of what makes a picture unfit; and what they look like.

    That is their grey thumbnails, and the colours of files that need not be read again for them.
    """
    files = list(images["file"].unique())
    blocks = [files[start : start + FILES_AT_ONCE] for start in range(0, len(files), FILES_AT_ONCE)]
    work = (joblib.delayed(inspect)([source / file for file in block], settings) for block in blocks)
    results = chain.from_iterable(joblib.Parallel(n_jobs=-1, prefer="threads", return_as="generator")(work))
    found: dict[str, Finding] = {}
    colours: Colours = {}
    for file, finding in zip(files, progress(results, len(files), "clean"), strict=True):
        if finding.colours is not None and len(colours) < COLOURS_KEPT:
            colours[source / file] = finding.colours
        found[file] = replace(finding, colours=None)
    thumbnails = np.stack([found[file].thumbnail for file in images["file"]])
    images = images.assign(phash=[f"{bits:016x}" for bits in phash(thumbnails)])
    verdicts = [judge(found[file], decision) for file, decision in zip(images["file"], images["decision"], strict=True)]
    images[["reason", "detail"]] = pd.DataFrame(verdicts, index=images.index, dtype=str)
    is_placeholder = find_placeholders(images, settings)
    images.loc[is_placeholder, "reason"] = "placeholder"
    images.loc[is_placeholder, "detail"] = "perceptual hash " + images.loc[is_placeholder, "phash"]
    return images, thumbnails, colours


def judge(finding: Finding, decision: str) -> tuple[str, str]:
    """Reason and detail of a rejection, or two empty texts: damage first, then the decision, then the measures."""
    if finding.reason and not finding.can_be_kept:
        return finding.reason, finding.detail
    if decision == "reject":
        return "review", "a person's decision"
    return ("", "") if decision else (finding.reason, finding.detail)


def find_placeholders(images: pd.DataFrame, settings: Clean) -> pd.Series:
    """For each row whether it stands for a picture that was not to be had: a hash that is known, or repeated often."""
    is_open = (images["reason"] == "") & (images["decision"] == "")
    copies = images[is_open].groupby("phash")["phash"].transform("size").reindex(images.index, fill_value=0)
    return is_open & ((copies >= settings.placeholder_copies) | images["phash"].isin(settings.placeholder_hashes))


def drop_copies(images: pd.DataFrame, settings: Clean) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows without those that repeat the bytes of one of their class and given split, and those."""
    is_copy = images.duplicated(["image_id", "class", "given_split"]) & (settings.on_duplicate == "reject")
    return images[~is_copy], reject(images[is_copy], "duplicate", images.loc[is_copy, "image_id"], 0)


def mark_copies(copies: pd.DataFrame, conflicts: pd.DataFrame) -> pd.DataFrame:
    """The copies, those of an image in conflict counted as that."""
    return copies.assign(reason=copies["reason"].mask(copies["image_id"].isin(conflicts["image_id"]), "conflict"))


def reject(images: pd.DataFrame, reason: str, twins: Any, distances: Any) -> pd.DataFrame:
    """The rows with the reason, and the image_id and distance in bits of the image that each repeats."""
    return images.assign(reason=reason, twin=twins, distance=distances)


def pair(images: pd.DataFrame, thumbnails: Thumbnails, colours: Colours, source: Path, settings: Clean) -> pd.DataFrame:
    """All pairs of rows that show the same picture or look alike, with distance, similarity and `relation`.

    The same: hashes within `max_distance`, and pixels at least `min_similarity` alike. Look-alikes: other pairs whose
    hashes are within `group_distance`.
    """
    farthest = max(settings.max_distance, settings.group_distance)
    pairs = find_pairs(thumbnails, farthest, settings.mirrored, settings.rotated)
    files = [source / file for file in images["file"]]
    pairs["similarity"] = compare(pairs, thumbnails, files, colours, settings.min_similarity)
    is_same = (pairs["distance"] <= settings.max_distance) & (pairs["similarity"] >= settings.min_similarity)
    pairs["relation"] = np.where(is_same, SAME, LOOK_ALIKE)
    return pairs[is_same | (pairs["distance"] <= settings.group_distance)].reset_index(drop=True)


def sort_out(images: pd.DataFrame, same: pd.DataFrame, settings: Clean) -> tuple[pd.DataFrame, ...]:
    """The rows that stay, those whose picture lies in several classes, and those that repeat one that stays."""
    ids, is_decided = images["image_id"].to_numpy(), (images["decision"] != "").to_numpy()
    rivals = {}
    if settings.on_conflict == "reject":
        is_open = ~is_decided[same["first"]] & ~is_decided[same["second"]]
        rivals = nearest_of_another_class(images["class"], same[is_open])
    copies = {}
    if settings.on_duplicate == "reject":
        given = images["given_split"].to_numpy()
        is_left = ~same["first"].isin(list(rivals)) & ~same["second"].isin(list(rivals))
        copies = repeats(rank(images), same[is_left & (given[same["first"]] == given[same["second"]])], is_decided)
    found = []
    for reason, others in (("conflict", rivals), ("near-duplicate", copies)):
        twins, bits = zip(*others.values(), strict=True) if others else ((), ())
        found.append(reject(images.loc[list(others)], reason, ids[list(twins)], pd.array(bits, dtype="Int64")))
    conflicts, repeated = found
    repeated["reason"] = repeated["reason"].mask(repeated["image_id"] == repeated["twin"], "duplicate")
    return images.drop(index=[*rivals, *copies]), conflicts, repeated


def rank(images: pd.DataFrame) -> npt.NDArray[np.int64]:
    """For each row its place from the best on: decided to keep, most pixels, smallest image_id."""
    pixels = images["width"].astype(int) * images["height"].astype(int)
    keys = images.assign(is_open=images["decision"] == "", fewer=-pixels)
    order = keys.sort_values(["is_open", "fewer", "image_id", "class"], kind="stable").index
    return np.argsort(order.to_numpy())


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


def main() -> None:
    """Clean what was collected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="the folder of raw images")
    parser.add_argument("review", type=Path, help="the table of a person's decisions")
    parser.add_argument("target", type=Path, help="the folder of kept and rejected rows to write")
    parser.add_argument("metrics", type=Path, help="the counts to write, as JSON")
    arguments = parser.parse_args()
    settings = params.read(Clean, "clean")
    write_json(run(settings, arguments.source, arguments.review, arguments.target), arguments.metrics)


if __name__ == "__main__":
    command(main)
