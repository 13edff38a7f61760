"""Augmentations: what each preset of params.yaml does to a few images, as a contact sheet."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from stages.core.files import replacing_folder
from stages.core.params import load
from stages.core.tables import read_table
from stages.core.terminal import command
from stages.figures.sheets import INK, SheetSection, Tile, draw_sheet
from stages.networks.inputs import read_inputs
from stages.transforms.affine import Augmentation, augment, read_augmentation
from stages.transforms.mixing import mix

SHEET = "augmentations.png"
SHOWN, VERSIONS, BATCH = 2, 7, 16  # images, augmented versions of each, and images to mix with
SIDE = 112  # pixels of an image
SEED = 0


def run(presets: dict[str, Augmentation], source: Path, target: Path) -> None:
    """Write `augmentations.png` into the folder target: for each preset the same images, originals first.

    A version's random numbers are the same under every preset, so that versions differ only by the preset.
    """
    images, names = take_batch(source)
    sections = [draw_preset(name, amounts, images, names) for name, amounts in presets.items()]
    with replacing_folder(target, "augmentations") as folder:
        draw_sheet(sections, folder / SHEET, SIDE, 1 + VERSIONS)


def take_batch(source: Path) -> tuple[npt.NDArray[np.uint8], list[str]]:
    """Return images `(n, height, width, 3)` from all over the array and their classes, the images to be shown first."""
    array, classes = read_inputs(source).array, read_table(source / "index.csv", "class")["class"]
    # The middles of n equal parts: where the array is sorted by class, the first two lie in different ones.
    number = min(BATCH, len(array))
    rows = ((np.arange(number) + 0.5) * len(array) / number).astype(int)
    step = -(-number // SHOWN)
    rows = np.concatenate([rows[start::step] for start in range(step)])
    return np.asarray(array[rows]), [classes[row] for row in rows]


def draw_preset(name: str, amounts: Augmentation, images: npt.NDArray[np.uint8], names: list[str]) -> SheetSection:
    """Return a section with a row for each image: the original, then its versions, with labels if they are mixed."""
    classes = sorted(set(names))
    labels = np.array([[name == class_ for class_ in classes] for name in names], np.float32)
    versions = [augment_batch(images, labels, amounts, number) for number in range(VERSIONS)]
    tiles = []
    for row in range(min(SHOWN, len(images))):
        tiles.append(Tile(shrink(images[row]), (f"original: {names[row]}",), INK))
        for changed, shares in versions:
            captions = describe_shares(dict(zip(classes, shares[row], strict=True))) if amounts.mixes else ()
            tiles.append(Tile(shrink(changed[row]), captions))
    text = to_text(amounts)
    return SheetSection(text if text.startswith(name + " ") else f"{name}: {text}", tiles)


def augment_batch(
    images: npt.NDArray[np.uint8], labels: npt.NDArray[np.float32], amounts: Augmentation, version: int
) -> tuple[npt.NDArray[Any], npt.NDArray[np.float32]]:
    """Return the batch and its labels as one epoch would see them."""
    random = np.random.default_rng([SEED, version])
    return mix(np.stack([augment(image, amounts, random) for image in images]), labels, amounts, random)


def describe_shares(shares: dict[str, float]) -> tuple[str, ...]:
    """Return a line for each class that has a share, the largest share first."""
    present = sorted((-share, name) for name, share in shares.items() if share >= 0.005)
    return tuple(f"{name} {-share:.2f}" for share, name in present)


def to_text(amounts: Augmentation) -> str:
    """Return the amounts that change something, in words."""
    present = amounts.model_dump(exclude_defaults=True)
    words = [key if value is True else f"{key} {value:g}" for key, value in present.items()]
    return ", ".join(words).replace("_", " ") or "the images as they are"


def shrink(image: npt.NDArray[np.uint8]) -> Image.Image:
    """Return the image, made small enough for its place on the sheet."""
    small = Image.fromarray(image)
    small.thumbnail((SIDE, SIDE))
    return small


def main() -> None:
    """Draw all presets of params.yaml."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="the folder of pixels")
    parser.add_argument("target", type=Path, help="the folder of the sheet to write")
    arguments = parser.parse_args()
    presets = {name: read_augmentation(name) for name in load().get("augmentations") or {}}
    run(presets, arguments.source, arguments.target)


if __name__ == "__main__":
    command(main)
