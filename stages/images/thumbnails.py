"""Small versions of images that are hashed, measured and compared, decoded no further than that needs."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from stages.images.opening import decode, draft, in_turn, open_image
from stages.images.perceptual_hash import SIDE
from stages.images.reading import UPRIGHT, has_own_colours, read_orientation, to_rgb

Thumbnail = npt.NDArray[np.uint8]

FOCUS_SIDE = 128  # pixels of the longer side at which sharpness is measured: about what networks are fed
DETAIL_SIDE, COLOUR_SIDE = 96, 48  # of the luma and of the colours in which images are compared
WHOLE = 1 << 30  # bytes of a file that Pillow gives a decoder at once; with the usual 64 KB a JPEG takes 2 to 4 % more

# A reduced image, and its exact width and height in these pixels: the last row and column can be fractions of a pixel.
Reduced = tuple[Image.Image, tuple[float, float]]


@dataclass(frozen=True)
class View:
    """An image as it is compared with others, upright and stretched to a square: 14 KB.

    `luma` is uint8 `(96, 96)`; `chroma` is uint8 `(48, 48, 2)`, the differences of blue and red from it as in JPEG
    (ITU-R BT.601), 128 where there is no colour.
    """

    luma: Thumbnail
    chroma: Thumbnail


@dataclass(frozen=True)
class Look:
    """The look of an image: a grey thumbnail `(32, 32)` to be hashed, two measures, and a view to be compared.

    `contrast` is the standard deviation of the thumbnail's grey levels, 0 to 128. `sharpness` is the variance of the
    Laplacian (Pech-Pacheco et al. 2000, https://doi.org/10.1109/ICPR.2000.903548) over the variance of the grey levels,
    both of the image at 128 pixels on its longer side: so neither its contrast nor its size counts.
    """

    thumbnail: Thumbnail
    contrast: float
    sharpness: float
    view: View


@dataclass(frozen=True)
class Small:
    """An image decoded as far as its look needs, and the size that the file states.

    A JPEG that was reduced while decoding is in YCbCr, or in L if it is grey; other images are in RGB.
    """

    image: Image.Image
    extent: tuple[float, float]
    orientation: int
    size: tuple[int, int]


def read_small(image: Image.Image) -> Small:
    """Decode an opened image and return it; a JPEG is decoded at 1/8, 1/4 or 1/2 if that is enough.

    Raises:
        UnusableImage: The image cannot be decoded.
    """
    size, orientation = image.size, read_orientation(image)
    with in_turn(image):
        return Small(*decode_reduced(image, scale_for(image)), orientation, size)


def look_at(small: Small) -> Look:
    """Return the look of an image, upright."""
    grey = small.image.getchannel(0) if small.image.mode == "YCbCr" else small.image.convert("L")
    thumbnail = shrink(grey, small, SIDE, Image.Resampling.LANCZOS)
    return Look(thumbnail, deviation(thumbnail), measure_sharpness(grey), view_of(small, grey))


def view_of(small: Small, grey: Image.Image) -> View:
    """Return what an image is compared with others by; `grey` is the decoded image without colour."""
    luma = shrink(grey, small, DETAIL_SIDE, Image.Resampling.BILINEAR)
    if small.image.mode == "L":
        return View(luma, np.full((COLOUR_SIDE, COLOUR_SIDE, 2), 128, dtype=np.uint8))
    # OpenCV takes a third of Pillow's time; the fraction of a pixel by which it is wrong does not matter for colours.
    pixels = cv2.resize(np.asarray(small.image), (COLOUR_SIDE, COLOUR_SIDE), interpolation=cv2.INTER_AREA)
    square = Image.frombytes(small.image.mode, (COLOUR_SIDE, COLOUR_SIDE), pixels.tobytes()).convert("YCbCr")
    return View(luma, np.ascontiguousarray(np.asarray(turn(square, small.orientation))[..., 1:]))


def read_view(path: Path) -> View:
    """Return what the image in the file is compared with others by.

    Raises:
        UnusableImage: The image cannot be decoded.
    """
    with open_image(io.BytesIO(path.read_bytes())) as image:
        return look_at(read_small(image)).view


def scale_for(image: Image.Image) -> float:
    """Return the scale at which an image is large enough to be measured and compared."""
    return max(FOCUS_SIDE / max(image.size), DETAIL_SIDE / min(image.size))


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


def shrink(grey: Image.Image, small: Small, side: int, filter_: Image.Resampling) -> Thumbnail:
    """Return a decoded image without colour, upright and stretched to a square."""
    square = grey.resize((side, side), filter_, box=(0, 0, *small.extent))
    return np.asarray(turn(square, small.orientation))


def turn(image: Image.Image, orientation: int) -> Image.Image:
    """Return the image upright."""
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image


def decode_reduced(image: Image.Image, least: float) -> Reduced:
    """Return the image in YCbCr, L or RGB, at no less than the scale: a JPEG decoded small, others averaged.

    Raises:
        UnusableImage: The image cannot be decoded.
    """
    asked = (max(1, round(image.width * least)), max(1, round(image.height * least)))
    modes = {"RGB": "RGB", "L": "L"} if has_own_colours(image) else {"RGB": "YCbCr", "L": "L"}
    mode = modes.get(image.mode)
    drafted = draft(image, mode, asked) if mode and least < 1 else None
    if isinstance(image, ImageFile.ImageFile):
        image.decodermaxblock = WHOLE
    whole = decode(image)
    if drafted:
        reduced = to_rgb(whole) if has_own_colours(image) else whole
        return reduced, (drafted[1][2], drafted[1][3])
    converted = to_rgb(whole)
    factor = min(converted.width // asked[0], converted.height // asked[1])
    if factor < 2:
        return converted, (float(converted.width), float(converted.height))
    return converted.reduce(factor), (converted.width / factor, converted.height / factor)
