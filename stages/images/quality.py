"""The inspection of each file by itself: whether it is an image fit for use, and what the image looks like."""

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from pydantic import Field

from stages.core.params import Section
from stages.images.formats import check_type, check_whole
from stages.images.opening import UnusableImage, open_image
from stages.images.perceptual_hash import SIDE
from stages.images.thumbnails import Look, Small, Thumbnail, View, look_at, read_small

# Formats that hold animations. In other formats the second image is a smaller version, a depth map or a page.
ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
HELD = 1_000_000  # pixels that an image may have while others are decoded; long strips are hardly reduced


class Limits(Section):
    """The limits that an image must meet to be fit for use."""

    min_side: int = Field(ge=1)
    max_megapixels: float = Field(gt=0)
    max_aspect: float = Field(ge=1)
    max_frames: int = Field(ge=1)
    min_contrast: float = Field(ge=0, le=128)
    min_sharpness: float = Field(ge=0)


@dataclass(frozen=True)
class Inspection:
    """An image's grey thumbnail `(32, 32)`, its view if it was decoded, and the reason against it, if there is one.

    `can_be_kept` says whether a person may decide to keep the image in spite of the reason: it can be decoded.
    """

    thumbnail: Thumbnail = field(default_factory=lambda: np.zeros((SIDE, SIDE), dtype=np.uint8))
    reason: str = ""
    detail: str = ""
    can_be_kept: bool = False
    view: View | None = None


def inspect_files(paths: list[Path], limits: Limits) -> list[Inspection]:
    """Return the inspection of each file.

    All files are decoded before the first is assessed: doing both in turn slows either down by a few per cent.
    """
    found = [read_file(path, limits) for path in paths]
    return [assess(file, limits) if isinstance(file, Small) else file for file in found]


def read_file(path: Path, limits: Limits) -> Small | Inspection:
    """Return the file's decoded image, to be assessed later, or the inspection of an unusable or very large one.

    A very large image is assessed at once, so that it does not stay in memory. A file whose header announces too many
    pixels is refused before anything is decoded.
    """
    try:
        content = path.read_bytes()
        check_type(content)
        with open_image(io.BytesIO(content)) as image:
            check_area(*image.size, limits)
            check_frames(image, limits)
            check_whole(content)
            small = read_small(image)
    except UnusableImage as error:
        return Inspection(reason=error.reason, detail=error.detail)
    return small if small.image.width * small.image.height <= HELD else assess(small, limits)


def assess(small: Small, limits: Limits) -> Inspection:
    """Return the inspection of a decoded image."""
    look = look_at(small)
    try:
        check_shape(*small.size, limits)
        check_look(look, limits)
    except UnusableImage as error:
        return Inspection(look.thumbnail, error.reason, error.detail, can_be_kept=True, view=look.view)
    return Inspection(look.thumbnail, view=look.view)


def check_area(width: int, height: int, limits: Limits) -> None:
    """Check that the image can be decoded in bounded memory.

    Raises:
        UnusableImage: The image has too many pixels.
    """
    if width * height > limits.max_megapixels * 1e6:
        raise UnusableImage("too large", f"{width}x{height}, expected at most {limits.max_megapixels:g} megapixels")


def check_frames(image: Image.Image, limits: Limits) -> None:
    """Check that the image is not part of an animation; frames are counted only up to the limit.

    Raises:
        UnusableImage: The file has too many frames, or damaged ones.
    """
    if image.format not in ANIMATED:
        return
    try:
        image.seek(limits.max_frames)
    except EOFError:
        image.seek(0)
        return
    except Exception as error:  # As in `decode`: a damaged frame can raise nearly anything.
        raise UnusableImage("unreadable", str(error)) from error
    raise UnusableImage("animated", f"more than {limits.max_frames} frames")


def check_shape(width: int, height: int, limits: Limits) -> None:
    """Check that the sides are within the limits.

    Raises:
        UnusableImage: The shorter side is too small, or the longer side is too long for it.
    """
    shorter, longer = sorted((width, height))
    if shorter < limits.min_side:
        raise UnusableImage("too small", f"{width}x{height}, expected a shorter side >= {limits.min_side}")
    if longer > limits.max_aspect * shorter:
        raise UnusableImage("extreme aspect", f"{width}x{height}, expected sides of 1 to {limits.max_aspect:g} at most")


def check_look(look: Look, limits: Limits) -> None:
    """Check that there is something to be seen.

    Raises:
        UnusableImage: The image has nearly one grey level, or no edges.
    """
    if look.contrast < limits.min_contrast:
        raise UnusableImage("blank", f"contrast {look.contrast:.1f}, expected at least {limits.min_contrast:g}")
    if look.sharpness < limits.min_sharpness:
        raise UnusableImage("blurred", f"sharpness {look.sharpness:.3f}, expected at least {limits.min_sharpness:g}")
