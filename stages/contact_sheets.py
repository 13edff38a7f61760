"""Contact sheets: what `clean` kept, rejected and found to be alike, as pictures of pictures."""

import argparse
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from PIL import Image

from stages.core.files import read_table, replacing
from stages.core.images import UnusableImage, read_pixels
from stages.core.sheets import Section, Tile, draw_sheet
from stages.core.terminal import command, progress

SIDE, GAP = 112, 4  # pixels of a picture, and between the two of a pair
COLUMNS = 10
PER_CLASS, PER_REASON, PER_KIND = 40, 20, 50
MISSING = "#e6e9ec"


def run(raw: Path, cleaned: Path, target: Path) -> None:
    """The folder target holds `kept.png`, `rejected.png` and `pairs.png`, from the tables that `clean` wrote.

    A section has the pictures of a class, a reason or a kind of pair, evenly over its rows where they are too many.
    """
    kept, rejected, pairs = (read_table(cleaned / f"{name}.csv") for name in ("kept", "rejected", "pairs"))
    images = pd.concat([kept, rejected]).drop_duplicates("image_id").set_index("image_id")
    with replacing(target) as folder:
        folder.mkdir()
        by_class = [(name, "kept", rows, PER_CLASS) for name, rows in kept.groupby("class")]
        by_reason = [(name, "rejected", rows, PER_REASON) for name, rows in rejected.groupby("reason")]
        draw_sheet([one_by_one(*each, raw) for each in by_class], folder / "kept.png", SIDE, COLUMNS)
        draw_sheet([one_by_one(*each, raw) for each in by_reason], folder / "rejected.png", SIDE, COLUMNS)
        draw_sheet(side_by_side(pairs, images, raw), folder / "pairs.png", 2 * SIDE + GAP, COLUMNS // 2)


def one_by_one(name: Any, what: str, rows: pd.DataFrame, most: int, raw: Path) -> Section:
    """At most so many pictures of the rows, with their names and, where they were rejected, why."""
    shown = spread(rows, most)
    pictures = read_all([raw / row["file"] for row in shown], name)
    captions = [(name_of(row), row["class"], row["detail"]) if "detail" in row else (name_of(row),) for row in shown]
    tiles = [Tile(picture, lines) for picture, lines in zip(pictures, captions, strict=True)]
    return Section(f"{name}: {len(tiles)} of {len(rows)} {what}", tiles)


def side_by_side(pairs: pd.DataFrame, images: pd.DataFrame, raw: Path) -> list[Section]:
    """Pairs of the same picture in one class, of the same in two, and of look-alikes, the most alike first."""
    is_same, is_crossing = pairs["relation"] == "same", pairs["first_class"] != pairs["second_class"]
    kinds = {
        "the same picture in one class": is_same & ~is_crossing,
        "the same picture in two classes": is_same & is_crossing,
        "look-alikes, which no split divides": ~is_same,
    }
    order = pairs.assign(unlike=-pairs["similarity"].astype(float), bits=pairs["distance"].astype(int))
    order = order.sort_values(["unlike", "bits"], kind="stable")
    sections = []
    for title, is_kind in kinds.items():
        shown = spread(order[is_kind[order.index]], PER_KIND)
        twins: list[Any] = [images.loc[row[side]] for row in shown for side in ("first", "second")]
        pictures = read_all([raw / twin["file"] for twin in twins], "pairs")
        tiles = [draw_pair(row, twins[2 * i : 2 * i + 2], pictures[2 * i : 2 * i + 2]) for i, row in enumerate(shown)]
        sections.append(Section(f"{title}: {len(tiles)} of {is_kind.sum()} pairs", tiles))
    return sections


def draw_pair(pair: pd.Series, twins: list[Any], pictures: list[Image.Image]) -> Tile:
    """The two pictures of a pair, side by side, with their classes and how near they are."""
    both = Image.new("RGB", (2 * SIDE + GAP, SIDE), "white")
    for number, picture in enumerate(pictures):
        both.paste(picture, (number * (SIDE + GAP), 0))
    form = "" if pair["form"] == "plain" else f", {pair['form']}"
    how = f"{pair['distance']} bits, {float(pair['similarity']):.2f} alike{form}"
    return Tile(both, (" | ".join(map(name_of, twins)), f"{pair['first_class']} | {pair['second_class']}", how))


def spread(rows: pd.DataFrame, number: int) -> list[pd.Series]:
    """At most so many rows, evenly over the table."""
    places = np.unique(np.linspace(0, len(rows) - 1, min(number, len(rows))).astype(int))
    return [rows.iloc[place] for place in places]


def name_of(row: Any) -> str:
    """A picture's name in its source, without folders."""
    return Path(row["source_id"]).name


def read_all(paths: list[Path], title: str) -> list[Image.Image]:
    """The pictures, letterboxed into squares."""
    work = (joblib.delayed(read)(path) for path in paths)
    results = joblib.Parallel(n_jobs=-1, prefer="threads", return_as="generator")(work)
    return list(progress(results, len(paths), title))


def read(path: Path) -> Image.Image:
    """The picture on white, or an empty square where it cannot be read."""
    try:
        return Image.fromarray(read_pixels(path, (SIDE, SIDE), "letterbox"))
    except UnusableImage:
        return Image.new("RGB", (SIDE, SIDE), MISSING)


def main() -> None:
    """Draw what clean left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("raw", type=Path, help="the folder of raw images")
    parser.add_argument("cleaned", type=Path, help="the folder that clean wrote")
    parser.add_argument("target", type=Path, help="the folder of sheets to write")
    arguments = parser.parse_args()
    run(arguments.raw, arguments.cleaned, arguments.target)


if __name__ == "__main__":
    command(main)
