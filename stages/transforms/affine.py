"""Random changes of single training images, drawn anew for each image in each epoch."""

import math

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from stages.core.params import PARAMS, Section, load, read
from stages.transforms.randaugment import randaugment

Pixels = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.float64]


class Augmentation(Section):
    """An entry of the table `augmentations`: the largest change of each kind, 0 for none.

    `randaugment` changes a single image too; `mixup` and `cutmix` mix the images of a batch
    (`stages.transforms.mixing`).
    """

    rotation: float = Field(0, ge=0, le=180, description="degrees to either side")
    shift: float = Field(0, ge=0, le=1, description="share of the side, either way")
    shear: float = Field(0, ge=0, le=1, description="tangent of the angle, either way")
    zoom: float = Field(0, ge=0, lt=1, description="share of the size, larger or smaller")
    brightness: float = Field(0, ge=0, le=1, description="share of the brightness, lighter or darker")
    horizontal_flip: bool = False
    randaugment: float = Field(0, ge=0, le=1, description="magnitude of two further transformations, where 1 is M = 30")
    mixup: float = Field(0, ge=0, description="alpha of Beta(alpha, alpha), from which an image's weight is drawn")
    cutmix: float = Field(0, ge=0, description="alpha of Beta(alpha, alpha), from which a box's area is drawn")

    @property
    def changes(self) -> bool:
        """True if the entry changes anything at all."""
        return any(self.model_dump().values())

    @property
    def mixes(self) -> bool:
        """True if images, and with them labels, are mixed with others of the batch."""
        return self.mixup > 0 or self.cutmix > 0


def read_augmentation(name: str) -> Augmentation:
    """Return the entry of `augmentations` with this name.

    Raises:
        ValueError: The entry does not exist, or has unknown keys.
    """
    table = load().get("augmentations") or {}
    if name not in table:
        raise ValueError(f"{PARAMS} augmentations: expected an entry of {', '.join(table)}, got {name}.")
    return read(Augmentation, f"augmentations.{name}")


def augment(image: Pixels, amounts: Augmentation, random: np.random.Generator) -> Pixels:
    """Return a changed copy of a uint8 image `(height, width, 3)`: one affine resampling, brightness, RandAugment.

    Pixels that come in from outside repeat the nearest pixel, like `fill_mode="nearest"` in the documents.
    """
    height, width = image.shape[:2]
    matrix = draw_matrix((height, width), amounts, random)
    factor = 1 + random.uniform(-amounts.brightness, amounts.brightness)
    changed = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    changed = cv2.convertScaleAbs(changed, alpha=factor) if amounts.brightness else changed
    if amounts.randaugment:  # with its own generator, so that the numbers drawn after it stay the same
        changed = randaugment(changed, amounts.randaugment, random.spawn(1)[0])
    return np.asarray(changed, dtype=np.uint8)


def draw_matrix(size: tuple[int, int], amounts: Augmentation, random: np.random.Generator) -> Matrix:
    """Return the `(2, 3)` matrix that turns, shears, zooms, flips and shifts an image (height, width) about its centre.

    Every number is drawn, even if its amount is 0, so that one amount does not change the numbers of another.
    """
    rotation, shear, zoom, shift_x, shift_y = random.uniform(-1, 1, size=5)
    is_flipped = bool(random.integers(2)) and amounts.horizontal_flip
    angle = math.radians(rotation * amounts.rotation)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    slant = np.array([[1.0, shear * amounts.shear], [0.0, 1.0]])
    flip = np.diag([-1.0 if is_flipped else 1.0, 1.0])
    linear = turn @ slant @ flip * (1 + zoom * amounts.zoom)
    height, width = size
    center = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = np.array([shift_x * width, shift_y * height]) * amounts.shift
    return np.column_stack([linear, center + shift - linear @ center])
