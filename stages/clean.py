"""Clean: which collected images are fit for use, and why each other one is not."""

import argparse
from pathlib import Path
from typing import Any, Literal

import joblib
import numpy as np
import pandas as pd
from pydantic import Field

from stages.core import params
from stages.core.counts import tally
from stages.core.files import read_table, replacing, write_json, write_table
from stages.core.hashes import components, near_pairs, phash
from stages.core.images import UnusableImage, check_end, decode, open_image, to_rgb, upright
from stages.core.terminal import command, progress

REJECTED_COLUMNS = ["image_id", "class", "source_id", "file", "reason", "detail", "twin", "distance"]


class Clean(params.Section):
    """The section `clean` of params.yaml."""

    min_side: int = Field(ge=1)
    max_megapixels: float = Field(gt=0)
    max_distance: int = Field(ge=0, le=64)
    group_distance: int = Field(ge=0, le=64)
    on_conflict: Literal["reject", "keep"]


def run(settings: Clean, source: Path, target: Path) -> dict[str, Any]:
    """The counts, after the folder target holds `kept.csv` and `rejected.csv`; no image is copied or changed.

    `kept.csv` has the columns of the source's `images.csv` and `phash` (16 hexadecimal digits) and `group`: the
    smallest image_id among the images that hashes within `clean.group_distance` connect. Of equal or near-equal
    images the one with most pixels stays, among those the one with the smallest image_id.

    Raises:
        ValueError: no image is left.
    """
    images = read_table(source / "images.csv").sort_values(["image_id", "class", "source_id"], kind="stable")
    inspected = inspect_all(images, source, settings)
    is_usable = inspected["reason"] == ""
    usable, copies = drop_copies(inspected[is_usable])
    usable = usable.assign(group=group(usable, settings.group_distance))
    conflicts = find_conflicts(usable, settings) if settings.on_conflict == "reject" else usable.head(0)
    kept, twins = drop_near_duplicates(usable.drop(conflicts.index), settings.max_distance)
    rejected = pd.concat([inspected[~is_usable], mark_copies(copies, conflicts), conflicts, twins])
    if kept.empty:
        raise ValueError(f"{source}: expected an image that passes `clean`, got {describe(rejected)}.")
    with replacing(target) as folder:
        folder.mkdir()
        write_table(kept.drop(columns=["reason", "detail"]).sort_values("image_id"), folder / "kept.csv")
        order = ["reason", "image_id", "class", "source_id"]
        rejected = rejected.reindex(columns=REJECTED_COLUMNS).astype({"distance": "Int64"}).sort_values(order)
        write_table(rejected, folder / "rejected.csv")
    return count(images, kept, rejected)


def inspect_all(images: pd.DataFrame, source: Path, settings: Clean) -> pd.DataFrame:
    """The rows with `reason` and `detail` of what makes a file unusable, or with its `phash`."""
    files = images["file"].unique()
    work = (joblib.delayed(inspect)(source / file, settings) for file in files)
    results = joblib.Parallel(n_jobs=-1, prefer="threads", return_as="generator")(work)
    found = dict(zip(files, progress(results, len(files), "clean"), strict=True))
    columns = pd.DataFrame([found[file] for file in images["file"]], index=images.index)
    return images.join(columns)


def inspect(path: Path, settings: Clean) -> dict[str, str]:
    """What is wrong with one file, or its perceptual hash."""
    try:
        with open_image(path) as image:
            check_size(image.width, image.height, settings)
            check_end(path)
            digits = f"{phash(to_rgb(upright(decode(image)))):016x}"
    except UnusableImage as error:
        return {"reason": error.reason, "detail": error.detail, "phash": ""}
    return {"reason": "", "detail": "", "phash": digits}


def check_size(width: int, height: int, settings: Clean) -> None:
    """Nothing, where the size is within the params' limits.

    Raises:
        UnusableImage: the shorter side is too small, or the area too large.
    """
    if min(width, height) < settings.min_side:
        raise UnusableImage("too small", f"{width}x{height}, expected a shorter side >= {settings.min_side}")
    if width * height > settings.max_megapixels * 1e6:
        raise UnusableImage("too large", f"{width}x{height}, expected at most {settings.max_megapixels} megapixels")


def drop_copies(images: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows without those that repeat an image_id within its class, and those."""
    is_copy = images.duplicated(["image_id", "class"])
    return images[~is_copy], reject(images[is_copy], "duplicate", images.loc[is_copy, "image_id"], 0)


def mark_copies(copies: pd.DataFrame, conflicts: pd.DataFrame) -> pd.DataFrame:
    """The copies, those of an image in conflict counted as that."""
    return copies.assign(reason=copies["reason"].mask(copies["image_id"].isin(conflicts["image_id"]), "conflict"))


def reject(images: pd.DataFrame, reason: str, twins: Any, distances: Any) -> pd.DataFrame:
    """The rows with the reason, and the image_id and distance in bits of the image that each repeats."""
    return images.assign(reason=reason, twin=twins, distance=distances)


def hashes_of(images: pd.DataFrame) -> np.ndarray:
    """The rows' perceptual hashes as uint64."""
    return np.array([int(digits, 16) for digits in images["phash"]], dtype=np.uint64)


def group(images: pd.DataFrame, max_distance: int) -> list[str]:
    """For each row the smallest image_id of its group."""
    first, second, _ = near_pairs(hashes_of(images), max_distance)
    labels = components(len(images), first, second)
    smallest = images["image_id"].groupby(labels).min()
    return [smallest[label] for label in labels]


def find_conflicts(images: pd.DataFrame, settings: Clean) -> pd.DataFrame:
    """All rows of every picture that lies in several classes, each with the nearest one of another class.

    Pictures are the same when pairs within `max_distance` connect them.
    """
    if images.empty:
        return images.assign(twin="", distance=0)
    first, second, _ = near_pairs(hashes_of(images), settings.max_distance)
    labels = components(len(images), first, second)
    rows = np.flatnonzero(images["class"].groupby(labels).transform("nunique") > 1)
    hashes, classes, ids = hashes_of(images), images["class"].to_numpy(), images["image_id"].to_numpy()
    twins, distances = [], []
    for row in rows:
        others = np.flatnonzero((labels == labels[row]) & (classes != classes[row]))
        bits = np.bitwise_count(hashes[others] ^ hashes[row])
        twins.append(ids[others[bits.argmin()]])
        distances.append(int(bits.min()))
    return reject(images.iloc[rows], "conflict", twins, distances)


def drop_near_duplicates(images: pd.DataFrame, max_distance: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows that stay, and the rest with the nearest staying row; the best of each set stays."""
    pixels = images["width"].astype(int) * images["height"].astype(int)
    best_first = images.assign(pixels=-pixels).sort_values(["pixels", "image_id", "class"]).drop(columns="pixels")
    first, second, distance = near_pairs(hashes_of(best_first), max_distance)
    is_kept = np.ones(len(images), dtype=bool)
    twin, bits = np.zeros(len(images), dtype=int), np.full(len(images), 65)
    for better, worse, bit in zip(first, second, distance, strict=True):
        if is_kept[better] and bit < bits[worse]:
            is_kept[worse], twin[worse], bits[worse] = False, better, bit
    ids = best_first["image_id"].to_numpy()
    dropped = best_first[~is_kept]
    twins = ids[twin[~is_kept]]
    reason = np.where(dropped["image_id"].to_numpy() == twins, "duplicate", "near-duplicate")
    return best_first[is_kept], reject(dropped, "", twins, bits[~is_kept]).assign(reason=reason)


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


def main() -> None:
    """Clean what was collected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="the folder of raw images")
    parser.add_argument("target", type=Path, help="the folder of kept and rejected rows to write")
    parser.add_argument("metrics", type=Path, help="the counts to write, as JSON")
    arguments = parser.parse_args()
    write_json(run(params.read(Clean, "clean"), arguments.source, arguments.target), arguments.metrics)


if __name__ == "__main__":
    command(main)
