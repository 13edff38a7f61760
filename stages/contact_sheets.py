"""Contact sheets of what `clean` kept, rejected and found to be alike."""

import argparse
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from stages.core.files import replacing_folder
from stages.core.tables import read_table
from stages.core.terminal import command
from stages.figures.sheets import SheetSection, Tile, draw_sheet
from stages.figures.tiles import SIDE, file_name, image_section, of_largest_classes, read_squares, spread

PAIR_COLUMNS = (
    "first", "second", "first_class", "second_class", "distance", "similarity", "changed", "form", "relation",
)  # fmt: skip
GAP = 4  # pixels between the two images of a pair
COLUMNS = 10
PER_CLASS, PER_REASON, PER_KIND, PER_GROUP = 40, 20, 50, 20
LARGEST = 10  # groups to show
MOST_CLASSES = 30  # in one sheet, which is then 20,000 pixels high


def run(raw: Path, cleaned: Path, target: Path) -> None:
    """Write the sheets `kept`, `rejected`, `pairs` and `groups` into the folder target, from the tables of `clean`.

    A section has the images of a class, of a reason, of a kind of pair or of one of the largest groups, evenly spread
    over its rows if there are too many.
    """
    kept = read_table(cleaned / "kept.csv", "image_id", "class", "file", "group")
    rejected = read_table(cleaned / "rejected.csv", "image_id", "class", "file", "reason", "detail")
    pairs = read_table(cleaned / "pairs.csv", *PAIR_COLUMNS)
    images = pd.concat([kept, rejected]).drop_duplicates("image_id").set_index("image_id")
    with replacing_folder(target, "contact_sheets") as folder:
        shown = of_largest_classes(kept, MOST_CLASSES, "contact_sheets: kept.png is")
        by_class = [(name, "kept", rows, PER_CLASS) for name, rows in shown.groupby("class")]
        by_reason = [(name, "rejected", rows, PER_REASON) for name, rows in rejected.groupby("reason")]
        draw_sheet([image_section(*group, raw) for group in by_class], folder / "kept.png", SIDE, COLUMNS)
        draw_sheet([image_section(*group, raw) for group in by_reason], folder / "rejected.png", SIDE, COLUMNS)
        draw_sheet(group_sections(kept, raw), folder / "groups.png", SIDE, COLUMNS)
        draw_sheet(pair_sections(pairs, images, raw), folder / "pairs.png", 2 * SIDE + GAP, COLUMNS // 2)


def group_sections(kept: pd.DataFrame, raw: Path) -> list[SheetSection]:
    """Return a section for each of the largest groups of look-alikes, those in several classes first."""
    groups = kept.groupby("group").agg(images=("image_id", "size"), classes=("class", "nunique"))
    ranked = groups[groups["images"] > 1].sort_values(["classes", "images"], ascending=False, kind="stable")
    sections = []
    for group in ranked.index[:LARGEST]:
        rows = kept[kept["group"] == group]
        title = f"{group[:12]} ({', '.join(sorted(rows['class'].unique()))})"
        sections.append(image_section(title, "look-alikes", rows, PER_GROUP, raw))
    return sections


def pair_sections(pairs: pd.DataFrame, images: pd.DataFrame, raw: Path) -> list[SheetSection]:
    """Return sections of pairs, most alike first: the same image in one class, the same in two classes, look-alikes."""
    is_same, is_crossing = pairs["relation"] == "same", pairs["first_class"] != pairs["second_class"]
    kinds = {
        "the same image in one class": is_same & ~is_crossing,
        "the same image in two classes": is_same & is_crossing,
        "look-alikes, which no split divides": ~is_same,
    }
    order = pairs.assign(unlike=-pairs["similarity"].astype(float), bits=pairs["distance"].astype(int))
    order = order.sort_values(["unlike", "bits"], kind="stable")
    sections = []
    for title, is_kind in kinds.items():
        shown = spread(order[is_kind[order.index]], PER_KIND)
        twins: list[Any] = [images.loc[row[side]] for row in shown for side in ("first", "second")]
        squares = read_squares([raw / twin["file"] for twin in twins], "pairs")
        tiles = [draw_pair(row, twins[2 * i : 2 * i + 2], squares[2 * i : 2 * i + 2]) for i, row in enumerate(shown)]
        sections.append(SheetSection(f"{title}: {len(tiles)} of {is_kind.sum()} pairs", tiles))
    return sections


def draw_pair(pair: pd.Series, twins: list[Any], squares: list[Image.Image]) -> Tile:
    """Return a tile with the two images of a pair side by side, their classes and how near they are."""
    both = Image.new("RGB", (2 * SIDE + GAP, SIDE), "white")
    for number, square in enumerate(squares):
        both.paste(square, (number * (SIDE + GAP), 0))
    form = "" if pair["form"] == "plain" else f", {pair['form']}"
    how = f"{float(pair['similarity']):.2f} alike, {float(pair['changed']):.0%} changed{form}"
    return Tile(both, (" | ".join(map(file_name, twins)), f"{pair['first_class']} | {pair['second_class']}", how))


def main() -> None:
    """Draw what `clean` left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("raw", type=Path, help="the folder of raw images")
    parser.add_argument("cleaned", type=Path, help="the folder that clean wrote")
    parser.add_argument("target", type=Path, help="the folder of sheets to write")
    arguments = parser.parse_args()
    run(arguments.raw, arguments.cleaned, arguments.target)


if __name__ == "__main__":
    command(main)
