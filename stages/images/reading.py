"""Reading any image file into RGB pixels of a given size."""

import io
import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, ImageOps

from stages.images.opening import UnusableImage, check_effort, decode, draft, in_turn, open_image

Pixels = npt.NDArray[np.uint8]
Crop = Literal["center", "letterbox", "none"]
Edges = tuple[float, float, float, float]  # left, top, right, bottom of a part of an image, in its pixels
WHITE = (255, 255, 255)
STRIP_PIXELS = 4_000_000

ORIENTATION = 0x0112  # the EXIF tag; https://exiftool.org/TagNames/EXIF.html
# How to turn an image stored in each orientation upright, as ImageOps.exif_transpose does.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0  # a tag of TIFF, and its value


def to_rgb(image: Image.Image) -> Image.Image:
    """Return the image in sRGB: transparency over white, 16 bits scaled to 8; palettes, CMYK and grey converted.

    A colour profile in the file is followed.

    Raises:
        UnusableImage: The pixels are floating-point or 32-bit numbers, whose range the format does not state.
    """
    if image.mode == "F":
        raise UnusableImage("unsupported", "floating-point pixels")
    if image.mode == "I" and image.format == "TIFF":
        raise UnusableImage("unsupported", "pixels of 32 bits")
    if image.mode.startswith("I"):
        image = reduce_depth(image)
    if image.has_transparency_data or image.mode in ("RGBa", "La"):
        return lay_on_white(image)
    return with_profile(image, image.info)


def lay_on_white(image: Image.Image) -> Image.Image:
    """Return an image with transparency in sRGB over white, made a strip at a time for the sake of memory."""
    page = Image.new("RGB", image.size)
    rows = max(1, STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(image.height, top + rows)))
        layered = strip.convert("RGBA")
        coloured = with_profile(layered.convert("RGB"), image.info).convert("RGBA")
        coloured.putalpha(layered.getchannel("A"))
        white = Image.new("RGBA", strip.size, (*WHITE, 255))
        page.paste(Image.alpha_composite(white, coloured).convert("RGB"), (0, top))
    return page


def reduce_depth(image: Image.Image) -> Image.Image:
    """Return a grey image of 16 bits with 8 bits, and with an alpha channel if a grey is transparent."""
    values = np.asarray(image, dtype=np.int32).clip(0, 65535)
    if image.format == "TIFF" and getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO:
        values = 65535 - values
    grey = Image.fromarray((values // 257).astype(np.uint8))
    key = image.info.get("transparency")
    if isinstance(key, int):
        grey.putalpha(Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)))
    return grey


def with_profile(image: Image.Image, info: Mapping[Any, Any]) -> Image.Image:
    """Return the image in sRGB, as the colour profile in `info` says; without one that fits, as if it were sRGB."""
    profile = info.get("icc_profile")
    transform = to_srgb(profile, image.mode) if isinstance(profile, bytes) else None
    if transform is None:
        return image.convert("RGB")
    try:
        converted = ImageCms.applyTransform(image, transform)
    except (ValueError, ImageCms.PyCMSError):  # The profile is of another kind of image.
        return image.convert("RGB")
    return image.convert("RGB") if converted is None else converted


@lru_cache(maxsize=32)
def to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the transformation from a colour profile to sRGB; None of sRGB itself and of a damaged profile."""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(opened).lower():
            return None
        return ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (OSError, ValueError, ImageCms.PyCMSError):
        return None


def has_own_colours(image: Image.Image) -> bool:
    """Return whether the colours of an image must be transformed to be sRGB."""
    profile = image.info.get("icc_profile")
    return isinstance(profile, bytes) and to_srgb(profile, image.mode) is not None


def upright(image: Image.Image) -> Image.Image:
    """Return the decoded image, turned as its EXIF orientation says."""
    return ImageOps.exif_transpose(image)


def read_upright(path: Path) -> Image.Image:
    """Return the whole image in RGB, upright.

    Raises:
        UnusableImage: The image cannot be decoded.
    """
    with open_image(path) as image, in_turn(image):
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
    with open_image(path) as image, in_turn(image):
        orientation = read_orientation(image)
        # The small image is turned instead of the large one, so its sides are requested as they are stored.
        width, height = size if orientation >= 5 else size[::-1]
        extent = reduce_decoding(image, (width, height))
        small = resample(to_rgb(decode(image)), (0, 0, *extent), (width, height), crop)
    if orientation in UPRIGHT:
        small = small.transpose(UPRIGHT[orientation])
    return np.asarray(center_on_white(small, size[::-1]))


def reduce_decoding(image: Image.Image, size: tuple[int, int]) -> tuple[float, float]:
    """Ask for a reduced decoding, and return the image's exact width and height in the pixels that decoding will give.

    A JPEG decodes at 1/2, 1/4 or 1/8 for less work; twice the given size is left for the resampling (54 dB against a
    full decode, at a quarter of the time). The decoded sides are rounded up, the exact sides are not.
    """
    scale = 2 * max(size[0] / image.width, size[1] / image.height)
    asked = (math.ceil(image.width * scale), math.ceil(image.height * scale))
    drafted = draft(image, "RGB", asked) if image.mode == "RGB" and scale < 1 else None
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


def read_orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 if it is missing or unreadable, or if Pillow applies it itself (TIFF).

    Raises:
        UnusableImage: The image is a PNG, which Pillow decodes to find what may follow its pixels, and is too large.
    """
    if image.format == "TIFF":
        return 1
    if image.format == "PNG":
        check_effort(image)
    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    except Exception:  # Damaged metadata says nothing about the pixels.
        return 1
    return orientation if orientation in UPRIGHT else 1
