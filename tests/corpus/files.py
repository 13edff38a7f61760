"""Files as people have them: in a row the file's name, its bytes, made of a drawing, and what becomes of it.

What is kept must also look like the drawing, or like its greys. A report of a file that went wrong becomes a row.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

from tests.corpus.encoders import (
    bmp_from_the_top,
    bmp_of_runs,
    draw_squares,
    encode,
    png,
    png_header,
    png_of_few_greys,
    qoi,
    tiff,
)

SEEDS_OF_HEIC = {"iphone.heic": 2026, "iphone held upright.HEIC": 2027}  # of the drawings in them
KEPT, GREY, LINES = "kept", "kept in grey", "kept in black and white"


def turned(image, orientation=6):
    """Return a JPEG as a phone held upright writes it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(image.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif)


def with_alpha(image):
    """Return the drawing with an alpha channel, wholly opaque."""
    opaque = image.convert("RGBA")
    opaque.putalpha(255)
    return opaque


def in_another_space(image):
    """Return a JPEG in a colour space in which red and blue have changed places."""
    red, green, blue = image.split()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for old, new in ((b"rXYZ", b"tXYZ"), (b"bXYZ", b"rXYZ"), (b"tXYZ", b"bXYZ")):
        profile = profile.replace(old, new, 1)
    profile = profile.replace("sRGB".encode("utf-16-be"), "own ".encode("utf-16-be"))
    return encode(Image.merge("RGB", (blue, green, red)), "JPEG", quality=95, icc_profile=profile)


def lines_on_nothing(image):
    """Return the drawing's dark parts in black on full transparency whose hidden colour is black too."""
    alpha = image.convert("L").point(lambda grey: 255 * (grey < 128))
    drawn = Image.new("RGBA", image.size, (0, 0, 0, 0))
    drawn.putalpha(alpha)
    return encode(drawn)


def with_extra_bytes(image):
    """Return a JPEG with bytes before its end that belong to nothing, as in two well-known sets of pets."""
    content = encode(image, "JPEG", quality=95)
    return content[:-2] + bytes(range(1, 246)) + content[-2:]


def palette_with_alpha(image):
    paletted = few(image)
    return encode(paletted, transparency=bytes([255] * 200))


def read(name):
    return Path(__file__).with_name(name).read_bytes()


def grey(image):
    return np.asarray(image.convert("L"))


def deep(image):
    return (grey(image).astype(np.uint16) << 8) + 7


def two(image, format_, **options):
    return encode(image, format_, save_all=True, append_images=[ImageOps.mirror(image)], **options)


def few(image):
    return image.quantize(200)


FILES = {
    # --- what programs and cameras write
    "photo.jpg": (lambda i: encode(i, "JPEG", quality=95), KEPT),
    "progressive.jpeg": (lambda i: encode(i, "JPEG", quality=95, progressive=True), KEPT),
    "grey.JPG": (lambda i: encode(i.convert("L"), "JPEG", quality=95), GREY),
    "print.jpg": (lambda i: encode(i.convert("CMYK"), "JPEG", quality=95), KEPT),
    "upright.jpg": (turned, KEPT),
    "profile.jpg": (in_another_space, KEPT),
    "motion photo.jpg": (lambda i: encode(i, "JPEG", quality=95) + b"\0\0\0\x18ftypmp42" + bytes(500), KEPT),
    "extra bytes.jpg": (with_extra_bytes, KEPT),
    "two pictures.mpo": (lambda i: two(i, "MPO", quality=95), KEPT),
    "iphone.heic": (lambda _: read("photo.heic"), KEPT),
    "iphone held upright.HEIC": (lambda _: read("turned.heic"), KEPT),
    "web.webp": (lambda i: encode(i, "WEBP", quality=95), KEPT),
    "lossless.webp": (lambda i: encode(with_alpha(i), "WEBP", lossless=True), KEPT),
    "new.avif": (lambda i: encode(i, "AVIF", quality=95), KEPT),
    "scan.jp2": (lambda i: encode(i, "JPEG2000"), KEPT),
    "game.qoi": (lambda i: qoi(np.asarray(i)), KEPT),
    "old.pcx": (lambda i: encode(i, "PCX"), KEPT),
    "plain.ppm": (lambda i: encode(i, "PPM"), KEPT),
    "texture.tga": (lambda i: encode(i, "TGA"), KEPT),
    "workstation.sgi": (lambda i: encode(i, "SGI"), KEPT),
    # --- depths, palettes, transparency and order of bytes
    "palette.png": (lambda i: encode(few(i)), KEPT),
    "palette with alpha.png": (palette_with_alpha, KEPT),
    "lines on nothing.png": (lines_on_nothing, LINES),
    "other lines on nothing.png": (lines_on_nothing, LINES),
    "palette.bmp": (lambda i: encode(few(i), "BMP"), KEPT),
    "palette.gif": (lambda i: encode(few(i), "GIF"), KEPT),
    "one frame.gif": (lambda i: encode(few(i), "GIF", save_all=True, loop=0), KEPT),
    "grey of 2 bits.png": (lambda i: png_of_few_greys(grey(i), 2), GREY),
    "grey of 4 bits.png": (lambda i: png_of_few_greys(grey(i), 4), GREY),
    "white of 4 bits is transparent.png": (lambda i: png_of_few_greys(grey(i), 4, 15), GREY),
    "grey of 16 bits.png": (lambda i: png(deep(i)[..., None], 16), GREY),
    "colours of 16 bits.png": (lambda i: png(np.asarray(i).astype(np.uint16) * 257, 16), KEPT),
    "interlaced.png": (lambda i: png(np.asarray(i), interlaced=True), KEPT),
    "interlaced with alpha.png": (lambda i: png(np.asarray(with_alpha(i)), interlaced=True), KEPT),
    "unknown chunk.png": (lambda i: png(np.asarray(i), chunks=[(b"prVt", b"private")]), KEPT),
    "text behind.png": (lambda i: encode(i) + b"appended by a scanner", KEPT),
    "from the top.bmp": (bmp_from_the_top, KEPT),
    "runs.bmp": (lambda i: bmp_of_runs(few(i)), KEPT),
    "photoshop.bmp": (lambda i: encode(i, "BMP") + b"\0\0", KEPT),
    "fax.tif": (lambda i: tiff(255 - grey(i), "<", white_is_zero=True), GREY),
    "deep.tif": (lambda i: tiff(deep(i), "<"), GREY),
    "deep of a Mac.tif": (lambda i: tiff(deep(i), ">"), GREY),
    "deep from white.tif": (lambda i: tiff(65535 - deep(i), "<", white_is_zero=True), GREY),
    "deep from white of a Mac.tif": (lambda i: tiff(65535 - deep(i), ">", white_is_zero=True), GREY),
    "packed.tif": (lambda i: encode(i, "TIFF", compression="tiff_lzw"), KEPT),
    "print.tif": (lambda i: encode(i.convert("CMYK"), "TIFF"), KEPT),
    "pages.tif": (lambda i: two(i, "TIFF"), KEPT),
    # --- names that say something else, or nothing
    "no ending": (lambda i: encode(i), KEPT),
    "a jpeg really.png": (lambda i: encode(i, "JPEG", quality=95), KEPT),
    "photo.jpg.exe": (lambda i: encode(i), KEPT),
    "two\nlines.png": (lambda i: encode(i), KEPT),
    'quote " and , comma.png': (lambda i: encode(i), KEPT),
    "-rf.png": (lambda i: encode(i), KEPT),
    "50 % #1 ?.png": (lambda i: encode(i), KEPT),
    "$(touch x) `y` $HOME.png": (lambda i: encode(i), KEPT),
    "\u732b \U0001f431.png": (lambda i: encode(i), KEPT),
    "e\u0301 decomposed.png": (lambda i: encode(i), KEPT),
    "latin \udce9.png": (lambda i: encode(i), KEPT),
    "trailing dot.": (lambda i: encode(i), KEPT),
    "x" * 251 + ".png": (lambda i: encode(i), KEPT),
    # --- what is refused, and why
    "empty.jpg": (lambda _: b"", "unreadable"),
    "text.jpg": (lambda _: b"no image", "unreadable"),
    "page.jpg": (lambda _: b"\n<!DOCTYPE html><html>404</html>", "wrong type"),
    "manual.png": (lambda _: b"%PDF-1.7\n", "wrong type"),
    "drawing.svg": (lambda _: b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "wrong type"),
    "drawing.eps": (lambda _: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "unreadable"),
    "pointer.jpg": (lambda _: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "wrong type"),
    "error.jpg": (lambda _: b'{"error": 404}', "wrong type"),
    "clip.jpg": (lambda _: b"\0\0\0\x18ftypmp42" + bytes(100), "wrong type"),
    "canon.cr3": (lambda _: b"\0\0\0\x18ftypcrx " + bytes(100), "unsupported"),
    "burst.heics": (lambda _: b"\0\0\0\x18ftyphevc" + bytes(100), "unreadable"),
    "images.zip": (lambda _: b"PK\x03\x04" + bytes(100), "wrong type"),
    "float.tif": (lambda i: encode(i.convert("F"), "TIFF"), "unsupported"),
    "cut.png": (lambda i: encode(i)[:-40], "truncated"),
    "cut.jpg": (lambda i: encode(i, "JPEG")[:-300], "truncated"),
    "cut.gif": (lambda i: encode(few(i), "GIF")[:-1], "truncated"),
    "cut.bmp": (lambda i: encode(i, "BMP")[:-1], "truncated"),
    "cut.heic": (lambda _: read("photo.heic")[:-9], "unreadable"),
    "wrong checksum.png": (lambda i: encode(i)[:-1] + b"!", "unreadable"),
    "wall of a chat.gif": (lambda i: two(few(i), "GIF"), "animated"),
    "sticker.webp": (lambda i: two(i, "WEBP"), "animated"),
    "moving.png": (lambda i: two(i, "PNG"), "animated"),
    "icon.png": (lambda i: encode(i.resize((16, 16))), "too small"),
    "banner.png": (lambda i: encode(i.resize((1700, 33))), "extreme aspect"),
    "blank.png": (lambda i: encode(Image.new("RGB", i.size, "white")), "blank"),
    "poster.png": (lambda _: png_header(20_000, 6_000), "too large"),
}


def draw(name):
    """Return the drawing of a row, another for each."""
    return draw_squares(SEEDS_OF_HEIC.get(name, list(FILES).index(name)))
