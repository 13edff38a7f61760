import io
import struct

import numpy as np
import pytest
from PIL import Image

from stages.images.formats import READ_BRANDS, check_type, check_whole
from stages.images.opening import UnusableImage
from tests.corpus.damage import mutate


def encode(format_, image=None, **options):
    stream = io.BytesIO()
    (image or Image.effect_noise((40, 30), 60)).save(stream, format_, **options)
    return stream.getvalue()


FILES = {
    "PNG": encode("PNG"),
    "PNG of a palette": encode("PNG", Image.effect_noise((40, 30), 60).convert("P")),
    "GIF": encode("GIF"),
    "GIF of two": encode("GIF", save_all=True, append_images=[Image.new("L", (40, 30))]),
    "BMP": encode("BMP", Image.effect_noise((41, 30), 60).convert("RGB")),
    "BMP in grey": encode("BMP"),
    "JPEG": encode("JPEG"),
    "WEBP": encode("WEBP"),
    "TIFF": encode("TIFF"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_whole_file_passes(name):
    check_type(FILES[name])
    check_whole(FILES[name])


@pytest.mark.parametrize("name", [name for name in FILES if name[:3] in ("PNG", "GIF", "BMP")])
def test_a_file_cut_anywhere_is_truncated(name):
    content = FILES[name]
    for length in [*range(30, len(content) - 1, 37), len(content) - 1]:
        with pytest.raises(UnusableImage, match="truncated"):
            check_whole(content[:length])


@pytest.mark.parametrize("position", [16, 30, 60, -5])
def test_a_png_of_a_wrong_checksum_is_unreadable(position):
    content = bytearray(FILES["PNG"])
    content[position] ^= 1
    with pytest.raises(UnusableImage, match=r"unreadable: PNG chunk '....' with a wrong checksum"):
        check_whole(bytes(content))


def test_bytes_after_the_end_of_a_png_are_no_matter():
    check_whole(FILES["PNG"] + b"more")


def test_a_gif_with_a_block_of_unknown_kind_is_unreadable():
    content = FILES["GIF"]
    with pytest.raises(UnusableImage, match="unreadable: GIF block of unknown kind 7 at byte"):
        check_whole(content[:-1] + b"\x07;")


@pytest.mark.parametrize("more", [b"\0\0", b"a colour profile" * 20])
def test_a_bmp_may_go_on_behind_its_pixels(more):
    check_whole(FILES["BMP"] + more)


def test_images_that_are_not_read_are_not_called_videos():
    with pytest.raises(UnusableImage, match=r"^unsupported: CR3, .*; as JPEG it can be read$"):
        check_type(struct.pack(">I", 24) + b"ftypcrx ")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"<!DOCTYPE html><html>", "an HTML page"),
        (b"\xef\xbb\xbf\n  <HTML>", "an HTML page"),
        (b"%PDF-1.7", "a PDF"),
        (b"PK\x03\x04", "a zip archive"),
        (struct.pack(">I", 24) + b"ftypisom", "an MP4 video"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "a pointer of Git LFS"),
        (b'{"error": 404}', "a JSON text"),
        (b"<svg xmlns=", "an SVG drawing"),
    ],
)
def test_what_is_no_image_is_of_the_wrong_type(content, name):
    with pytest.raises(UnusableImage, match=f"wrong type: {name}"):
        check_type(content)


@pytest.mark.parametrize("brand", READ_BRANDS)
def test_an_image_of_the_same_container_as_a_video_passes(brand):
    check_type(struct.pack(">I", 24) + b"ftyp" + brand)


@pytest.fixture(scope="module")
def fuzzed():
    """Return ten mutations of each of fifty images, as (format, bytes)."""
    rng = np.random.default_rng(0)
    kinds = ["JPEG", "PNG", "GIF", "BMP", "WEBP"]
    modes = {
        "JPEG": ["RGB", "L", "CMYK"],
        "PNG": ["RGB", "RGBA", "P", "L"],
        "GIF": ["P"],
        "BMP": ["RGB"],
        "WEBP": ["RGB"],
    }
    mutated = []
    for number in range(50):
        kind = kinds[number % 5]
        coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize(
            (90, 70), Image.Resampling.BICUBIC
        )
        noisy = np.asarray(coarse) ^ rng.integers(0, 8, (70, 90, 3), dtype=np.uint8)
        choices = modes.get(kind, ["RGB"])
        content = encode(kind, Image.fromarray(noisy).convert(choices[number // 5 % len(choices)]))
        mutated += [(kind, mutate(content, way, rng)) for way in range(10)]
    return mutated


@pytest.mark.usefixtures("tensors")
def test_whatever_is_kept_of_500_damaged_files_decodes_in_tensorflow(fuzzed, tmp_path, clean_limits):
    import tensorflow as tf

    from stages.images.quality import inspect_files

    kept = 0
    for number, (kind, content) in enumerate(fuzzed):
        path = tmp_path / f"{number}.img"
        path.write_bytes(content)
        (finding,) = inspect_files([path], clean_limits)
        if not finding.reason:
            kept += 1
            decode = tf.raw_ops.DecodeWebP if kind == "WEBP" else tf.raw_ops.DecodeImage
            # TensorFlow refuses what may follow the pixels of a BMP.
            read = content[: end_of_bmp(content)] if kind == "BMP" else content
            assert decode(contents=read).shape[-1] in (1, 3, 4)
    assert len(fuzzed) == 500
    assert 50 < kept < 450


def end_of_bmp(content):
    """Return where the pixels of a BMP end by its header."""
    start, _, width, height, _, depth = struct.unpack_from("<IIiiHH", content, 10)
    return start + (width * depth + 31) // 32 * 4 * abs(height)


@pytest.fixture
def clean_limits():
    from stages.images.quality import Limits

    return Limits(min_side=32, max_megapixels=100, max_aspect=50, max_frames=100, min_contrast=0, min_sharpness=0)
