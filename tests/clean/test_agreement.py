import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from stages.clean.agreement import compare, compare_views, lay, measure
from stages.clean.alignment import align, scaled, warp
from stages.clean.prepared import measure_texture, prepare
from stages.images.thumbnails import read_view


@pytest.fixture
def agree(tmp_path):
    """Return how far two images agree."""

    def agree(one, other):
        for name, image in (("one", one), ("other", other)):
            image.save(tmp_path / name, "PNG")
        return compare(*(prepare(read_view(tmp_path / name)) for name in ("one", "other")))

    return agree


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
        for n in (3, 6, 12, 25, 50, 100, 200)
    ]
    grey = sum(layer * 0.85**number for number, layer in enumerate(layers))
    colour = np.stack([grey, grey * 0.8 + 0.2, 0.5 - grey * 0.5], axis=2)
    return Image.fromarray((128 + 30 * colour).clip(0, 255).astype(np.uint8))


CHANGES = {
    "resize": lambda image: image.resize((140, 180)),
    "brightness": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.6),
    "grey": ImageOps.grayscale,
    "crop 2 %": lambda image: cut(image, 0.02),
    "crop 5 %": lambda image: cut(image, 0.05),
    "turned": lambda image: image.rotate(2, Image.Resampling.BICUBIC),
    "turned on white": lambda image: image.rotate(-2, Image.Resampling.BICUBIC, fillcolor="white"),
    "watermark": watermarked,
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_of_a_photograph_agrees(agree, seed, change):
    image = photograph(seed)
    found = agree(image, CHANGES[change](image))
    assert found.is_textured
    assert found.similarity >= 0.85
    assert found.likeness >= 0.85
    assert found.changed <= 0.1


@pytest.mark.parametrize("seed", range(6))
def test_other_photographs_do_not(agree, seed):
    found = agree(photograph(seed), photograph(seed + 100))
    assert found.similarity < 0.3
    assert found.likeness < 0.3


def garment(print_seed, cloth_seed=0):
    """A light shirt on a dark cloth; only its print differs between garments."""
    page = photograph(cloth_seed).point(lambda level: level // 3)
    draw = ImageDraw.Draw(page)
    draw.polygon([(40, 40), (160, 40), (190, 90), (160, 100), (160, 180), (40, 180), (40, 100), (10, 90)], "#d8d8d8")
    spots = np.random.default_rng(print_seed).integers(50, 140, (60, 2))
    for x, y in spots:
        draw.line((x, y, x + 9, y + 7), "#204080", 2)
    return page


def test_a_garment_with_another_print_is_not_the_same(agree):
    assert agree(garment(1), garment(2)).similarity < 0.85
    assert agree(garment(1, cloth_seed=1), garment(2, cloth_seed=2)).similarity < 0.85


def face(mouth="smile", colour="#ffcc00", eyes="black"):
    page = Image.new("RGB", (200, 200), "white")
    draw = ImageDraw.Draw(page)
    draw.ellipse((20, 20, 180, 180), colour, "black", 4)
    for x in (70, 120):
        draw.ellipse((x, 70, x + 14, 90), eyes)
    if mouth == "smile":
        draw.arc((60, 80, 140, 150), 20, 160, "black", 5)
    else:
        draw.ellipse((85, 120, 115, 150), "red", "black", 4)
    return page


def test_a_copy_of_a_drawing_is_unchanged(agree):
    for change in ("resize", "contrast", "grey", "crop 2 %"):
        found = agree(face(), CHANGES[change](face()))
        assert (found.is_textured, found.changed) == (False, 0), change
        assert found.similarity >= 0.85


@pytest.mark.parametrize(
    "other",
    [{"mouth": "round"}, {"colour": "#40c040"}, {"colour": "#3060ff"}, {"colour": "#fff6cc"}, {"colour": "white"}],
)
def test_another_mouth_or_colour_makes_another_drawing_that_is_alike(agree, other):
    found = agree(face(), face(**other))
    assert found.likeness >= 0.85
    assert found.changed > 0.002


def test_of_photographs_nearly_all_is_textured_and_of_a_line_of_text_little(tmp_path):
    page = Image.new("RGB", (400, 300), "#eeeeee")
    ImageDraw.Draw(page).text((90, 130), "Image not available", fill="#888888", font_size=26)
    for name, image in (("page.png", page), ("photograph.png", photograph(0))):
        image.save(tmp_path / name)
    assert measure_texture(read_view(tmp_path / "page.png")) < 0.2
    assert measure_texture(read_view(tmp_path / "photograph.png")) > 0.9


def test_the_order_of_two_images_does_not_matter(agree):
    flat = photograph(5)
    flat.paste("#808080", (40, 40, 150, 150))
    for image in (photograph(4), flat, face()):
        for change in ("crop 5 %", "turned", "watermark"):
            other = CHANGES[change](image)
            assert agree(image, other) == agree(other, image), change


def test_a_negative_and_an_image_without_content_agree_with_nothing(agree):
    image, blank = photograph(0), Image.new("RGB", (200, 200), "white")
    assert agree(image, ImageOps.invert(image)).similarity == 0
    assert agree(blank, blank)[:2] == (0, 0)
    assert agree(blank, image)[:2] == (0, 0)


def test_files_are_read_only_if_their_view_is_not_known(tmp_path):
    paths = [tmp_path / "one.png", tmp_path / "mirror.png"]
    photograph(0).save(paths[0])
    ImageOps.mirror(photograph(0)).save(paths[1])
    pairs = pd.DataFrame({"first": [0, 0], "second": [1, 1], "distance": [0, 0], "form": ["mirror", "plain"]})
    known = {path: read_view(path) for path in paths}
    read = compare_views(pairs, paths, {})
    assert read["similarity"].iloc[0] > 0.95 > 0.5 > read["similarity"].iloc[1]
    for path in paths:
        path.unlink()
    pd.testing.assert_frame_equal(compare_views(pairs, paths, known), read)
    assert compare_views(pairs.iloc[:0], paths, {})["similarity"].tolist() == []


def grey(image):
    return np.asarray(image.convert("L").resize((48, 48), Image.Resampling.BILINEAR))


@pytest.mark.parametrize(("dx", "dy"), [(2, 0), (0, -2)])
def test_a_shift_is_found(dx, dy):
    image = photograph(1)
    moved = image.transform(image.size, Image.Transform.AFFINE, (1, 0, dx * 200 / 48, 0, 1, dy * 200 / 48))
    matrix = align(grey(image), grey(moved))
    middle = np.full(2, 23.5)
    assert np.allclose(matrix[:, :2] @ middle + matrix[:, 2] - middle, [-dx, -dy], atol=0.3)


def test_a_large_change_and_nothing_in_common_are_no_alignment():
    image = photograph(1)
    assert align(grey(image), grey(cut(image, 0.3))) is None
    assert align(grey(image), np.zeros((48, 48), np.uint8)) is None


def test_a_map_between_small_images_leads_to_the_same_places_of_large_ones():
    matrix = np.array([[1.1, 0, -2], [0, 0.9, 1]], dtype=np.float32)
    small = np.asarray(photograph(2).convert("L").resize((48, 48)))
    large = np.asarray(Image.fromarray(small).resize((96, 96), Image.Resampling.BILINEAR))
    halved = np.asarray(Image.fromarray(warp(large, scaled(matrix, 2))).resize((48, 48), Image.Resampling.BOX))
    inner = np.s_[6:-6, 6:-6]
    assert abs(halved[inner].astype(int) - warp(small, matrix)[inner]).mean() < 3


def test_what_lies_outside_after_the_alignment_does_not_count(tmp_path):
    image = photograph(3)
    image.save(tmp_path / "one.png")
    cut(image, 0.05).save(tmp_path / "other.png")
    one, other = (prepare(read_view(tmp_path / name)) for name in ("one.png", "other.png"))
    assert measure(lay(one, other, align(one.small, other.small))).changed == 0
