"""Images for contact sheets, chosen from a table and read from their files."""

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from PIL import Image

from stages.core.terminal import progress
from stages.figures.sheets import SheetSection, Tile
from stages.images.opening import UnusableImage
from stages.images.reading import read_pixels

SIDE = 112  # pixels of an image
UNREADABLE = "#e6e9ec"


def image_section(name: Any, what: str, rows: pd.DataFrame, most: int, raw: Path) -> SheetSection:
    """Return a section of at most `most` images of the rows, with their names and, for rejected images, the detail."""
    shown = spread(rows, most)
    images = read_squares([raw / row["file"] for row in shown], name)
    captions = [
        (file_name(row), row["class"], row["detail"]) if "detail" in row else (file_name(row),) for row in shown
    ]
    tiles = [Tile(image, lines) for image, lines in zip(images, captions, strict=True)]
    return SheetSection(f"{name}: {len(tiles)} of {len(rows)} {what}", tiles)


def of_largest_classes(images: pd.DataFrame, most: int, what: str) -> pd.DataFrame:
    """Return the rows of the `most` largest classes; if there are more, print that `what` shows these alone."""
    sizes = images.groupby("class").size().sort_values(ascending=False, kind="stable")
    if len(sizes) <= most:
        return images
    print(f"{what} of the {most} largest of {len(sizes):,} classes.")
    return images[images["class"].isin(sizes.index[:most])]


def spread(rows: pd.DataFrame, number: int) -> list[pd.Series]:
    """Return at most `number` rows, evenly spread over the table."""
    places = np.unique(np.linspace(0, len(rows) - 1, min(number, len(rows))).astype(int))
    return [rows.iloc[place] for place in places]


def file_name(row: Any) -> str:
    """Return the name of an image in its source, without folders."""
    return Path(row["source_id"]).name


def read_squares(paths: list[Path], title: str) -> list[Image.Image]:
    """Return the images, letterboxed into squares."""
    work = (joblib.delayed(read_square)(path) for path in paths)
    results = joblib.Parallel(n_jobs=-1, prefer="threads", return_as="generator")(work)
    return list(progress(results, len(paths), title))


def read_square(path: Path) -> Image.Image:
    """Return the image on white, or an empty square if the image cannot be read."""
    try:
        return Image.fromarray(read_pixels(path, (SIDE, SIDE), "letterbox"))
    except UnusableImage:
        return Image.new("RGB", (SIDE, SIDE), UNREADABLE)
