"""The type of a file by its bytes, and checks that it is whole in places that Pillow ignores."""

import struct
import zlib
from collections.abc import Callable

from stages.images.opening import UnusableImage

PNG, GIF, BMP = b"\x89PNG\r\n\x1a\n", (b"GIF87a", b"GIF89a"), b"BM"
# The first bytes of files that are often saved under an image's name; of text, the first bytes after white space.
OTHER_TYPES = {
    b"%PDF": "a PDF", b"PK\x03\x04": "a zip archive", b"\x1f\x8b": "a gzip file", b"\x1aE\xdf\xa3": "a Matroska video",
    b"<!doctype html": "an HTML page", b"<html": "an HTML page", b"<svg": "an SVG drawing", b"<?xml": "an XML file",
    b"{": "a JSON text", b"version https://git-lfs": "a pointer of Git LFS, whose file `git lfs pull` fetches",
}  # fmt: skip
# Images in containers of the kind that MP4 has, by their brand (https://mp4ra.org/registered-types/brands).
READ_BRANDS = (
    b"avif", b"avis", b"heic", b"heim", b"heis", b"heix", b"hevc", b"hevm", b"hevs", b"hevx", b"mif1", b"msf1",
)  # fmt: skip
UNREAD_BRANDS = {b"crx ": "CR3, Canon's raw images"}


def check_type(content: bytes) -> None:
    """Check that the bytes do not begin like a type of file that is not an image.

    Raises:
        UnusableImage: The bytes begin like a file of another type, or of a format that is not read.
    """
    brand = content[8:12] if content[4:8] == b"ftyp" else READ_BRANDS[0]
    if brand in UNREAD_BRANDS:
        raise UnusableImage("unsupported", f"{UNREAD_BRANDS[brand]}; as JPEG it can be read")
    if brand not in READ_BRANDS:
        raise UnusableImage("wrong type", "an MP4 video")
    start = content[:64].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for prefix, name in OTHER_TYPES.items():
        if start.startswith(prefix.lower()):
            raise UnusableImage("wrong type", name)


def check_whole(content: bytes) -> None:
    """Check that a PNG, GIF or BMP file is whole; files of other formats are checked by decoding them.

    Pillow decodes such files without their end or with wrong checksums, TensorFlow does not.

    Raises:
        UnusableImage: A part of the file is missing or damaged.
    """
    checks: dict[bytes | tuple[bytes, ...], Callable[[bytes], None]] = {PNG: check_png, GIF: check_gif, BMP: check_bmp}
    for signature, check in checks.items():
        if content.startswith(signature):
            try:
                check(content)
            except (struct.error, IndexError) as error:
                raise UnusableImage("truncated", f"the file ends within a block, at byte {len(content)}") from error


def check_png(content: bytes) -> None:
    """Check that chunks with correct checksums lead to the chunk that ends the image.

    Source: https://www.w3.org/TR/png-3/#5Chunk-layout

    Raises:
        UnusableImage: A checksum is wrong.
        struct.error: The file ends too early.
    """
    position, kind = len(PNG), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", content, position)
        (checksum,) = struct.unpack_from(">I", content, position + 8 + length)
        if zlib.crc32(content[position + 4 : position + 8 + length]) != checksum:
            raise UnusableImage("unreadable", f"PNG chunk {kind.decode('latin-1')!r} with a wrong checksum")
        position += 12 + length


def check_gif(content: bytes) -> None:
    """Check that known blocks lead to the trailer.

    Source: https://www.w3.org/Graphics/GIF/spec-gif89a.txt

    Raises:
        UnusableImage: A block is of an unknown kind.
        IndexError: The file ends too early.
    """
    position = 13 + colour_table_size(content[10])
    while content[position] != 0x3B:
        kind = content[position]
        if kind == 0x2C:  # an image: its descriptor, its colours and the width of its codes
            position += 11 + colour_table_size(content[position + 9])
        elif kind == 0x21:  # an extension and its label
            position += 2
        else:
            raise UnusableImage("unreadable", f"GIF block of unknown kind {kind} at byte {position}")
        while length := content[position]:
            position += 1 + length
        position += 1


def colour_table_size(flags: int) -> int:
    """Return the number of bytes in the colour table that the flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def check_bmp(content: bytes) -> None:
    """Check that the header is followed by as many bytes of pixels as it announces, if it announces a number.

    What follows them is no matter: Photoshop adds two bytes, and a colour profile may lie there.

    Raises:
        UnusableImage: The file has fewer bytes of pixels.
        struct.error: The file ends within its header.
    """
    start, header, width, height, _, depth, compression = struct.unpack_from("<IIiiHHI", content, 10)
    expected = start + (width * depth + 31) // 32 * 4 * abs(height)
    if header >= 40 and compression in (0, 3) and len(content) < expected:
        raise UnusableImage("truncated", f"BMP of {len(content)} bytes, its header says {expected}")
