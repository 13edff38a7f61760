"""The changes that make a near-duplicate of an image, and the damages that make a broken file."""

import io
from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageEnhance, ImageFont

SCREEN_WIDTHS = (320, 480, 640, 720, 1080)
ENDINGS = (".jpg", ".png", ".webp", ".gif")
WORDS = ("SAMPLE", "preview only", "© 2024 A. Nother", "DRAFT", "stock picture")

Change = Callable[[Image.Image, Generator], Image.Image]
Damage = Callable[[Image.Image, Generator], bytes]


def keep(image: Image.Image, rng: Generator) -> Image.Image:
    """Return the image unchanged: only the way it is saved changes."""
    return image


def resize(image: Image.Image, rng: Generator) -> Image.Image:
    """Return the image at 30 to 80 % of its sides."""
    return scale(image, rng.uniform(0.3, 0.8))


def repost(image: Image.Image, rng: Generator) -> Image.Image:
    """Return the image at a screen's width; an image narrower than all screens at three quarters of its own width."""
    widths = [width for width in SCREEN_WIDTHS if width < image.width]
    return scale(image, (rng.choice(widths) if widths else 0.75 * image.width) / image.width)


def scale(image: Image.Image, factor: float) -> Image.Image:
    """Return the image with its sides multiplied by the factor."""
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.LANCZOS)


def brighten(image: Image.Image, rng: Generator) -> Image.Image:
    """Return the image at 0.6 to 1.5 times its brightness."""
    return ImageEnhance.Brightness(image).enhance(rng.uniform(0.6, 1.5))


def change_contrast(image: Image.Image, rng: Generator) -> Image.Image:
    """Return the image at 0.6 to 1.5 times its contrast."""
    return ImageEnhance.Contrast(image).enhance(rng.uniform(0.6, 1.5))


def to_grey(image: Image.Image, rng: Generator) -> Image.Image:
    """Return the image without colour, as one channel."""
    return image.convert("L")


def crop_2(image: Image.Image, rng: Generator) -> Image.Image:
    """Return the image without 2 % of its width and 2 % of its height."""
    return crop(image, 0.02, rng)


def crop_5(image: Image.Image, rng: Generator) -> Image.Image:
    """Return the image without 5 % of its width and 5 % of its height."""
    return crop(image, 0.05, rng)


def crop(image: Image.Image, share: float, rng: Generator) -> Image.Image:
    """Cut off the share of each side, at least one pixel, divided at random between the opposite edges."""
    cut = [max(1, round(share * side)) for side in image.size]
    left, top = (int(rng.integers(0, part + 1)) for part in cut)
    return image.crop((left, top, image.width - cut[0] + left, image.height - cut[1] + top))


def watermark(image: Image.Image, rng: Generator) -> Image.Image:
    """Return the image under a half-transparent line of text, 30 to 60 % as wide as the image, anywhere in it."""
    font = ImageFont.load_default(100)
    word = str(rng.choice(WORDS))
    left, top, right, bottom = font.getbbox(word)
    text = Image.new("L", (round(right - left), round(bottom - top)))
    ImageDraw.Draw(text).text((-left, -top), word, fill=int(rng.integers(100, 180)), font=font)
    text = scale(text, rng.uniform(0.3, 0.6) * image.width / text.width)
    corner = tuple(int(rng.integers(0, max(1, side - part))) for side, part in zip(image.size, text.size, strict=True))
    marked = image.copy()
    marked.paste("white" if rng.random() < 0.5 else "black", (corner[0], corner[1]), text)
    return marked


def flip(image: Image.Image, rng: Generator) -> Image.Image:
    """Return the image with left and right exchanged."""
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def rotate(image: Image.Image, rng: Generator) -> Image.Image:
    """Return the image turned by 2 degrees either way, its empty corners white or cut off."""
    angle = float(rng.choice([-2, 2]))
    turned = image.rotate(angle, Image.Resampling.BICUBIC, fillcolor=(255,) * 3)
    if rng.random() < 0.5:
        return turned
    sine = np.sin(np.radians(2))
    x, y = int(np.ceil(sine * image.height / 2)), int(np.ceil(sine * image.width / 2))
    return turned.crop((x, y, image.width - x, image.height - y))


# Kind: the change, and the qualities to save a JPEG or WebP with.
CHANGES: dict[str, tuple[Change, tuple[int, int]]] = {
    "resize": (resize, (85, 95)), "recompression": (keep, (20, 60)), "brightness": (brighten, (85, 95)),
    "contrast": (change_contrast, (85, 95)), "greyscale": (to_grey, (85, 95)), "format": (keep, (85, 95)),
    "crop 2 %": (crop_2, (85, 95)), "crop 5 %": (crop_5, (85, 95)), "watermark": (watermark, (85, 95)),
    "flip": (flip, (85, 95)), "rotation": (rotate, (85, 95)), "repost": (repost, (60, 80)),
}  # fmt: skip


def choose_ending(kind: str, ending: str, rng: Generator) -> str:
    """Return the ending of a near-duplicate: JPEG, another format, or the original's ending if we can write it."""
    if kind == "format":
        return str(rng.choice([other for other in ENDINGS if other != ending]))
    return ".jpg" if kind in ("recompression", "repost") or ending not in ENDINGS else ending


def encode(image: Image.Image, ending: str, quality: int) -> bytes:
    """Return the image's file; PNG and GIF have no quality, and are packed for speed."""
    stream = io.BytesIO()
    kinds = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".gif": "GIF"}
    image.save(stream, kinds[ending], quality=quality, method=0, compress_level=1)
    return stream.getvalue()


def decodes(content: bytes) -> bool:
    """Return whether Pillow reads the file to its last pixel."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
    except Exception:  # Pillow raises nearly anything for a damaged file.
        return False
    return True


def truncate(content: bytes, rng: Generator) -> bytes:
    """Cut the file at a random place such that it no longer decodes."""
    while decodes(cut := content[: int(rng.uniform(0.02, 0.98) * len(content))]):
        pass
    return cut


def flip_bits(content: bytes, rng: Generator) -> bytes:
    """Flip bits of the file's first 24 bytes, one after the other, until it no longer decodes."""
    damaged = bytearray(content)
    while decodes(bytes(damaged)):
        damaged[rng.integers(24)] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


def drop_end(content: bytes) -> bytes:
    """Return the PNG file without its end chunk: Pillow decodes it, TensorFlow does not."""
    return content[:-12]


# Kind: ending of the file, and its bytes made from an image. All but the PNG without its end fail to decode in Pillow.
DAMAGES: dict[str, tuple[str, Damage]] = {
    "truncated JPEG": (".jpg", lambda image, rng: truncate(encode(image, ".jpg", 90), rng)),
    "truncated PNG": (".png", lambda image, rng: truncate(encode(image, ".png", 0), rng)),
    "truncated WebP": (".webp", lambda image, rng: truncate(encode(image, ".webp", 90), rng)),
    "PNG without end": (".png", lambda image, rng: drop_end(encode(image, ".png", 0))),
    "turned bits": (".jpg", lambda image, rng: flip_bits(encode(image, ".jpg", 90), rng)),
    "empty": (".jpg", lambda image, rng: b""),
    "zeros": (".png", lambda image, rng: bytes(int(rng.integers(1000, 50_000)))),
    "text": (".jpg", lambda image, rng: b"Error 404: no such picture.\n" * int(rng.integers(1, 9))),
    "HTML": (
        ".jpg",
        lambda image, rng: b"<!DOCTYPE html>" + b"<p>Not found.\n" * int(rng.integers(1, 9)),
    ),
    "random bytes": (".webp", lambda image, rng: rng.bytes(int(rng.integers(1000, 50_000)))),
}
