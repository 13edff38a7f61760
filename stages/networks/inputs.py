"""The inputs of a network: an array of pixels or activations, and the image and split of each row."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.core.files import read_json
from stages.core.tables import SPLITS, read_table

PIXELS, FEATURES, VIEWS, BACKBONE_FACTS = "images.npy", "features.npy", "views.npy", "backbone.json"
PREPROCESSING, FILTERS = "preprocessing.json", "filters.npy"


@dataclass(frozen=True)
class Inputs:
    """The pixels or activations `array[i]` of each image `image_ids[i]`.

    `backbone` says how activations were made, and is empty for pixels. `preprocessing` says how the images were read
    from their files. `views[v, i]`, if there are views, are the activations of augmented version `v` of image `i`.
    """

    array: npt.NDArray[Any]
    image_ids: list[str]
    backbone: dict[str, Any] = field(default_factory=dict)
    preprocessing: dict[str, Any] = field(default_factory=dict)
    views: npt.NDArray[Any] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        return self.array.shape[1:]

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Height, width and channels of the images, also if the rows are activations."""
        return tuple(self.backbone["image_shape"]) if self.backbone else self.shape


def read_inputs(folder: Path) -> Inputs:
    """Read the folder's pixels or activations; the arrays are memory-mapped.

    Raises:
        FileNotFoundError: The folder holds neither pixels nor activations.
    """
    image_ids = list(read_table(folder / "index.csv", "image_id")["image_id"])
    for name in (PIXELS, FEATURES):
        if (folder / name).is_file():
            backbone = read_json(folder / BACKBONE_FACTS) if name == FEATURES else {}
            views = np.load(folder / VIEWS, mmap_mode="r") if (folder / VIEWS).is_file() else None
            preprocessing = read_json(folder / PREPROCESSING)
            return Inputs(np.load(folder / name, mmap_mode="r"), image_ids, backbone, preprocessing, views)
    raise FileNotFoundError(f"{folder}: expected {PIXELS} or {FEATURES}, got neither.")


def check_side(image_shape: tuple[int, ...], smallest: int, network: str) -> None:
    """Check that the network can take images of this height and width.

    Raises:
        ValueError: The shorter side of the images is under the smallest side of the network.
    """
    if min(image_shape[:2]) < smallest:
        size = "x".join(map(str, image_shape[:2]))
        raise ValueError(f"params.yaml preprocess.size: expected at least {smallest} for {network}, got {size}.")


def pool(array: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return the mean of each image's activations `(n, …, channels)` over all positions, shape `(n, channels)`."""
    pooled: npt.NDArray[np.float32] = (
        np.asarray(array, dtype=np.float32).reshape(len(array), -1, array.shape[-1]).mean(1)
    )
    return pooled


@dataclass(frozen=True)
class SplitRows:
    """The rows of one split: their positions in the inputs, and their class numbers."""

    rows: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]


def divide(inputs: Inputs, split: pd.DataFrame) -> tuple[list[str], dict[str, SplitRows]]:
    """Return the class names, sorted, and the rows of each split.

    Raises:
        ValueError: The split table and the inputs are about different images.
    """
    if list(split["image_id"]) != inputs.image_ids:
        raise ValueError(f"split: expected the {len(inputs.image_ids)} images of the inputs, got {len(split)} others.")
    classes = sorted(split["class"].unique())
    labels = split["class"].map(classes.index).to_numpy(dtype=np.int64)
    parts = {}
    for name in SPLITS:
        rows = np.flatnonzero(split["split"] == name)
        parts[name] = SplitRows(rows, labels[rows])
    return classes, parts
