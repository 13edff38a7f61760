"""Pictures for contact sheets, chosen from a table and read."""

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from PIL import Image

from stages.core.terminal import progress
from stages.images.reading import UnusableImage, read_pixels
from stages.images.sheets import Section, Tile

SIDE = 112  # pixels of a picture
MISSING = "#e6e9ec"


def one_by_one(name: Any, what: str, rows: pd.DataFrame, most: int, raw: Path) -> Section:
    """At most so many pictures of the rows, with their names and, where they were rejected, why."""
    shown = spread(rows, most)
    pictures = read_all([raw / row["file"] for row in shown], name)
    captions = [(name_of(row), row["class"], row["detail"]) if "detail" in row else (name_of(row),) for row in shown]
    tiles = [Tile(picture, lines) for picture, lines in zip(pictures, captions, strict=True)]
    return Section(f"{name}: {len(tiles)} of {len(rows)} {what}", tiles)


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
