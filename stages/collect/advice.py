"""What the collected images suit: the size to preprocess them to, and how much a split of them can tell."""

from pathlib import Path

import pandas as pd

from stages.core.tables import read_table

SIZES = (96, 128, 160, 224)  # pixels of a side; at 224 most published backbones were trained
MOST = 0.8  # share of the images that should have at least as many pixels
SHARES = {"train": 0.70, "val": 0.15, "test": 0.15}
ACCURACY = 0.8  # for which the half-widths are given; they are wider at 0.5 and narrower near 1
ENOUGH = 200  # validation images below which close networks cannot be told apart


def advise(folder: Path) -> list[str]:
    """Return advice about the collected images in the folder, a sentence in each line."""
    images = read_table(folder / "images.csv").drop_duplicates("image_id")
    sides = images[["width", "height"]].astype(int).max(axis=1)
    return [advise_size(sides[sides > 0]), advise_split(len(images))]


def advise_size(sides: pd.Series) -> str:
    """Return which `preprocess.size` suits images with these longer sides in pixels."""
    shares = {size: float((sides >= size).mean()) if len(sides) else 0.0 for size in SIZES}
    fitting = [size for size in SIZES if shares[size] >= MOST]
    if not fitting:
        return (
            f"collect: {shares[SIZES[0]]:.0%} of the images have at least {SIZES[0]} pixels on their longer side; "
            f"preprocess.size={SIZES[0]} enlarges the others, which adds nothing to see, and some networks need it."
        )
    size = fitting[-1]
    return (
        f"collect: {shares[size]:.0%} of the images have at least {size} pixels on their longer side, so "
        f"preprocess.size={size} suits them; a smaller size is faster and shows less."
    )


def advise_split(count: int) -> str:
    """Return how many images each split of `count` images will have, and how precise a result can be."""
    parts = {name: round(share * count) for name, share in SHARES.items()}
    half = 1.96 * (ACCURACY * (1 - ACCURACY) / max(1, parts["test"])) ** 0.5
    few = " So few val images cannot tell close networks apart." if parts["val"] < ENOUGH else ""
    return (
        f"collect: 70/15/15 makes about {parts['train']:,} train, {parts['val']:,} val and {parts['test']:,} test "
        f"images; an accuracy of {ACCURACY:.0%} is then known to ±{100 * half:.0f} points (95 %).{few}"
    )
