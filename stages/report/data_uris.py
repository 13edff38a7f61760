"""Images inside a page as `data:` addresses, so that the page needs no other file."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from stages.images.opening import UnusableImage, decode, open_image
from stages.images.reading import read_pixels, to_rgb

UNREADABLE = (230, 233, 236)  # a grey in place of an image that cannot be read
QUALITY = 80


@dataclass(frozen=True)
class Inlined:
    """The address of an image, and its width and height in pixels."""

    address: str
    width: int
    height: int


def inline(image: Image.Image, side: int, quality: int = QUALITY) -> Inlined:
    """Return the RGB image as WebP, made smaller if its longer side has more than `side` pixels."""
    image = image.copy()
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, format="WEBP", quality=quality, method=6)
    content = base64.b64encode(stream.getvalue()).decode("ascii")
    return Inlined(f"data:image/webp;base64,{content}", *image.size)


def inline_pixels(pixels: npt.NDArray[np.uint8], side: int) -> Inlined:
    """Return the uint8 RGB pixels `(height, width, 3)` as `inline` does."""
    return inline(Image.fromarray(np.asarray(pixels)), side)


def inline_raw(path: Path, side: int) -> Inlined:
    """Return the image of a collected file, letterboxed into a square; a grey square if it cannot be read."""
    try:
        return inline_pixels(read_pixels(path, (side, side), "letterbox"), side)
    except UnusableImage:
        return inline(Image.new("RGB", (side, side), UNREADABLE), side)


def inline_figure(path: Path, side: int) -> Inlined:
    """Return a figure that an earlier step drew, as `inline` does.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not an image.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a figure, got no such file.")
    try:
        with open_image(path) as image:
            return inline(to_rgb(decode(image)), side)
    except UnusableImage as error:
        raise ValueError(f"{path}: expected a figure, got {error}.") from error
