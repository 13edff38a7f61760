"""Faces in images: where they lie, and the pixels of the largest face."""

import re
import threading
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw
from pydantic import Field, ValidationInfo, field_validator

from stages.core import params
from stages.images.cascades import is_url, locate, read_cascade
from stages.images.opening import UnusableImage, in_turn, open_image
from stages.images.reading import Edges, Pixels, read_upright, resample

NO_FACE = "no face"
CHOSEN, OTHER = "#1a9850", "#f28e2b"


class Face(params.Section):
    """The table `preprocess.face` of params.yaml."""

    cascade: str
    sha256: str | None
    # The search window grows by this factor from search to search: at 1.01 a thousandfold growth takes 700 searches.
    scale_factor: float = Field(ge=1.01, allow_inf_nan=False)
    neighbours: int = Field(ge=0, le=1000)
    min_side: int = Field(ge=1, le=100_000)
    margin: float = Field(ge=0, allow_inf_nan=False)

    @field_validator("sha256")
    @classmethod
    def check_sha256(cls, digits: str | None, others: ValidationInfo) -> str | None:
        """Return the hash in lower case; a URL needs a hash, because the file at the URL may change.

        Raises:
            ValueError: The text is not a SHA-256, or a URL has no hash.
        """
        is_needed = is_url(others.data.get("cascade", ""))
        if (digits or is_needed) and not re.fullmatch("[0-9a-fA-F]{64}", digits or ""):
            raise ValueError(f"expected 64 hexadecimal digits{' for a URL' if is_needed else ''}, got {digits!r}.")
        return digits.lower() if digits else None


class Box(NamedTuple):
    """A rectangle in the pixels of an upright image."""

    left: int
    top: int
    width: int
    height: int


class Detector(threading.local):
    """The settings and the cascade that find faces, for several threads.

    OpenCV's cascades cannot be shared, so each thread that uses the detector reads its own.
    """

    def __init__(self, settings: Face, path: Path) -> None:
        # The images are spread over threads already, and with one thread OpenCV finds the same faces in every run.
        cv2.setNumThreads(1)
        self.settings, self.path = settings, path
        self.cascade = read_cascade(path)

    def __reduce__(self) -> tuple[type["Detector"], tuple[Face, Path]]:
        """Return how another process makes the same detector."""
        return Detector, (self.settings, self.path)


def open_detector(settings: Face) -> Detector:
    """Return a detector that finds faces as the params say.

    Raises:
        ValueError: The cascade cannot be found or downloaded, has another SHA-256, or cannot be read.
    """
    return Detector(settings, locate(settings.cascade, settings.sha256))


def read_face(path: Path, size: tuple[int, int], detector: Detector) -> tuple[Pixels, list[Box]]:
    """Return the largest face as uint8 `(height, width, 3)` RGB of exactly the size `(height, width)`, and all faces.

    Faces are looked for in the upright image at full size. The box of the largest face grows by the params' margin and
    is cut as `center` cuts an image; its pixels are resampled once, with Lanczos, from the original.

    Raises:
        UnusableImage: The image cannot be decoded, or no face is found in it.
    """
    with open_image(path) as header, in_turn(header):
        image = read_upright(path)
        faces = find_faces(image, detector)
        if not faces:
            raise UnusableImage(NO_FACE, f"expected one of at least {detector.settings.min_side} pixels")
        box = grow(faces[0], detector.settings.margin, image.size)
        return np.asarray(resample(image, box, size[::-1], "center")), faces


def find_faces(image: Image.Image, detector: Detector) -> list[Box]:
    """Return the faces in an RGB image, the largest first; of equally large faces the topmost first, then the leftmost.

    The histogram of grey levels is left as it is; whether anime_characters equalised it is not known.
    """
    settings = detector.settings
    found = detector.cascade.detectMultiScale(
        np.asarray(image.convert("L")),
        scaleFactor=settings.scale_factor,
        minNeighbors=settings.neighbours,
        minSize=(settings.min_side, settings.min_side),
    )
    return sorted((Box(*map(int, box)) for box in found), key=rank)


def rank(box: Box) -> tuple[int, int, int, int]:
    """Return a key that sorts the largest box first; of equals the topmost, then the leftmost, then the narrowest."""
    return (-box.width * box.height, box.top, box.left, box.width)


def grow(box: Box, margin: float, size: tuple[int, int]) -> Edges:
    """Return the edges of a box moved out by `margin` of its sides, but kept within an image of (width, height)."""
    x, y = margin * box.width, margin * box.height
    right, bottom = box.left + box.width + x, box.top + box.height + y
    return (max(0.0, box.left - x), max(0.0, box.top - y), min(float(size[0]), right), min(float(size[1]), bottom))


def outline(image: Image.Image, faces: list[Box], side: int) -> Image.Image:
    """Return a copy at most `side` pixels wide and high with a frame around each face, a thick one around the first."""
    small = image.copy()
    small.thumbnail((side, side))
    draw = ImageDraw.Draw(small)
    x, y = small.width / image.width, small.height / image.height
    for number, box in reversed(list(enumerate(faces))):
        left, top = box.left * x, box.top * y
        # The last pixel belongs to the frame, which is one pixel at least.
        corners = (left, top, left + max(1, box.width * x) - 1, top + max(1, box.height * y) - 1)
        draw.rectangle(corners, outline=OTHER if number else CHOSEN, width=1 if number else 3)
    return small
