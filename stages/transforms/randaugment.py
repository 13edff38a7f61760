"""RandAugment: two random transformations of an image, both equally strong."""

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

TRANSFORMATIONS = 2  # per image: the paper's N for ImageNet
LEVELS = np.arange(256)
SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13  # Pillow's ImageFilter.SMOOTH, as in the paper


def randaugment(image: Pixels, magnitude: float, random: np.random.Generator) -> Pixels:
    """Return a changed copy of a uint8 RGB image `(height, width, 3)`, by transformations drawn with replacement.

    Cubuk et al. 2019, https://arxiv.org/abs/1909.13719: the paper's 14 transformations, each as strong as the magnitude
    says, 0 to 1 (its M = 9 of 30 is 0.3). The largest strengths come from AutoAugment's table of transformations (Cubuk
    et al. 2018, https://arxiv.org/abs/1805.09501). Pixels that come in from outside repeat the nearest pixel here; in
    AutoAugment they are grey.
    """
    numbers = random.integers(len(CHOICES), size=TRANSFORMATIONS)
    signs = 1 - 2 * random.integers(2, size=TRANSFORMATIONS)
    for number, sign in zip(numbers, signs, strict=True):
        image = CHOICES[number](image, float(sign * magnitude))
    return image


def identity(image: Pixels, _: float) -> Pixels:
    """Return the image unchanged."""
    return image


def autocontrast(image: Pixels, _: float) -> Pixels:
    """Stretch each channel to [0, 255]; a flat channel stays as it is."""
    # Axis by axis: over both at once NumPy takes several times as long.
    low, high = image.min(axis=0).min(axis=0).astype(int), image.max(axis=0).max(axis=0).astype(int)
    stretched = (LEVELS[:, None] - low) * 255 / np.maximum(high - low, 1)
    return look_up(image, np.where(high > low, stretched, LEVELS[:, None])[None])


def equalize(image: Pixels, _: float) -> Pixels:
    """Make the histogram of each channel flat."""
    return np.dstack([cv2.equalizeHist(channel) for channel in cv2.split(image)])


def rotate(image: Pixels, amount: float) -> Pixels:
    """Turn the image by at most 30 degrees."""
    angle = math.radians(30 * amount)
    return warp(image, [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def shear_x(image: Pixels, amount: float) -> Pixels:
    """Slant the image sideways by at most 0.3 of the height."""
    return warp(image, [[1, 0.3 * amount], [0, 1]])


def shear_y(image: Pixels, amount: float) -> Pixels:
    """Slant the image upwards by at most 0.3 of the width."""
    return warp(image, [[1, 0], [0.3 * amount, 1]])


def translate_x(image: Pixels, amount: float) -> Pixels:
    """Move the image sideways by at most 150 of 331 pixels, the paper's size."""
    return warp(image, [[1, 0], [0, 1]], (150 / 331 * amount, 0))


def translate_y(image: Pixels, amount: float) -> Pixels:
    """Move the image upwards or downwards by at most 150 of 331 pixels."""
    return warp(image, [[1, 0], [0, 1]], (0, 150 / 331 * amount))


def solarize(image: Pixels, amount: float) -> Pixels:
    """Invert the levels from a threshold on: 256 inverts none of them, 0 inverts all."""
    return look_up(image, np.where(256 * (1 - abs(amount)) <= LEVELS, 255 - LEVELS, LEVELS))


def posterize(image: Pixels, amount: float) -> Pixels:
    """Keep only the upper 8 down to 4 bits of each level."""
    dropped = round(4 * abs(amount))
    return look_up(image, LEVELS >> dropped << dropped)


def brightness(image: Pixels, amount: float) -> Pixels:
    """Make the image between 0.1 and 1.9 times as bright."""
    return look_up(image, LEVELS * (1 + 0.9 * amount))


def contrast(image: Pixels, amount: float) -> Pixels:
    """Move the levels to between 0.1 and 1.9 times their distance from the mean grey."""
    mean = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).mean()
    return look_up(image, mean + (LEVELS - mean) * (1 + 0.9 * amount))


def color(image: Pixels, amount: float) -> Pixels:
    """Move the colours to between 0.1 and 1.9 times their distance from grey."""
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return move_away(image, grey, amount)


def sharpness(image: Pixels, amount: float) -> Pixels:
    """Move the image to between 0.1 and 1.9 times its distance from a smoothed copy."""
    return move_away(image, cv2.filter2D(image, -1, SMOOTH), amount)


def move_away(image: Pixels, origin: Pixels, amount: float) -> Pixels:
    """Return the image moved to 1 + 0.9 * amount times its distance from the origin."""
    return np.asarray(cv2.addWeighted(image, 1 + 0.9 * amount, origin, -0.9 * amount, 0), dtype=np.uint8)


def look_up(image: Pixels, levels: npt.NDArray[Any]) -> Pixels:
    """Return the image with each level replaced by that of a table `(256,)` or, for each channel, `(1, 256, 3)`."""
    return np.asarray(cv2.LUT(image, np.clip(np.rint(levels), 0, 255).astype(np.uint8)), dtype=np.uint8)


def warp(image: Pixels, linear: list[list[float]], shift: tuple[float, float] = (0, 0)) -> Pixels:
    """Return the image under a linear map about its centre, then moved by shares of its sides."""
    height, width = image.shape[:2]
    center = np.array([(width - 1) / 2, (height - 1) / 2])
    offset = center - np.array(linear) @ center + np.array(shift) * (width, height)
    matrix = np.column_stack([linear, offset])
    changed = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(changed, dtype=np.uint8)


CHOICES: tuple[Callable[[Pixels, float], Pixels], ...] = (
    identity, autocontrast, equalize, rotate, solarize, color, posterize,
    contrast, brightness, sharpness, shear_x, shear_y, translate_x, translate_y,
)  # fmt: skip
