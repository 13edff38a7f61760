"""Contact sheets of what `clean` kept, rejected and found to be alike."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from stages.core.images import UnusableImage, read_pixels
from stages.core.sheets import Section, Tile, draw_sheet

SIDE, GAP = 112, 4  # pixels of a picture, and between the two of a pair
COLUMNS = 10
PER_CLASS, PER_REASON, PER_KIND = 40, 20, 50
MISSING = "#e6e9ec"


def draw_kept(kept: pd.DataFrame, source: Path, path: Path) -> None:
    """Pictures of each class, evenly over the table, are on the sheet at the path."""
    sections = []
    for name, rows in kept.groupby("class"):
        shown = spread(rows, PER_CLASS)
        tiles = [Tile(picture(source / row["file"]), (name_of(row),)) for row in shown]
        sections.append(Section(f"{name}: {len(shown)} of {len(rows)} kept", tiles))
    draw_sheet(sections, path, SIDE, COLUMNS)


def draw_rejected(rejected: pd.DataFrame, source: Path, path: Path) -> None:
    """Pictures rejected for each reason, evenly over the table, are on the sheet at the path."""
    sections = []
    for reason, rows in rejected.groupby("reason"):
        shown = spread(rows, PER_REASON)
        tiles = [Tile(picture(source / row["file"]), (name_of(row), row["class"], row["detail"])) for row in shown]
        sections.append(Section(f"{reason}: {len(shown)} of {len(rows)} rejected", tiles))
    draw_sheet(sections, path, SIDE, COLUMNS)


def draw_pairs(pairs: pd.DataFrame, images: pd.DataFrame, source: Path, path: Path) -> None:
    """Pairs, side by side, are on the sheet at the path: the same picture in one class, in two, and look-alikes."""
    classes = images["class"].to_numpy()
    is_crossing = classes[pairs["first"]] != classes[pairs["second"]]
    is_same = (pairs["relation"] == "same").to_numpy()
    kinds = {
        "the same picture in one class": is_same & ~is_crossing,
        "the same picture in two classes": is_same & is_crossing,
        "look-alikes, which no split divides": ~is_same,
    }
    sections = []
    for title, is_kind in kinds.items():
        rows = pairs[is_kind].sort_values(["similarity", "distance"], ascending=[False, True], kind="stable")
        tiles = [draw_pair(row, images, source) for row in spread(rows, PER_KIND)]
        sections.append(Section(f"{title}: {len(tiles)} of {len(rows)} pairs", tiles))
    draw_sheet(sections, path, 2 * SIDE + GAP, COLUMNS // 2)


def draw_pair(pair: pd.Series, images: pd.DataFrame, source: Path) -> Tile:
    """The two pictures of a pair, side by side, with their classes and how near they are."""
    one, other = images.loc[pair["first"]], images.loc[pair["second"]]
    both = Image.new("RGB", (2 * SIDE + GAP, SIDE), "white")
    for left, row in ((0, one), (SIDE + GAP, other)):
        both.paste(picture(source / row["file"]), (left, 0))
    form = "" if pair["form"] == "plain" else f", {pair['form']}"
    how = f"{pair['distance']} bits, {pair['similarity']:.2f} alike{form}"
    return Tile(both, (f"{name_of(one)} | {name_of(other)}", f"{one['class']} | {other['class']}", how))


def spread(rows: pd.DataFrame, number: int) -> list[pd.Series]:
    """At most so many rows, evenly over the table."""
    places = np.unique(np.linspace(0, len(rows) - 1, min(number, len(rows))).astype(int))
    return [rows.iloc[place] for place in places]


def name_of(row: pd.Series) -> str:
    """A picture's name in its source, without folders."""
    return Path(row["source_id"]).name


def picture(path: Path) -> Image.Image:
    """The picture on white, or an empty square where it cannot be read."""
    try:
        return Image.fromarray(read_pixels(path, (SIDE, SIDE), "letterbox"))
    except UnusableImage:
        return Image.new("RGB", (SIDE, SIDE), MISSING)
