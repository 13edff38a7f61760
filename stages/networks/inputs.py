"""What a network is fed: an array of pixels or of activations, and whose row is whose."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.core.counts import SPLITS
from stages.core.files import read_json, read_table

PIXELS, FEATURES, VIEWS, BACKBONE = "images.npy", "features.npy", "views.npy", "backbone.json"
PREPROCESSING, FILTERS = "preprocessing.json", "filters.npy"


@dataclass(frozen=True)
class Inputs:
    """Rows `array[i]` of image `image_ids[i]`; `backbone` says where activations come from, empty for pixels.

    `preprocessing` says how the pictures were read from their files.
    `views[v, i]`, if there are any, are activations of augmented versions of the image.
    """

    array: npt.NDArray[Any]
    image_ids: list[str]
    backbone: dict[str, Any] = field(default_factory=dict)
    preprocessing: dict[str, Any] = field(default_factory=dict)
    views: npt.NDArray[Any] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one row."""
        return self.array.shape[1:]

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Height, width and channels of the pictures, also where the rows are activations of them."""
        return tuple(self.backbone["image_shape"]) if self.backbone else self.shape


def read_inputs(folder: Path) -> Inputs:
    """The folder's pixels or activations, memory-mapped.

    Raises:
        FileNotFoundError: it holds neither.
    """
    image_ids = list(read_table(folder / "index.csv")["image_id"])
    for name in (PIXELS, FEATURES):
        if (folder / name).is_file():
            backbone = read_json(folder / BACKBONE) if name == FEATURES else {}
            views = np.load(folder / VIEWS, mmap_mode="r") if (folder / VIEWS).is_file() else None
            preprocessing = read_json(folder / PREPROCESSING)
            return Inputs(np.load(folder / name, mmap_mode="r"), image_ids, backbone, preprocessing, views)
    raise FileNotFoundError(f"{folder}: expected {PIXELS} or {FEATURES}, got neither.")


def check_side(image_shape: tuple[int, ...], smallest: int, network: str) -> None:
    """Nothing, where the network can take images of that height and width.

    Raises:
        ValueError: their shorter side is under its smallest.
    """
    if min(image_shape[:2]) < smallest:
        size = "x".join(map(str, image_shape[:2]))
        raise ValueError(f"params.yaml preprocess.size: expected at least {smallest} for {network}, got {size}.")


@dataclass(frozen=True)
class Part:
    """The rows of one split: where they lie in the inputs, and their class numbers."""

    rows: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]


def divide(inputs: Inputs, split: pd.DataFrame) -> tuple[list[str], dict[str, Part]]:
    """The class names, sorted, and for each split its rows.

    Raises:
        ValueError: the split table is about other images.
    """
    if list(split["image_id"]) != inputs.image_ids:
        raise ValueError(f"split: expected the {len(inputs.image_ids)} images of the inputs, got {len(split)} others.")
    classes = sorted(split["class"].unique())
    labels = split["class"].map(classes.index).to_numpy(dtype=np.int64)
    parts = {}
    for name in SPLITS:
        rows = np.flatnonzero(split["split"] == name)
        parts[name] = Part(rows, labels[rows])
    return classes, parts
