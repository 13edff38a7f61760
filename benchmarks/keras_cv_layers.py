"""Whether our augmentations and our preprocessing are those of KerasCV: the same changes, as large and as often.

    python -m benchmarks.keras_cv_layers

For each kind of change 500 versions of one image are made by both, with the same amount. What is compared is the
distribution of the mean difference of a pixel from the original: it depends on how far the image is turned or shifted,
and on what is put where nothing was. Two distributions are the same for the test of Kolmogorov and Smirnov if its p is
not small. Preprocessing is compared by the mean difference of a pixel over the drawings of the pipeline.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.stats import ks_2samp

from benchmarks.rounds import publish, to_table
from stages.core.tables import read_table
from stages.core.terminal import command, progress
from stages.images.opening import open_image
from stages.images.reading import read_pixels
from stages.networks.inputs import read_inputs
from stages.transforms.affine import Augmentation, augment

VERSIONS, IMAGES, SIDE = 500, 100, 128
PIXELS, RAW = Path("data/3_pixels"), Path("data/1_raw")
FILL = {"fill_mode": "nearest", "interpolation": "bilinear"}
# Our amount, the layer of KerasCV and its arguments for the same amount.
CHANGES: dict[str, tuple[Augmentation, str, dict[str, Any]]] = {
    "rotation by 15 degrees": (Augmentation(rotation=15), "RandomRotation", {"factor": 15 / 360, **FILL}),
    "shift by 0.1": (
        Augmentation(shift=0.1), "RandomTranslation", {"height_factor": 0.1, "width_factor": 0.1, **FILL},
    ),
    "zoom by 0.2": (Augmentation(zoom=0.2), "RandomZoom", {"height_factor": (-0.2, 0.2), **FILL}),
    "shear by 0.2": (Augmentation(shear=0.2), "RandomShear", {"x_factor": 0.2, **FILL}),
    "brightness by 0.2": (
        Augmentation(brightness=0.2), "RandomBrightness", {"factor": 0.2, "value_range": (0, 255)},
    ),
    "flip": (Augmentation(horizontal_flip=True), "RandomFlip", {"mode": "horizontal"}),
}  # fmt: skip
CROPS: dict[str, dict[str, Any]] = {
    "none": {}, "center": {"crop_to_aspect_ratio": True}, "letterbox": {"pad_to_aspect_ratio": True},
}  # fmt: skip
Floats = npt.NDArray[np.float64]


def main() -> None:
    """Compare all changes and crops, and publish the tables."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    image = np.asarray(read_inputs(PIXELS).array[0])
    changes = [compare_change(name, image) for name in progress(CHANGES, len(CHANGES), "changes")]
    crops = [compare_crop(name) for name in progress(CROPS, len(CROPS), "crops")]
    publish(
        "keras_cv_layers",
        f"{VERSIONS} versions of one drawing of {SIDE} pixels a side; values of pixels are 0 to 255.\n",
        to_table(["change", "ours: mean difference", "KerasCV's", "largest gap of the distributions", "p"], changes),
        f"\nThe first {IMAGES} drawings from file to {SIDE}x{SIDE} pixels, ours and `keras_cv.layers.Resizing`.\n",
        to_table(["crop", "mean difference of a pixel", "of a pixel at least 4 from an edge of the image"], crops),
    )


def compare_change(name: str, image: npt.NDArray[np.uint8]) -> list[str]:
    """Return the row of a change: how far both move a pixel's value, and how their distributions differ."""
    import keras_cv

    amounts, layer_name, arguments = CHANGES[name]
    ours = [augment(image, amounts, np.random.default_rng([0, number])) for number in range(VERSIONS)]
    layer = getattr(keras_cv.layers, layer_name)(**arguments, seed=0)
    batch = np.repeat(image[np.newaxis].astype(np.float32), VERSIONS, axis=0)
    theirs = np.asarray(layer(batch, training=True))
    gaps = [measure_gap(np.stack(ours), image), measure_gap(theirs, image)]
    test = ks_2samp(*gaps)
    return [name, f"{gaps[0].mean():.2f}", f"{gaps[1].mean():.2f}", f"{test.statistic:.3f}", f"{test.pvalue:.3f}"]


def measure_gap(versions: npt.NDArray[Any], image: npt.NDArray[np.uint8]) -> Floats:
    """Return for each version the mean difference of a pixel's value from the original."""
    gaps: Floats = np.abs(versions.astype(np.float64) - image).mean(axis=(1, 2, 3))
    return gaps


def compare_crop(crop: Any) -> list[str]:
    """Return the row of a crop: how far the pixels of both are apart."""
    import keras_cv

    layer = keras_cv.layers.Resizing(SIDE, SIDE, interpolation="bilinear", **CROPS[crop])
    gaps, inner = [], []
    for file in read_table(PIXELS / "index.csv", "file")["file"][:IMAGES]:
        ours = read_pixels(RAW / file, (SIDE, SIDE), crop)
        with (RAW / file).open("rb") as stream:
            opened = open_image(stream).convert("RGBA")
        white = Image.alpha_composite(Image.new("RGBA", opened.size, "white"), opened).convert("RGB")
        theirs = np.asarray(layer(np.asarray(white, np.float32)))
        gap = np.abs(ours - theirs)
        gaps.append(gap.mean())
        inner.append(gap[4:-4, 4:-4].mean())
    return [crop, f"{np.mean(gaps):.2f}", f"{np.mean(inner):.2f}"]


if __name__ == "__main__":
    command(main)
