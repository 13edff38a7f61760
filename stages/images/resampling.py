"""The size and cut of an image: decoded no further than needed, resampled once, centred on white."""

import math
from typing import Literal

from PIL import Image

Crop = Literal["center", "letterbox", "none"]
Edges = tuple[float, float, float, float]  # left, top, right, bottom of a part of an image, in its pixels
WHITE = (255, 255, 255)


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
