"""Drawings, and files that Pillow reads and cannot write, byte by byte."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
PNG_COLOURS = {1: 0, 3: 2, 4: 6}  # the type of colour by the number of channels


def draw_squares(seed):
    """Draw 48 coloured squares, others for each seed."""
    squares = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(squares).resize((64, 48), Image.Resampling.NEAREST)


def encode(image, format_="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, format_, **options)
    return stream.getvalue()


def png(pixels, depth=8, *, interlaced=False, chunks=()):
    """Write (height, width, channels) pixels of 8 or 16 bits, and more chunks of (kind, bytes) before the data."""
    height, width, channels = pixels.shape
    size = struct.pack(">IIBBBBB", width, height, depth, PNG_COLOURS[channels], 0, 0, int(interlaced))
    passes = [pixels[y::dy, x::dx] for y, x, dy, dx in ADAM7] if interlaced else [pixels]
    rows = (row for part in passes if part.size for row in part.astype(">u2" if depth == 16 else "u1"))
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(*each) for each in ((b"IHDR", size), *chunks, (b"IDAT", data), (b"IEND", b""))
    )


def png_header(width, height):
    """Write an image that only says how large it is."""
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of_few_greys(pixels, depth, transparent=None):
    """Write (height, width) greys of 2 or 4 bits, one of which may be transparent."""
    height, width = pixels.shape
    each = 8 // depth
    levels = (pixels >> (8 - depth)).reshape(height, width // each, each)
    packed = np.zeros(levels.shape[:2], np.uint8)
    for place in range(each):
        packed |= levels[:, :, place] << (8 - depth * (place + 1))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0))]
    if transparent is not None:
        chunks.append((b"tRNS", struct.pack(">H", transparent)))
    chunks += [(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in packed))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def tiff(pixels, order, *, white_is_zero=False):
    """Write (height, width) greys of 8 or 16 bits in one strip; the order of bytes is `<` or `>`."""
    height, width = pixels.shape
    bits = pixels.dtype.itemsize * 8
    data = pixels.astype(f"{order}u{bits // 8}").tobytes()
    stored = 8 + 2 + 9 * 12 + 4
    tags = (
        (256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, 1), (262, 3, int(not white_is_zero)),
        (273, 4, stored), (277, 3, 1), (278, 4, height), (279, 4, len(data)),
    )  # fmt: skip
    entries = b"".join(
        struct.pack(f"{order}HHI", tag, kind, 1) + struct.pack(f"{order}I" if kind == 4 else f"{order}Hxx", value)
        for tag, kind, value in tags
    )
    start = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8)
    return start + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + data


def bmp_from_the_top(image):
    """Turn a BMP, whose rows begin at the bottom, into one whose rows begin at the top."""
    content = bytearray(encode(image, "BMP"))
    start, (width, height) = struct.unpack_from("<I", content, 10)[0], image.size
    rows = np.frombuffer(bytes(content[start:]), np.uint8).reshape(height, -1)
    content[start:] = rows[::-1].tobytes()
    struct.pack_into("<ii", content, 18, width, -height)
    return bytes(content)


def bmp_of_runs(image):
    """Write a palette image as runs of one pixel each (RLE8)."""
    content = bytearray(encode(image, "BMP"))
    start = struct.unpack_from("<I", content, 10)[0]
    pixels = np.asarray(image)[::-1]
    runs = b"".join(b"".join(b"\1" + bytes([p]) for p in row.tolist()) + b"\0\0" for row in pixels) + b"\0\1"
    struct.pack_into("<II", content, 30, 1, len(runs))
    struct.pack_into("<I", content, 2, start + len(runs))
    return bytes(content[:start]) + runs


def qoi(pixels):
    """Write each of (height, width, 3) pixels whole.

    Source: https://qoiformat.org/qoi-specification.pdf
    """
    height, width, _ = pixels.shape
    whole = np.concatenate([np.full((height * width, 1), 0xFE, np.uint8), pixels.reshape(-1, 3)], axis=1)
    return struct.pack(">4sIIBB", b"qoif", width, height, 3, 0) + whole.tobytes() + bytes(7) + b"\1"
