"""Small versions of pictures, decoded no further than they need: what is hashed, measured and compared."""

import io
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from stages.core.hashes import SIDE
from stages.core.images import UPRIGHT, decode, open_image, read_orientation, to_rgb

Thumbnail = npt.NDArray[np.uint8]

FOCUS_SIDE = 128  # pixels of the longer side at which sharpness is measured: about what networks see
COLOUR_SIDE = 64


@dataclass(frozen=True)
class Look:
    """What a picture looks like: a grey thumbnail `(32, 32)` to be hashed, and two measures.

    `contrast` is the standard deviation of the thumbnail's grey levels, 0 to 128. `sharpness` is the variance of the
    Laplacian (Pech-Pacheco et al. 2000, https://doi.org/10.1109/ICPR.2000.903548) over the variance of the grey
    levels, both of the picture at 128 pixels on its longer side: so neither its contrast nor its size counts.
    """

    thumbnail: Thumbnail
    contrast: float
    sharpness: float


def look_at(image: Image.Image) -> Look:
    """The look of an opened picture, upright; a JPEG is decoded to grey at 1/8, 1/4 or 1/2 where that is enough.

    Raises:
        UnusableImage: it cannot be decoded.
    """
    orientation = read_orientation(image)
    least = max(FOCUS_SIDE / max(image.size), 2 * SIDE / min(image.size))
    grey, extent = decode_reduced(image, "L", least)
    box = (0, 0, *extent)
    small = grey.resize((SIDE, SIDE), Image.Resampling.LANCZOS, box=box)
    thumbnail = np.asarray(small.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else small)
    scale = min(1, FOCUS_SIDE / max(extent))
    sides = (max(1, round(extent[0] * scale)), max(1, round(extent[1] * scale)))
    seen = np.asarray(grey.resize(sides, Image.Resampling.BILINEAR, box=box), dtype=np.float64)
    sharpness = cv2.Laplacian(seen, cv2.CV_64F).var() / max(1.0, seen.var())
    return Look(thumbnail, float(thumbnail.std()), float(sharpness))


def read_colours(path: Path) -> Thumbnail:
    """The picture as uint8 `(64, 64, 3)` RGB, upright and stretched to a square, to be compared with others.

    Raises:
        UnusableImage: it cannot be decoded.
    """
    with open_image(io.BytesIO(path.read_bytes())) as image:
        orientation = read_orientation(image)
        colours, extent = decode_reduced(image, "RGB", COLOUR_SIDE / min(image.size))
        small = colours.resize((COLOUR_SIDE, COLOUR_SIDE), Image.Resampling.LANCZOS, box=(0, 0, *extent))
        return np.asarray(small.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else small)


def decode_reduced(image: Image.Image, mode: str, least: float) -> tuple[Image.Image, tuple[float, float]]:
    """The picture in the mode, at least at the scale, and its exact width and height in the decoded pixels.

    Raises:
        UnusableImage: it cannot be decoded.
    """
    asked = (max(1, round(image.width * least)), max(1, round(image.height * least)))
    drafted = image.draft(mode, asked) if image.mode in ("RGB", "L") and least < 1 else None
    whole = decode(image)
    converted = whole if whole.mode == mode else to_rgb(whole).convert(mode)
    return converted, ((drafted[1][2], drafted[1][3]) if drafted else (float(whole.width), float(whole.height)))
