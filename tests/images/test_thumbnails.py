import io

import imagehash
import numpy as np
import pytest
from PIL import Image

from benchmarks.scenes import draw_scene
from stages.images.opening import open_image
from stages.images.perceptual_hash import phash
from stages.images.quality import Inspection, Limits, inspect_files, read_file
from stages.images.thumbnails import Small, look_at, read_small, read_view

FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"]


@pytest.fixture(scope="module")
def scene():
    return draw_scene((810, 605), [1], [2], [3])


def encode(image, format_="JPEG", **options):
    stream = io.BytesIO()
    image.save(stream, format_, **options)
    return io.BytesIO(stream.getvalue())


def look(image, format_="JPEG", **options):
    with open_image(encode(image, format_, **options)) as opened:
        return look_at(read_small(opened))


@pytest.mark.slow
@pytest.mark.parametrize("format_", FORMATS)
def test_hash_of_a_reduced_decode_is_nearly_that_of_the_whole_image(scene, format_):
    ours = int(phash(look(scene, format_).thumbnail[None])[0])
    theirs = int(str(imagehash.phash(Image.open(encode(scene, format_)))), 16)
    assert (ours ^ theirs).bit_count() <= 2


@pytest.mark.parametrize("format_", FORMATS)
def test_a_view_has_the_luma_and_colours_of_the_whole_image(scene, format_, tmp_path):
    (tmp_path / "scene").write_bytes(encode(scene, format_).getvalue())
    view = read_view(tmp_path / "scene")
    whole = scene.convert("YCbCr")
    luma, *colours = (np.asarray(whole.resize((side, side), Image.Resampling.BOX), float) for side in (96, 48))
    assert abs(view.luma - luma[..., 0]).mean() < 4
    assert abs(view.chroma - colours[0][..., 1:]).mean() < 4


def test_a_grey_image_has_no_colours(tmp_path):
    for format_ in ("PNG", "JPEG"):
        Image.effect_noise((300, 200), 50).save(tmp_path / "grey", format_)
        assert (read_view(tmp_path / "grey").chroma == 128).all()


def test_a_view_is_upright(tmp_path):
    page = Image.new("RGB", (400, 300), "white")
    page.paste("red", (0, 0, 200, 300))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise: its left half is then on top
    page.save(tmp_path / "turned.jpg", exif=exif)
    view = read_view(tmp_path / "turned.jpg")
    assert view.luma[:40].max() < 100 < 250 < view.luma[-40:].min()
    assert view.chroma[:20, :, 1].min() > 200
    assert abs(view.chroma[-20:].astype(int) - 128).max() < 3


def test_a_small_image_is_enlarged_not_reduced():
    assert look(Image.effect_noise((40, 33), 50), "PNG").thumbnail.shape == (32, 32)


@pytest.mark.parametrize("size", [(4000, 40), (40, 4000), (129, 64), (1, 1)])
def test_every_shape_has_a_look(size):
    for format_ in ("PNG", "JPEG"):
        seen = look(Image.effect_noise(size, 50), format_)
        assert seen.thumbnail.shape == (32, 32)
        assert np.isfinite(seen.sharpness)


def test_a_part_of_a_square_at_the_edge_counts_as_a_part():
    # 1000 = 7 * 142 + 6: without the exact extent, the last column would count as a whole one.
    ramp = Image.fromarray(np.tile(np.linspace(0, 255, 1000).astype(np.uint8), (1000, 1)))
    whole = np.asarray(ramp.resize((32, 32), Image.Resampling.LANCZOS)).astype(int)
    assert abs(look(ramp, "PNG").thumbnail.astype(int) - whole).max() <= 1


def test_orientation_turns_thumbnail_and_view_alike(scene):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = look(scene, "PNG", exif=exif)
    plain = look(scene, "PNG")
    np.testing.assert_array_equal(turned.thumbnail, np.rot90(plain.thumbnail, -1))
    np.testing.assert_array_equal(turned.view.luma, np.rot90(plain.view.luma, -1))
    np.testing.assert_array_equal(turned.view.chroma, np.rot90(plain.view.chroma, -1))


def test_blur_lowers_sharpness_and_neither_contrast_nor_size_does(scene):
    from PIL import ImageEnhance, ImageFilter

    sharp = look(scene).sharpness
    assert look(scene.filter(ImageFilter.GaussianBlur(12))).sharpness < sharp / 5
    assert look(ImageEnhance.Contrast(scene).enhance(0.5)).sharpness == pytest.approx(sharp, rel=0.2)
    assert look(scene.resize((1620, 1210))).sharpness == pytest.approx(sharp, rel=0.35)


def test_an_image_too_large_to_hold_is_found_like_the_others(tmp_path):
    limits = Limits(min_side=32, max_megapixels=100, max_aspect=5, max_frames=1, min_contrast=0, min_sharpness=0)
    noise = np.random.default_rng(0).integers(0, 256, (70, 20_000, 3), dtype=np.uint8)
    paths = [tmp_path / "strip.png", tmp_path / "part.png"]
    for path, width in zip(paths, (20_000, 1_000), strict=True):
        Image.fromarray(noise[:, :width]).save(path)
    assert isinstance(read_file(paths[0], limits), Inspection)
    assert isinstance(read_file(paths[1], limits), Small)
    strip, part = inspect_files(paths, limits)
    assert (strip.reason, part.reason) == ("extreme aspect", "extreme aspect")
    assert strip.can_be_kept
    assert strip.thumbnail.std() > 0
