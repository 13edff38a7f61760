"""How a file of an image is opened and decoded, with nothing started and in bounded time and memory."""

import errno
import threading
import warnings
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO

import pi_heif
from PIL import Image, TiffImagePlugin

# What is read. Pillow knows more: EPS starts Ghostscript, icons hide the size of their images, and others are no
# images that a person collects.
FORMATS = (
    "JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF", "JPEG2000", "DIB", "PCX", "PPM", "QOI", "SGI", "TGA",
)  # fmt: skip
MOST_MEGAPIXELS = 200  # of an image that is decoded, whatever params.yaml says: 1.6 GB, as WebP 3.2
LARGE_MEGAPIXELS = 50  # one after the other within a process, so that memory does not grow with its threads
MOST_SCANS = 100  # of a JPEG, each of which goes over all pixels; programs write about ten
BYTES_OF_PIXEL = 4  # of Pillow's RGB
# Numbers of errors that come from the disk or the system. A damaged file can cause others, such as EINVAL by a place
# before its beginning.
ERRORS_OF_MACHINE = frozenset({
    errno.EACCES, errno.EBUSY, errno.EIO, errno.ELOOP, errno.EMFILE, errno.ENFILE, errno.ENODEV, errno.ENOENT,
    errno.ENOMEM, errno.ENOTCONN, errno.ENXIO, errno.EPERM, errno.ESTALE, errno.ETIMEDOUT,
})  # fmt: skip
SCAN = b"\xff\xda"
GREYS = {"L;2": 85, "L;4": 17}  # the step between two greys of a PNG with so many bits, in 8 bits

# Damaged metadata is no one's to mend, and what is damaged in the pixels has a reason of ours.
warnings.filterwarnings("ignore", module=r"PIL\.")
pi_heif.register_heif_opener()
# TIFF of 16-bit greys that count from white, which Pillow reads in one order of bytes only.
TiffImagePlugin.OPEN_INFO[b"MM", 0, (1,), 1, (16,), ()] = ("I;16B", "I;16B")
# Pillow's own limit only warns below 179 megapixels; `check_area` refuses by the header, before anything is decoded.
Image.MAX_IMAGE_PIXELS = None


_large = threading.RLock()


class UnusableImage(ValueError):
    """An image that cannot be used: `reason` is one of a few words, to be counted; `detail` is about this image."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def open_image(source: Path | IO[bytes]) -> Image.Image:
    """Return the image with its header read and nothing decoded.

    Raises:
        UnusableImage: The file is of no format in FORMATS, or its header is damaged.
        OSError: The file cannot be read; that says nothing about the image.
    """
    try:
        image = Image.open(source, formats=FORMATS)
        scale_transparency(image)
        return image
    except Exception as error:  # A hostile header can raise nearly anything; a bad image is data, not a crash.
        raise_if_of_machine(error)
        raise UnusableImage("unreadable", str(error).split(" <_io")[0]) from error


def decode(image: Image.Image) -> Image.Image:
    """Decode the image to its last pixel and return it.

    Raises:
        UnusableImage: A part of the image is missing or damaged, or decoding it takes too much time or memory.
        OSError: The file cannot be read, or this machine lacks memory that an image of this size may take.
    """
    check_effort(image)
    try:
        image.load()
    except Exception as error:  # As above.
        raise_if_of_machine(error)
        if isinstance(error, MemoryError) or "out of memory" in str(error):
            check_memory(image)
        reason = "truncated" if "truncated" in str(error) else "unreadable"
        raise UnusableImage(reason, str(error)) from error
    return image


def in_turn(image: Image.Image) -> AbstractContextManager[object]:
    """Return a context in which no other thread decodes a large image, if this one is large."""
    return _large if image.width * image.height > LARGE_MEGAPIXELS * 1e6 else nullcontext()


def raise_if_of_machine(error: Exception) -> None:
    """Raise the error as it is if it comes from the disk or the system, and not from the bytes of an image."""
    if isinstance(error, OSError) and error.errno in ERRORS_OF_MACHINE:
        raise error


def check_memory(image: Image.Image) -> None:
    """Check that there is memory for the pixels of an image that was not decoded.

    Raises:
        OSError: There is too little, which says nothing about the image.
    """
    width, height = image.size
    try:
        bytearray(BYTES_OF_PIXEL * width * height)
    except MemoryError as error:
        name = getattr(image, "filename", "") or "an image"
        needed = BYTES_OF_PIXEL * width * height / 1e6
        raise OSError(f"{name}: expected {needed:.0f} MB of free memory for {width}x{height}, got less.") from error


def draft(image: Image.Image, mode: str, size: tuple[int, int]) -> tuple[str, tuple[float, float, float, float]] | None:
    """Ask for a reduced decoding of a JPEG, as `Image.draft` does, of an image that can be decoded.

    Raises:
        UnusableImage: Decoding the image takes too much time or memory; reduced, it would not show how large it is.
    """
    check_effort(image)
    drafted: tuple[str, tuple[float, float, float, float]] | None = image.draft(mode, size)
    return drafted


def check_effort(image: Image.Image) -> None:
    """Check that an image, not yet reduced, can be decoded in bounded time and memory.

    Raises:
        UnusableImage: The image has too many pixels, or is a JPEG of too many scans.
    """
    width, height = image.size
    if width * height > MOST_MEGAPIXELS * 1e6:
        raise UnusableImage("too large", f"{width}x{height}, expected at most {MOST_MEGAPIXELS} megapixels")
    stream = getattr(image, "fp", None)
    if image.format in ("JPEG", "MPO") and stream is not None:
        position = stream.tell()
        stream.seek(0)
        scans = stream.read().count(SCAN)
        stream.seek(position)
        if scans > MOST_SCANS:
            raise UnusableImage("unsupported", f"a JPEG of {scans} scans, expected at most {MOST_SCANS}")


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
