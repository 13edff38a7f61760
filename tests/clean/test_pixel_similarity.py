import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from stages.clean.pixel_similarity import align, is_small, similarity


def thumbnail(image):
    return np.asarray(image.convert("RGB").resize((64, 64), Image.Resampling.LANCZOS))


def cut(image, share):
    return image.crop((round(image.width * share), round(image.height * share), image.width, image.height))


def watermarked(image):
    copy = image.copy()
    ImageDraw.Draw(copy, "RGBA").text((20, 60), "a sample", fill=(255, 255, 255, 120), font_size=20)
    return copy


def photograph(seed):
    """Noise of all sizes, the larger the stronger, as in nature."""
    rng = np.random.default_rng(seed)
    layers = [
        np.asarray(
            Image.fromarray(rng.normal(size=(n, n, 3)).clip(-3, 3).astype(np.float32)[..., 0]).resize((200, 200))
        )
        for n in (3, 6, 12, 25, 50)
    ]
    grey = sum(layer * 0.6**number for number, layer in enumerate(layers))
    colour = np.stack([grey, grey * 0.8 + 0.2, 0.5 - grey * 0.5], axis=2)
    return Image.fromarray((128 + 45 * colour).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "change",
    [
        lambda image: image,
        lambda image: image.resize((70, 90)),
        lambda image: ImageEnhance.Brightness(image).enhance(1.3),
        lambda image: ImageEnhance.Contrast(image).enhance(0.6),
        ImageOps.grayscale,
        lambda image: cut(image, 0.02),
        lambda image: cut(image, 0.05),
        lambda image: image.rotate(2, Image.Resampling.BICUBIC),
        lambda image: image.rotate(-2, Image.Resampling.BICUBIC, fillcolor="white"),
        watermarked,
    ],
)
def test_a_changed_copy_is_at_least_090_alike(seed, change):
    image = photograph(seed)
    assert similarity(thumbnail(image), thumbnail(change(image)), 0.9) >= 0.9


@pytest.mark.parametrize("seed", range(8))
def test_other_images_are_not(seed):
    assert similarity(thumbnail(photograph(seed)), thumbnail(photograph(seed + 100)), 0.9) < 0.7


def shape(colour, kind="rectangle", background="white"):
    image = Image.new("RGB", (200, 200), background)
    getattr(ImageDraw.Draw(image), kind)((50, 60, 150, 140), fill=colour)
    return thumbnail(image)


def test_another_shape_at_the_same_place_is_less_alike_than_a_copy():
    assert similarity(shape("black"), shape("black", "ellipse"), 0.95) < 0.95
    assert similarity(shape("black"), shape("black"), 0.95) > 0.99


def test_a_shape_of_another_colour_is_not_alike_but_a_grey_one_is():
    assert similarity(shape("red"), shape("blue"), 0.9) < 0.7
    assert similarity(shape("red"), shape("#4c4c4c"), 0.9) > 0.95


def test_images_without_content_are_like_nothing():
    blank = np.full((64, 64, 3), 255, dtype=np.uint8)
    assert similarity(blank, blank, 0.9) < 0.1
    assert similarity(blank, thumbnail(photograph(0)), 0.9) < 0.1


def test_it_is_between_0_and_1_also_for_a_negative():
    image = thumbnail(photograph(0))
    assert similarity(image, 255 - image, 0.9) == 0.0


@pytest.mark.parametrize(("dx", "dy"), [(2, 0), (0, -2)])
def test_a_shift_is_found(dx, dy):
    image = photograph(1)
    moved = image.transform(image.size, Image.Transform.AFFINE, (1, 0, dx * 200 / 64, 0, 1, dy * 200 / 64))
    grey = [thumbnail(each).astype(float).mean(axis=2) for each in (image, moved)]
    matrix = align(*grey)
    assert np.allclose(matrix[:2, 2], [-dx, -dy], atol=0.3)
    assert np.allclose(matrix[:2, :2], np.eye(2), atol=0.03)


def test_a_large_change_is_no_alignment():
    assert is_small(np.eye(3))
    assert not is_small(np.diag([1.2, 1, 1]))
    assert not is_small(np.array([[1, 0, 9], [0, 1, 0], [0, 0, 1]]))
