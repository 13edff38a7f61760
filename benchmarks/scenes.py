"""Images drawn from seeds: scenes with the spectrum of photographs, and flat drawings on white."""

import colorsys
import math
from collections.abc import Iterator
from itertools import count

import numpy as np
import numpy.typing as npt
from numpy.random import Generator, default_rng
from PIL import Image, ImageDraw, ImageOps
from scipy import fft

Size = tuple[int, int]
Color = tuple[int, int, int]
Points = npt.NDArray[np.float64]
Field = npt.NDArray[np.floating]
WHITE = (255, 255, 255)
THUMBNAIL = (24, 24)
LEAST_INK = 40  # of 255; a pixel with more ink counts as covered
SMOOTHING = 2  # shapes are drawn at this multiple of their size


def draw_scene(size: Size, palette: list[int], background: list[int], objects: list[int]) -> Image.Image:
    """Return a scene of (width, height): shaded objects in front of a textured ground, RGB.

    Two scenes with the same seed of one part have the same colours, the same ground or the same objects.
    """
    colors = draw_palette(default_rng(palette))
    ground = default_rng(background)
    image = draw_ground(ground, size, colors[:3])
    paste_objects(default_rng(objects), image, colors[2:])
    return add_texture(ground, image)


def draw_palette(rng: Generator) -> list[Color]:
    """Return eight colours around one hue, of any lightness."""
    hue, spread = rng.random(), rng.uniform(0.05, 0.6)
    hues = hue + spread * rng.uniform(-1, 1, 8)
    saturations, values = rng.uniform(0.05, 0.75, 8), rng.permutation(np.linspace(0.15, 0.95, 8))
    return [to_color(*hsv) for hsv in zip(hues % 1, saturations, values, strict=True)]


def to_color(hue: float, saturation: float, value: float) -> Color:
    """Return the colour as RGB from 0 to 255; hue, saturation and value are from 0 to 1."""
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def draw_ground(rng: Generator, size: Size, colors: list[Color]) -> Image.Image:
    """Return a gradient of three colours in any direction, from soft to a sharp horizon."""
    width, height = size
    angle, position, sharpness = rng.uniform(-0.6, 0.6), rng.uniform(0.3, 0.7), rng.choice([4, 8, 30, 200])
    x, y = np.linspace(-0.5, 0.5, width)[None], np.linspace(0, 1, height)[:, None]
    share = 1 / (1 + np.exp(-sharpness * (y + math.tan(angle) * x - position)))
    tones = ImageOps.colorize(Image.fromarray(np.uint8(255 * share)), colors[0], colors[1], mid=colors[2])
    return tones.transpose(Image.Transpose.ROTATE_180) if rng.random() < 0.3 else tones


def paste_objects(rng: Generator, image: Image.Image, colors: list[Color]) -> None:
    """Paste 4 to 11 shaded shapes into the image, large ones behind small ones; the largest covers its middle."""
    side = min(image.size)
    extents = [rng.uniform(0.55, 0.75), *sorted(rng.uniform(0.08, 0.45, rng.integers(3, 11)), reverse=True)]
    for number, extent in enumerate(extents):
        width, height = (max(4, round(side * extent * stretch)) for stretch in rng.uniform(0.7, 1.4, 2))
        margin = 0.35 if number == 0 else 0.05
        center = rng.uniform(margin, 1 - margin, 2) * image.size
        corner = (round(center[0] - width / 2), round(center[1] - height / 2))
        color = colors[rng.integers(len(colors))]
        image.paste(shade(rng, (width, height), color), corner, fill_outline((width, height), draw_outline(rng)))


def shade(rng: Generator, size: Size, color: Color) -> Image.Image:
    """Return an image of the colour, lit from one side or from the front."""
    light = Image.radial_gradient("L") if rng.random() < 0.4 else Image.linear_gradient("L").rotate(rng.uniform(0, 360))
    bright, dark = (tuple(min(255, round(part * factor)) for part in color) for factor in (1.25, 0.5))
    return ImageOps.colorize(light, bright, dark).resize(size, Image.Resampling.BILINEAR)


def draw_outline(rng: Generator) -> Points:
    """Return the corners of an ellipse, a polygon, a star or a soft blob, `(points, 2)`, filling 0 to 1 both ways."""
    kind = str(rng.choice(["ellipse", "polygon", "star", "blob"]))
    corners = {"ellipse": 90, "blob": 90, "polygon": int(rng.integers(3, 8)), "star": 2 * int(rng.integers(4, 9))}[kind]
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    radii = np.ones(corners)
    if kind == "polygon":
        radii = rng.uniform(0.6, 1, corners)
    elif kind == "star":
        radii[::2] = rng.uniform(0.3, 0.7)
    elif kind == "blob":
        radii += sum(rng.uniform(0, 0.25) * np.cos(k * angles + rng.uniform(0, 6)) for k in range(2, 6))
    angles += rng.uniform(0, 2 * np.pi)
    points = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
    return (points - points.min(axis=0)) / np.ptp(points, axis=0)


def fill_outline(size: Size, points: Points) -> Image.Image:
    """Return a mask of (width, height) that is 255 inside the outline."""
    large = (size[0] * SMOOTHING, size[1] * SMOOTHING)
    mask = Image.new("L", large)
    ImageDraw.Draw(mask).polygon([tuple(point) for point in points * large], fill=255)
    return mask.reduce(SMOOTHING)


def add_texture(rng: Generator, image: Image.Image) -> Image.Image:
    """Return the image with natural noise in its lightness, and coarser noise in its colours."""
    width, height = image.size
    lightness = 1 + rng.uniform(0.05, 0.22) * draw_noise(rng, image.size, rng.uniform(0.9, 1.3))
    pixels = np.asarray(image, dtype=np.float32) * lightness[..., None]
    coarse = (math.ceil(width / 4), math.ceil(height / 4))
    for channel in range(3):
        stain = Image.fromarray(rng.uniform(3, 12) * draw_noise(rng, coarse, 1.3))
        pixels[..., channel] += np.asarray(stain.resize(image.size, Image.Resampling.BILINEAR))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def draw_noise(rng: Generator, size: Size, exponent: float) -> Field:
    """Return noise of (width, height), mean 0 and deviation 1, its amplitude falling as frequency ** -exponent.

    Photographs have an exponent near 1: Field, "Relations between the statistics of natural images and the response
    properties of cortical cells", 1987, https://doi.org/10.1364/JOSAA.4.002379.
    """
    width, height = (fft.next_fast_len(side, real=True) for side in size)
    frequency = np.hypot(fft.fftfreq(height)[:, None], fft.rfftfreq(width)).astype(np.float32)
    frequency[0, 0] = np.inf
    spectrum = rng.standard_normal((*frequency.shape, 2), dtype=np.float32).view(np.complex64)[..., 0]
    field: Field = fft.irfft2(spectrum * frequency**-exponent, (height, width))[: size[1], : size[0]]
    return (field - field.mean()) / field.std()


def draw_flat(size: Size, seed: list[int]) -> Image.Image:
    """Return one to three shapes of one colour each on white, near the middle as in clip art and signs, RGB."""
    rng = default_rng(seed)
    image = Image.new("RGB", size, WHITE)
    for extent in rng.uniform(0.3, 0.7, rng.choice([1, 1, 1, 2, 3])):
        box = (max(2, round(size[0] * extent)), max(2, round(size[1] * extent * rng.uniform(0.8, 1.25))))
        corner = tuple(round(rng.uniform(0.25, 0.75) * (side - part)) for side, part in zip(size, box, strict=True))
        color = to_color(rng.random(), rng.uniform(0.4, 1), rng.uniform(0.1, 0.9))
        image.paste(color, (*corner, corner[0] + box[0], corner[1] + box[1]), fill_outline(box, draw_outline(rng)))
    return image


def distinct_flats(seed: list[int]) -> Iterator[int]:
    """Yield numbers to follow the seed whose drawings differ, also mirrored, from all before in shape and in colour.

    At least 15 % of what either drawing covers is covered by one of them alone, and half of the ink differs: no person
    takes one for the other, while their hashes, which see grey and low frequencies, come close.
    """
    taken: list[Field] = []
    for number in count():
        ink = 255.0 - np.asarray(draw_flat((96, 96), [*seed, number]).resize(THUMBNAIL, Image.Resampling.BOX))
        if all(is_distinct(ink, other) for known in taken for other in (known, known[:, ::-1])):
            taken.append(ink)
            yield number


def is_distinct(ink: Field, other: Field) -> bool:
    """Return whether two drawings differ enough in what they cover and in their colours."""
    covered, also = ink.max(axis=2) > LEAST_INK, other.max(axis=2) > LEAST_INK
    is_other_shape = (covered ^ also).sum() >= 0.15 * (covered | also).sum()
    return bool(is_other_shape and np.abs(ink - other).sum() >= 0.5 * max(ink.sum(), other.sum()))
