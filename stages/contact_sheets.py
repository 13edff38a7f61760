"""Contact sheets: what `clean` kept, rejected and found to be alike, as pictures of pictures."""

import argparse
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from stages.core.files import read_table, replacing
from stages.core.terminal import command
from stages.images.sheets import Section, Tile, draw_sheet
from stages.images.tiles import SIDE, name_of, one_by_one, read_all, spread

GAP = 4  # pixels between the two pictures of a pair
COLUMNS = 10
PER_CLASS, PER_REASON, PER_KIND = 40, 20, 50


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
