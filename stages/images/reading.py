"""Reading any image file into RGB pixels of a given size."""

import io
import warnings
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, ImageOps

from stages.images.resampling import WHITE, Crop, center_on_white, reduce_decoding, resample

Pixels = npt.NDArray[np.uint8]

ORIENTATION = 0x0112  # the EXIF tag; https://exiftool.org/TagNames/EXIF.html
# How to turn an image stored in each orientation upright, as ImageOps.exif_transpose does.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
GREYS = {"L;2": 85, "L;4": 17}  # the step between two greys of a PNG with so many bits, in 8 bits
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0  # a tag of TIFF, and its value

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
            image = Image.open(source)
            scale_transparency(image)
            return image
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


def scale_transparency(image: Image.Image) -> None:
    """Bring the transparent grey or colour of an undecoded PNG, which has the file's depth, to that of its pixels."""
    key, tiles = image.info.get("transparency"), getattr(image, "tile", [])
    if image.format != "PNG" or not tiles:
        return
    arguments = tiles[0][3]
    raw = arguments[0] if isinstance(arguments, tuple) else arguments
    if isinstance(key, int) and raw in GREYS:
        image.info["transparency"] = key * GREYS[raw]
    if isinstance(key, tuple) and raw == "RGB;16B":
        image.info["transparency"] = tuple(value >> 8 for value in key)


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
        layered = image.convert("RGBA")
        coloured = with_profile(layered.convert("RGB"), image.info).convert("RGBA")
        coloured.putalpha(layered.getchannel("A"))
        white = Image.new("RGBA", image.size, (*WHITE, 255))
        return Image.alpha_composite(white, coloured).convert("RGB")
    return with_profile(image, image.info)


def reduce_depth(image: Image.Image) -> Image.Image:
    """Return a grey image of 16 bits with 8 bits, and with an alpha channel if a grey is transparent."""
    values = np.asarray(image, dtype=np.int64).clip(0, 65535)
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
