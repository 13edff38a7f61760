import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from stages.images import reading
from stages.images.reading import (
    ORIENTATION,
    UnusableImage,
    decode,
    open_image,
    read_orientation,
    read_pixels,
    read_upright,
    reduce_decoding,
    resample,
    to_rgb,
)  # fmt: skip
from stages.images.thumbnails import read_view

LANCZOS = Image.Resampling.LANCZOS
ORIENTATIONS = range(1, 9)


def pad(image, size):
    fitted = ImageOps.contain(image, size, LANCZOS)
    page = Image.new("RGB", size, "white")
    page.paste(fitted, ((size[0] - fitted.width) // 2, (size[1] - fitted.height) // 2))
    return page


PLAIN = {
    "center": lambda image, size: ImageOps.fit(image, size, LANCZOS),
    "letterbox": pad,
    "none": lambda image, size: image.resize(size, LANCZOS),
}
crops = pytest.mark.parametrize("crop", PLAIN)


def read_plainly(path, size, crop):
    """Return what `read_pixels` should return, by decoding the whole image and turning it first."""
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    return np.asarray(PLAIN[crop](upright, size[::-1]))


def largest_difference(a, b):
    return np.abs(a.astype(int) - b.astype(int)).max()


def psnr(a, b):
    return 10 * np.log10(255**2 / np.square(a.astype(float) - b.astype(float)).mean())


def save_turned(image, path, orientation):
    """Store an upright image the way a camera held in this orientation does."""
    back = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 7: Image.Transpose.TRANSVERSE, **back,
    }  # fmt: skip
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = image.transpose(turns[orientation]) if orientation in turns else image
    stored.save(path, exif=exif)


@crops
@pytest.mark.parametrize("ending", ["png", "webp", "tif"])
def test_every_orientation_reads_as_the_upright_image(tmp_path, draw, crop, ending):
    path = tmp_path / f"image.{ending}"
    for orientation in ORIENTATIONS:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        draw(0, (60, 40)).save(path, exif=exif, **({"lossless": True} if ending == "webp" else {}))
        assert largest_difference(read_pixels(path, (24, 36), crop), read_plainly(path, (24, 36), crop)) <= 2


@crops
def test_an_image_reads_the_same_however_the_camera_stored_it(tmp_path, draw, crop):
    save_turned(draw(0, (60, 40)), tmp_path / "upright.png", 1)
    upright = read_pixels(tmp_path / "upright.png", (20, 20), crop)
    for orientation in ORIENTATIONS:
        save_turned(draw(0, (60, 40)), tmp_path / "turned.png", orientation)
        assert largest_difference(read_pixels(tmp_path / "turned.png", (20, 20), crop), upright) <= 2


@crops
def test_a_photograph_is_turned_and_reduced_at_once(tmp_path, draw, crop):
    for orientation in ORIENTATIONS:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        draw(0, (640, 400)).save(tmp_path / "image.jpg", quality=95, exif=exif)
        plain = read_plainly(tmp_path / "image.jpg", (32, 48), crop)
        assert psnr(read_pixels(tmp_path / "image.jpg", (32, 48), crop), plain) > 35


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_the_whole_image_is_turned_upright(tmp_path, draw, orientation, ending):
    save_turned(draw(0, (60, 40)), tmp_path / f"image.{ending}", orientation)
    whole = read_upright(tmp_path / f"image.{ending}")
    assert whole.mode == "RGB"
    assert np.array_equal(whole, draw(0, (60, 40)))


def test_the_whole_image_is_decoded_at_full_size_over_white(tmp_path, draw):
    draw(0, (1000, 700)).save(tmp_path / "image.jpg")
    with Image.open(tmp_path / "image.jpg") as image:
        assert np.array_equal(read_upright(tmp_path / "image.jpg"), image)
    flat("RGBA", (255, 0, 0, 0)).save(tmp_path / "image.png")
    assert read_upright(tmp_path / "image.png").getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_an_orientation_that_does_not_exist_counts_as_upright(tmp_path, draw, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    draw(0).save(tmp_path / "image.png", exif=exif)
    draw(0).save(tmp_path / "plain.png")
    with open_image(tmp_path / "image.png") as image:
        assert read_orientation(image) == 1
    pixels = read_pixels(tmp_path / "image.png", (20, 30), "center")
    assert np.array_equal(pixels, read_pixels(tmp_path / "plain.png", (20, 30), "center"))


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0garbage"])
def test_damaged_metadata_says_nothing_about_the_pixels(tmp_path, draw, exif):
    draw(0).save(tmp_path / "image.jpg", exif=exif)
    draw(0).save(tmp_path / "plain.jpg")
    pixels = read_pixels(tmp_path / "image.jpg", (20, 30), "center")
    assert np.array_equal(pixels, read_pixels(tmp_path / "plain.jpg", (20, 30), "center"))


def flat(mode, value, size=(8, 8)):
    return Image.new(mode, size, value)


def palette(transparency):
    image = flat("P", 1)
    image.putpalette([0, 0, 0, 0, 0, 255])
    image.info["transparency"] = transparency
    return image


def grey16(value):
    return Image.fromarray(np.full((8, 8), value, dtype=np.uint16))


@pytest.mark.parametrize(
    ("image", "ending", "expected"),
    [
        (flat("RGB", (1, 2, 3)), "png", (1, 2, 3)),
        (flat("RGBA", (255, 0, 0, 0)), "png", (255, 255, 255)),
        (flat("RGBA", (255, 0, 0, 128)), "png", (255, 127, 127)),
        (flat("RGBA", (255, 0, 0, 255)), "png", (255, 0, 0)),
        (flat("RGBA", (0, 0, 0, 0)), "webp", (255, 255, 255)),
        (flat("LA", (0, 0)), "png", (255, 255, 255)),
        (flat("LA", (0, 128)), "png", (127, 127, 127)),
        (flat("LA", (7, 255)), "png", (7, 7, 7)),
        (palette(0), "png", (0, 0, 255)),
        (palette(1), "png", (255, 255, 255)),
        (palette(bytes([255, 128])), "png", (127, 127, 255)),
        (palette(1), "gif", (255, 255, 255)),
        (flat("L", 9), "png", (9, 9, 9)),
        (flat("1", 0), "png", (0, 0, 0)),
        (flat("1", 1), "png", (255, 255, 255)),
        (grey16(0), "png", (0, 0, 0)),
        (grey16(100 * 257), "png", (100, 100, 100)),
        (grey16(65535), "png", (255, 255, 255)),
        (grey16(65535), "tif", (255, 255, 255)),
        (flat("CMYK", (0, 255, 255, 0)), "tif", (255, 0, 0)),
        (flat("CMYK", (0, 0, 0, 0)), "jpg", (255, 255, 255)),
        (flat("CMYK", (0, 0, 0, 255)), "jpg", (0, 0, 0)),
        (flat("LAB", (255, 128, 128)), "tif", (255, 255, 255)),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else str(value),
)
def test_every_kind_of_pixel_becomes_rgb_over_white(tmp_path, image, ending, expected):
    options = {"transparency": image.info["transparency"]} if image.mode == "P" else {}
    image.save(tmp_path / f"image.{ending}", **options)
    pixels = read_pixels(tmp_path / f"image.{ending}", (3, 5), "none")
    assert pixels.dtype == np.uint8
    assert largest_difference(pixels, np.broadcast_to(expected, (3, 5, 3))) <= 1


@pytest.mark.parametrize(("mode", "transparent", "other"), [("RGB", (9, 0, 0), (8, 0, 0)), ("L", 9, 8)])
def test_a_colour_declared_transparent_becomes_white(tmp_path, mode, transparent, other):
    for colour in (transparent, other):
        flat(mode, colour).save(tmp_path / "image.png", transparency=transparent)
        pixels = read_pixels(tmp_path / "image.png", (1, 1), "none")
        assert (pixels[0, 0] == 255).all() == (colour == transparent)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGBa", "L"])
def test_transparency_is_laid_on_white_a_strip_at_a_time(draw, monkeypatch, mode):
    image = draw(1, (50, 40))
    image.putalpha(draw(2, (50, 40), "L"))
    image = image.convert({"P": "RGB", "L": "L"}.get(mode, mode))
    if mode in "PL":
        image = image.quantize(8) if mode == "P" else image
        image.info["transparency"] = image.getpixel((3, 3))
    whole = to_rgb(image)
    monkeypatch.setattr(reading, "STRIP_PIXELS", 170)  # 3 rows, the last strip has one
    assert to_rgb(image).tobytes() == whole.tobytes()
    assert whole.mode == "RGB"


def test_pixels_without_a_stated_range_are_refused(tmp_path):
    with pytest.raises(UnusableImage, match=r"^unsupported: floating-point pixels$"):
        to_rgb(flat("F", 0.5))
    flat("I", 200).save(tmp_path / "image.tif")
    with pytest.raises(UnusableImage, match=r"^unsupported: pixels of 32 bits$"):
        read_upright(tmp_path / "image.tif")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize(
    ("depth", "row", "key", "shown"),
    [
        (1, bytes([0b01110000]), 0, [255, 255, 255, 255]),
        (2, bytes([0b01101010]), 1, [255, 170, 170, 170]),
        (4, bytes([0x39, 0x99]), 3, [255, 153, 153, 153]),
        (8, bytes([7, 9, 9, 9]), 7, [255, 9, 9, 9]),
        (16, struct.pack(">4H", 7, 2570, 2570, 2570), 7, [255, 10, 10, 10]),
    ],
)
def test_a_transparent_grey_of_any_depth_becomes_white(tmp_path, depth, row, key, shown):
    header = struct.pack(">IIBBBBB", 4, 1, depth, 0, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"tRNS", struct.pack(">H", key))
    content += chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")
    (tmp_path / "image.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    assert np.asarray(read_upright(tmp_path / "image.png"))[0, :, 0].tolist() == shown


@pytest.mark.parametrize(("photometric", "expected"), [(0, 251), (1, 3)])
def test_a_tiff_of_16_bits_may_count_from_white(tmp_path, photometric, expected):
    Image.fromarray(np.full((4, 4), 1000, np.uint16)).save(tmp_path / "image.tif", tiffinfo={262: photometric})
    content = bytearray((tmp_path / "image.tif").read_bytes())
    entry = content.index(struct.pack("<HHI", 262, 3, 1))
    content[entry + 8 : entry + 10] = struct.pack("<H", photometric)
    (tmp_path / "image.tif").write_bytes(content)
    assert np.asarray(read_upright(tmp_path / "image.tif"))[0, 0].tolist() == [expected] * 3


def rotated_primaries():
    """Return a profile in which green and blue have changed places, so that ignoring it cannot go unseen."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    entries = {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * profile[131], 12)}
    green, blue = (entries[name] for name in (b"gXYZ", b"bXYZ"))
    profile[green : green + 4], profile[blue : blue + 4] = b"bXYZ", b"gXYZ"
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be"))


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "webp"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_colour_profile_is_followed(tmp_path, ending, mode):
    if (ending, mode) == ("jpg", "RGBA"):
        mode = "RGB"
    colour = (250, 40, 120, 255)[: len(mode)]
    for name, profile in (("own", rotated_primaries()), ("none", None), ("broken", b"no profile")):
        Image.new(mode, (64, 64), colour).save(tmp_path / f"{name}.{ending}", icc_profile=profile, quality=95)
    own, none, broken = (
        np.asarray(read_pixels(tmp_path / f"{name}.{ending}", (8, 8), "none"))[4, 4].astype(int)
        for name in ("own", "none", "broken")
    )
    assert np.abs(own - none[[0, 2, 1]]).max() <= 4
    assert np.array_equal(broken, none)
    views = [read_view(tmp_path / f"{name}.{ending}") for name in ("own", "none")]
    assert np.abs(views[0].chroma.astype(int) - views[1].chroma).max() > 20


def test_a_profile_of_another_kind_of_image_is_no_matter(tmp_path):
    Image.new("L", (8, 8), 90).save(tmp_path / "image.png", icc_profile=rotated_primaries())
    assert np.asarray(read_upright(tmp_path / "image.png"))[0, 0].tolist() == [90, 90, 90]


@crops
@pytest.mark.parametrize("stored", [(1, 1), (1, 200), (200, 1), (7, 5), (333, 111), (640, 479)])
@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_the_result_has_exactly_the_asked_size(tmp_path, draw, crop, stored, ending):
    draw(0, stored).save(tmp_path / f"image.{ending}")
    for size in [(1, 1), (1, 7), (31, 17), (96, 96), (224, 3)]:
        assert read_pixels(tmp_path / f"image.{ending}", size, crop).shape == (*size, 3)


@crops
@pytest.mark.parametrize("stored", [(60, 40), (41, 61), (33, 33), (20, 90)])
@pytest.mark.parametrize("size", [(24, 36), (48, 16), (100, 100)])
def test_each_crop_is_what_pillow_makes_of_it(tmp_path, draw, crop, stored, size):
    draw(0, stored).save(tmp_path / "image.png")
    pixels = read_pixels(tmp_path / "image.png", size, crop)
    assert largest_difference(pixels, read_plainly(tmp_path / "image.png", size, crop)) <= 2


def test_an_image_of_the_asked_size_is_not_changed(tmp_path, draw):
    draw(0, (31, 17)).save(tmp_path / "image.png")
    for crop in PLAIN:
        assert np.array_equal(read_pixels(tmp_path / "image.png", (17, 31), crop), np.asarray(draw(0, (31, 17))))


def test_center_cuts_both_ends_of_the_longer_side(tmp_path):
    image = flat("RGB", (0, 0, 0), (40, 20))
    image.paste((255, 255, 255), (10, 0, 30, 20))
    image.save(tmp_path / "image.png")
    assert (read_pixels(tmp_path / "image.png", (20, 20), "center") == 255).all()
    image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "image.png")
    assert (read_pixels(tmp_path / "image.png", (20, 20), "center") == 255).all()


def test_letterbox_centres_the_whole_image_on_white(tmp_path):
    flat("RGB", (0, 0, 0), (40, 20)).save(tmp_path / "image.png")
    pixels = read_pixels(tmp_path / "image.png", (20, 20), "letterbox")
    assert (pixels[:5] == 255).all()
    assert (pixels[5:15] == 0).all()
    assert (pixels[15:] == 255).all()
    tall = read_pixels(tmp_path / "image.png", (40, 20), "letterbox")
    assert (tall[15:25] == 0).all()
    assert (tall[:15] == 255).all()
    assert (tall[25:] == 255).all()


def test_letterbox_adds_nothing_where_the_shape_fits(tmp_path):
    flat("RGB", (0, 0, 0), (40, 20)).save(tmp_path / "image.png")
    assert (read_pixels(tmp_path / "image.png", (10, 20), "letterbox") == 0).all()


def test_letterbox_shows_a_hairline(tmp_path):
    flat("RGB", (0, 0, 0), (1000, 1)).save(tmp_path / "image.png")
    pixels = read_pixels(tmp_path / "image.png", (9, 9), "letterbox")
    assert [row.max() for row in pixels] == [255] * 4 + [0] + [255] * 4


@crops
@pytest.mark.parametrize("size", [(24, 36), (48, 16), (30, 30)])
@pytest.mark.parametrize("edges", [(0, 0, 61, 60), (10, 0, 50, 60), (7, 20, 61, 50), (30, 30, 31, 60)])
def test_a_part_is_cut_as_an_image_of_that_part_alone(crop, size, edges):
    # The resampling also sees what lies just outside of the part: less than a pixel's step of 4 on these slopes.
    down = Image.linear_gradient("L").resize((61, 60))
    right = Image.linear_gradient("L").transpose(Image.Transpose.ROTATE_90).resize((61, 60))
    image = Image.merge("RGB", (down, right, down))
    alone = image.crop(edges)
    part, expected = resample(image, edges, size, crop), resample(alone, (0, 0, *alone.size), size, crop)
    assert part.size == expected.size
    assert largest_difference(np.asarray(part), np.asarray(expected)) <= 2


def test_a_part_takes_its_pixels_from_its_place(draw):
    image = draw(0, (61, 60))
    for crop in PLAIN:
        assert np.array_equal(resample(image, (10, 20, 40, 50), (30, 30), crop), image.crop((10, 20, 40, 50)))
    assert np.array_equal(resample(image, (10, 20, 40, 50), (30, 10), "center"), image.crop((10, 30, 40, 40)))
    assert np.array_equal(resample(image, (10, 20, 40, 50), (10, 30), "center"), image.crop((20, 20, 30, 50)))


@crops
@pytest.mark.parametrize("stored", [(1000, 700), (701, 1001)])
def test_reduced_decoding_looks_as_the_full_one(tmp_path, draw, crop, stored):
    draw(0, stored).save(tmp_path / "image.jpg", quality=95)
    pixels = read_pixels(tmp_path / "image.jpg", (96, 96), crop)
    assert psnr(pixels, read_plainly(tmp_path / "image.jpg", (96, 96), crop)) > 35


@pytest.mark.parametrize(
    ("mode", "stored", "size", "extent"),
    [
        ("RGB", (1000, 700), (96, 96), (500, 350)),
        ("RGB", (1001, 701), (96, 96), (500.5, 350.5)),
        ("RGB", (1000, 1000), (62, 62), (125, 125)),
        ("RGB", (1000, 1000), (63, 63), (250, 250)),
        ("RGB", (1000, 1000), (250, 250), (500, 500)),
        ("RGB", (1000, 1000), (251, 251), (1000, 1000)),
        ("L", (1000, 700), (96, 96), (1000, 700)),
        ("CMYK", (1000, 700), (96, 96), (1000, 700)),
    ],
)
def test_decoding_leaves_twice_the_asked_size(tmp_path, draw, mode, stored, size, extent):
    draw(0, stored, mode).save(tmp_path / "image.jpg")
    with open_image(tmp_path / "image.jpg") as image:
        assert reduce_decoding(image, size) == extent
        assert decode(image).size == tuple(int(np.ceil(side)) for side in extent)


def encoded(image, format_):
    stream = io.BytesIO()
    image.save(stream, format_)
    return stream.getvalue()


@pytest.mark.parametrize(
    "content", [b"no image", b"", b"<svg></svg>", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a"]
)
def test_what_is_no_image_is_unreadable(tmp_path, content):
    (tmp_path / "image.png").write_bytes(content)
    with pytest.raises(UnusableImage, match=r"^unreadable: ") as caught:
        open_image(tmp_path / "image.png")
    assert caught.value.reason == "unreadable"


@pytest.mark.parametrize("format_", ["PNG", "JPEG"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_an_image_cut_short_is_truncated(tmp_path, draw, format_, share):
    content = encoded(draw(0, (200, 200)), format_)
    (tmp_path / "image").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UnusableImage, match=r"^truncated: ") as caught:
        read_pixels(tmp_path / "image", (8, 8), "center")
    assert caught.value.reason == "truncated"


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
def test_no_cut_of_an_image_is_a_crash(tmp_path, draw, format_):
    content = encoded(draw(0, (30, 20)), format_)
    path = tmp_path / "image"
    for length in range(0, len(content), max(1, len(content) // 60)):
        path.write_bytes(content[:length])
        try:
            assert read_pixels(path, (8, 8), "none").shape == (8, 8, 3)
        except UnusableImage as error:
            assert error.reason in ("unreadable", "truncated")
