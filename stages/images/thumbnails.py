"""Small versions of images that are hashed, measured and compared, decoded no further than that needs."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from stages.images.perceptual_hash import SIDE
from stages.images.reading import UPRIGHT, decode, open_image, read_orientation, to_rgb

Thumbnail = npt.NDArray[np.uint8]

FOCUS_SIDE = 128  # pixels of the longer side at which sharpness is measured: about what networks are fed
COLOUR_SIDE = 64
WHOLE = 1 << 30  # bytes of a file that Pillow gives a decoder at once; with the usual 64 KB a JPEG takes 2 to 4 % more

# A reduced image, and its exact width and height in these pixels: the last row and column can be fractions of a pixel.
Reduced = tuple[Image.Image, tuple[float, float]]


@dataclass(frozen=True)
class Look:
    """The look of an image: a grey thumbnail `(32, 32)` to be hashed, two measures, and sometimes its colours.

    `contrast` is the standard deviation of the thumbnail's grey levels, 0 to 128. `sharpness` is the variance of the
    Laplacian (Pech-Pacheco et al. 2000, https://doi.org/10.1109/ICPR.2000.903548) over the variance of the grey levels,
    both of the image at 128 pixels on its longer side: so neither its contrast nor its size counts. `colours` is what
    `read_colours` returns. It is kept for formats that can only be decoded whole, so that they are decoded once.
    """

    thumbnail: Thumbnail
    contrast: float
    sharpness: float
    colours: Thumbnail | None


@dataclass(frozen=True)
class Small:
    """An image decoded as far as its look needs (a JPEG to grey, others to RGB), and the size that the file states."""

    image: Image.Image
    extent: tuple[float, float]
    orientation: int
    size: tuple[int, int]


def read_small(image: Image.Image) -> Small:
    """Decode an opened image and return it; a JPEG is decoded to grey at 1/8, 1/4 or 1/2 if that is enough.

    Raises:
        UnusableImage: The image cannot be decoded.
    """
    size, orientation = image.size, read_orientation(image)
    mode = "L" if image.format == "JPEG" else "RGB"
    return Small(*decode_reduced(image, mode, scale_for(image)), orientation, size)


def look_at(small: Small) -> Look:
    """Return the look of an image, upright."""
    has_colours = small.image.mode == "RGB"
    grey = small.image.convert("L") if has_colours else small.image
    thumbnail = shrink(grey, small.extent, SIDE, small.orientation)
    colours = shrink(small.image, small.extent, COLOUR_SIDE, small.orientation) if has_colours else None
    return Look(thumbnail, deviation(thumbnail), measure_sharpness(grey), colours)


def scale_for(image: Image.Image) -> float:
    """Return the scale at which an image is large enough to be measured and has 64 pixels on its shorter side."""
    return max(FOCUS_SIDE / max(image.size), 2 * SIDE / min(image.size))


def measure_sharpness(grey: Image.Image) -> float:
    """Return the sharpness of a grey image, as `Look` defines it."""
    scale = min(1, FOCUS_SIDE / max(grey.size))
    sides = [max(1, round(side * scale)) for side in grey.size]
    seen = cv2.resize(np.asarray(grey), sides, interpolation=cv2.INTER_LINEAR)
    edges, levels = deviation(cv2.Laplacian(seen, cv2.CV_16S)), deviation(seen)
    return edges**2 / max(1.0, levels**2)


def deviation(levels: npt.NDArray[Any]) -> float:
    """Return the standard deviation; for so few numbers OpenCV takes a tenth of NumPy's time."""
    return float(cv2.meanStdDev(levels)[1][0, 0])


def read_colours(path: Path) -> Thumbnail:
    """Return the image as uint8 `(64, 64, 3)` RGB, upright and stretched to a square, to be compared with others.

    Raises:
        UnusableImage: The image cannot be decoded.
    """
    with open_image(io.BytesIO(path.read_bytes())) as image:
        orientation = read_orientation(image)
        reduced, extent = decode_reduced(image, "RGB", scale_for(image))
        return shrink(reduced, extent, COLOUR_SIDE, orientation)


def shrink(image: Image.Image, extent: tuple[float, float], side: int, orientation: int) -> Thumbnail:
    """Return the image upright and stretched to a square."""
    small = image.resize((side, side), Image.Resampling.LANCZOS, box=(0, 0, *extent))
    return np.asarray(small.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else small)


def decode_reduced(image: Image.Image, mode: str, least: float) -> Reduced:
    """Return the image in the mode `L` or `RGB`, at no less than the scale: a JPEG decoded small, others averaged.

    Raises:
        UnusableImage: The image cannot be decoded.
    """
    asked = (max(1, round(image.width * least)), max(1, round(image.height * least)))
    drafted = image.draft(mode, asked) if image.mode in ("RGB", "L") and least < 1 else None
    if isinstance(image, ImageFile.ImageFile):
        image.decodermaxblock = WHOLE
    whole = decode(image)
    converted = whole if whole.mode == mode else to_rgb(whole).convert(mode)
    if drafted:
        return converted, (drafted[1][2], drafted[1][3])
    factor = min(converted.width // asked[0], converted.height // asked[1])
    if factor < 2:
        return converted, (float(converted.width), float(converted.height))
    return converted.reduce(factor), (converted.width / factor, converted.height / factor)
