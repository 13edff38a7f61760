"""Pictures inside a page: as `data:` addresses, so that it needs no other file."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from stages.images.reading import UnusableImage, decode, open_image, read_pixels, to_rgb

MISSING = (230, 233, 236)
QUALITY = 80


@dataclass(frozen=True)
class Inlined:
    """A picture's address, width and height in pixels."""

    address: str
    width: int
    height: int


def inline(image: Image.Image, side: int, quality: int = QUALITY) -> Inlined:
    """The RGB picture, made smaller where its longer side is over so many pixels, as WebP."""
    image = image.copy()
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, format="WEBP", quality=quality, method=6)
    content = base64.b64encode(stream.getvalue()).decode("ascii")
    return Inlined(f"data:image/webp;base64,{content}", *image.size)


def inline_pixels(pixels: npt.NDArray[np.uint8], side: int) -> Inlined:
    """The uint8 `(height, width, 3)` RGB pixels, as `inline` gives them."""
    return inline(Image.fromarray(np.asarray(pixels)), side)


def inline_raw(path: Path, side: int) -> Inlined:
    """The picture of a collected file, letterboxed into a square; grey where it cannot be read."""
    try:
        return inline_pixels(read_pixels(path, (side, side), "letterbox"), side)
    except UnusableImage:
        return inline(Image.new("RGB", (side, side), MISSING), side)


def inline_figure(path: Path, side: int) -> Inlined:
    """A figure that an earlier step drew.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is no picture.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a figure, got no such file.")
    try:
        with open_image(path) as image:
            return inline(to_rgb(decode(image)), side)
    except UnusableImage as error:
        raise ValueError(f"{path}: expected a figure, got {error}.") from error
