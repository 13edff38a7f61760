"""Reading any image file into RGB pixels of a given size."""

import math
import warnings
from pathlib import Path
from typing import IO, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

Crop = Literal["center", "letterbox", "none"]
Pixels = npt.NDArray[np.uint8]
Edges = tuple[float, float, float, float]  # left, top, right, bottom of a part of an image, in its pixels

ORIENTATION = 0x0112  # the EXIF tag; https://exiftool.org/TagNames/EXIF.html
# How to turn an image stored in each orientation upright, as ImageOps.exif_transpose does.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
WHITE = (255, 255, 255)

# Pillow's own limit only warns below 179 megapixels; `check_area` refuses by the header, before anything is decoded.
Image.MAX_IMAGE_PIXELS = None


class UnusableImage(ValueError):
    """An image that cannot be used: `reason` is one of a few words, to be counted; `detail` is about this image."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def open_image(source: Path | IO[bytes]) -> Image.Image:
    """Return the image with its header read and nothing decoded.

    Raises:
        UnusableImage: Pillow does not know the format.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            return Image.open(source)
    except Exception as error:  # A hostile header can raise nearly anything; a bad image is data, not a crash.
        raise UnusableImage("unreadable", str(error).split(" <_io")[0]) from error


def decode(image: Image.Image) -> Image.Image:
    """Decode the image to its last pixel and return it.

    Raises:
        UnusableImage: A part of the image is missing or damaged.
    """
    try:
        image.load()
    except Exception as error:  # As above.
        reason = "truncated" if "truncated" in str(error) else "unreadable"
        raise UnusableImage(reason, str(error)) from error
    return image


def to_rgb(image: Image.Image) -> Image.Image:
    """Return the image in RGB: transparency over white, 16 bits scaled to 8; palettes, CMYK and grey converted.

    Raises:
        UnusableImage: The pixels are floating-point numbers, whose range no format states.
    """
    if image.mode == "F":
        raise UnusableImage("unsupported", "floating-point pixels")
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image, dtype=np.int64).clip(0, 65535) // 257).astype(np.uint8))
    if image.has_transparency_data or image.mode in ("RGBa", "La"):
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (*WHITE, 255))
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def upright(image: Image.Image) -> Image.Image:
    """Return the decoded image, turned as its EXIF orientation says."""
    return ImageOps.exif_transpose(image)


def read_upright(path: Path) -> Image.Image:
    """Return the whole image in RGB, upright.

    Raises:
        UnusableImage: The image cannot be decoded.
    """
    with open_image(path) as image:
        orientation = read_orientation(image)
        whole = to_rgb(decode(image))
    return whole.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else whole


def read_pixels(path: Path, size: tuple[int, int], crop: Crop) -> Pixels:
    """Return the image as uint8 `(height, width, 3)` RGB of exactly the size `(height, width)`, upright.

    `center` scales the shorter side and cuts the longer one around the middle, `letterbox` fits the whole image onto
    white, `none` stretches. Pixels are resampled once, with Lanczos, from the exact box of the original.

    Raises:
        UnusableImage: The image cannot be decoded.
    """
    with open_image(path) as image:
        orientation = read_orientation(image)
        # The small image is turned instead of the large one, so its sides are requested as they are stored.
        width, height = size if orientation >= 5 else size[::-1]
        extent = reduce_decoding(image, (width, height))
        small = resample(to_rgb(decode(image)), (0, 0, *extent), (width, height), crop)
    if orientation in UPRIGHT:
        small = small.transpose(UPRIGHT[orientation])
    return np.asarray(center_on_white(small, size[::-1]))


def read_orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 if it is missing or unreadable, or if Pillow applies it itself (TIFF)."""
    if image.format == "TIFF":
        return 1
    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    except Exception:  # Damaged metadata says nothing about the pixels.
        return 1
    return orientation if orientation in UPRIGHT else 1


def reduce_decoding(image: Image.Image, size: tuple[int, int]) -> tuple[float, float]:
    """Ask for a reduced decoding, and return the image's exact width and height in the pixels that decoding will give.

    A JPEG decodes at 1/2, 1/4 or 1/8 for less work; twice the given size is left for the resampling (54 dB against a
    full decode, at a quarter of the time). The decoded sides are rounded up, the exact sides are not.
    """
    scale = 2 * max(size[0] / image.width, size[1] / image.height)
    asked = (math.ceil(image.width * scale), math.ceil(image.height * scale))
    drafted = image.draft("RGB", asked) if image.mode == "RGB" and scale < 1 else None
    return (drafted[1][2], drafted[1][3]) if drafted else (float(image.width), float(image.height))


def resample(image: Image.Image, box: Edges, size: tuple[int, int], crop: Crop) -> Image.Image:
    """Return the box of an RGB image at the size (width, height), cut as `read_pixels` describes.

    With `letterbox` one of the sides may be shorter.
    """
    width, height = box[2] - box[0], box[3] - box[1]
    if crop == "letterbox":
        scale = min(size[0] / width, size[1] / height)
        inner = (max(1, round(width * scale)), max(1, round(height * scale)))
        return image.resize(inner, Image.Resampling.LANCZOS, box=box)
    scale = max(size[0] / width, size[1] / height)
    cut = (size[0] / scale, size[1] / scale) if crop == "center" else (width, height)
    left, top = box[0] + (width - cut[0]) / 2, box[1] + (height - cut[1]) / 2
    inside = (max(box[0], left), max(box[1], top), min(box[2], left + cut[0]), min(box[3], top + cut[1]))
    return image.resize(size, Image.Resampling.LANCZOS, box=inside)


def center_on_white(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return the RGB image in the middle of a white page of (width, height); an odd pixel goes right and below."""
    if image.size == size:
        return image
    page = Image.new("RGB", size, WHITE)
    page.paste(image, ((size[0] - image.width) // 2, (size[1] - image.height) // 2))
    return page
