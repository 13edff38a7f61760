"""What a file may do when it is opened and decoded: start nothing, and take bounded time and memory."""

import errno
import io
import os
import struct
import subprocess
import sys
import threading
import zlib

import pytest
from PIL import Image

from stages.images.opening import FORMATS, MOST_SCANS, SCAN, UnusableImage, decode, in_turn, open_image
from stages.images.reading import read_orientation, read_pixels
from stages.images.thumbnails import read_view
from tests.repositories import ROOT

EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 20 20
%%EndComments
showpage
%%EOF
"""


@pytest.fixture
def ghostscript(tmp_path, monkeypatch):
    """Put a stand-in for Ghostscript first on PATH; return the file that it writes if it is started."""
    folder, trace = tmp_path / "bin", tmp_path / "started"
    folder.mkdir()
    for name in ("gs", "gswin64c"):
        (folder / name).write_text(f"#!/bin/sh\ntouch {trace}\nexit 1\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)  # what Pillow remembers of an earlier search
    return trace


def test_the_stand_in_is_what_pillow_would_start(ghostscript):
    with pytest.raises((OSError, subprocess.CalledProcessError)), Image.open(io.BytesIO(EPS)) as image:
        image.load()
    assert ghostscript.exists()


@pytest.mark.parametrize("name", ["drawing.eps", "photo.jpg", "photo.png"])
def test_a_drawing_in_postscript_starts_nothing_whatever_its_name(name, ghostscript, tmp_path):
    (tmp_path / name).write_bytes(EPS)
    with pytest.raises(UnusableImage, match="unreadable: cannot identify image file"):
        read_pixels(tmp_path / name, (8, 8), "none")
    assert not ghostscript.exists()


@pytest.mark.parametrize("format_", sorted({*FORMATS} - {"HEIF"}))  # for which there is no encoder
def test_each_format_that_is_read_is_read_again(format_, draw):
    stream = io.BytesIO()
    draw(1, (24, 16)).save(stream, format_)
    with open_image(stream) as image:
        assert decode(image).size == (24, 16)


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.EMFILE, errno.ESTALE])
def test_a_disk_that_fails_says_nothing_about_the_image(number, draw, tmp_path, monkeypatch):
    class Failing(io.BytesIO):
        def read(self, size=-1):
            if self.tell() >= self.whole:
                raise OSError(number, "the disk")
            return super().read(size)

    stream = io.BytesIO()
    draw(1, (240, 160)).save(stream, "PNG")
    for whole in (0, 100):  # the header fails, and then the pixels
        failing = Failing(stream.getvalue())
        failing.whole = whole
        with pytest.raises(OSError, match="the disk") as raised:
            decode(open_image(failing))
        assert raised.value.errno == number
    with pytest.raises(FileNotFoundError):
        open_image(tmp_path / "none.png")


def test_a_place_before_the_beginning_of_a_file_is_the_images_fault(tmp_path, monkeypatch):
    def seek(*_, **__):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(Image, "open", seek)
    with pytest.raises(UnusableImage, match=r"unreadable: .*Invalid argument"):
        open_image(tmp_path / "damaged.tif")


@pytest.mark.slow
def test_too_little_memory_says_nothing_about_the_image(tmp_path):
    path = tmp_path / "large.png"
    Image.new("RGB", (9000, 6000)).save(path)
    code = f"""
import resource
from pathlib import Path
from stages.images.opening import decode, open_image
decode(open_image(Path({str(path)!r})))
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 100_000_000,) * 2)
decode(open_image(Path({str(path)!r})))
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.stderr.endswith(f"OSError: {path}: expected 216 MB of free memory for 9000x6000, got less.\n")


def icon_of(png, format_):
    """Return an icon whose table says 64x64, and that holds this PNG."""
    if format_ == "ICNS":
        return b"icns" + (16 + len(png)).to_bytes(4, "big") + b"ic12" + (8 + len(png)).to_bytes(4, "big") + png
    return b"\0\0\1\0\1\0" + bytes([64, 64, 0, 0, 1, 0, 32, 0]) + len(png).to_bytes(4, "little") + b"\x16\0\0\0" + png


@pytest.mark.parametrize("format_", ["ICO", "ICNS"])
def test_an_icon_that_hides_a_huge_image_is_not_opened(format_):
    stream = io.BytesIO()
    Image.new("1", (64, 64)).save(stream, "PNG")
    content = icon_of(stream.getvalue(), format_)
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == format_
    with pytest.raises(UnusableImage, match="cannot identify"):
        open_image(io.BytesIO(content))


def test_an_image_of_more_than_200_megapixels_is_not_decoded():
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 26_000, 26_000, 1, 0, 0, 0, 0)
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    with open_image(io.BytesIO(header + struct.pack(">I", 0) + b"IDAT")) as image:
        assert image.size == (26_000, 26_000)
        with pytest.raises(UnusableImage, match="too large: 26000x26000, expected at most 200 megapixels"):
            decode(image)


def test_a_png_too_large_is_not_decoded_for_its_orientation_either():
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 26_000, 26_000, 1, 0, 0, 0, 0)
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    image = open_image(io.BytesIO(header + struct.pack(">I", 0) + b"IDAT"))
    with image, pytest.raises(UnusableImage, match="too large: 26000x26000, expected at most 200 megapixels"):
        read_orientation(image)


def test_a_jpeg_too_large_is_not_decoded_at_a_reduced_size_either(draw, tmp_path):
    stream = io.BytesIO()
    draw(1, (64, 64)).save(stream, "JPEG", progressive=True)
    content = stream.getvalue()
    place = content.index(b"\xff\xc2") + 5  # of height and width in the header of a progressive frame
    (tmp_path / "huge.jpg").write_bytes(content[:place] + struct.pack(">HH", 60_000, 60_000) + content[place + 4 :])
    for read in (lambda path: read_pixels(path, (64, 64), "center"), read_view):
        with pytest.raises(UnusableImage, match="too large: 60000x60000"):
            read(tmp_path / "huge.jpg")


def with_scans(draw, number, progressive):
    """Return a JPEG with so many scans more than it had, copies of its last."""
    stream = io.BytesIO()
    draw(1, (64, 64)).save(stream, "JPEG", progressive=progressive)
    content = stream.getvalue()
    return content[:-2] + content[content.rindex(SCAN) : -2] * number + content[-2:]


@pytest.mark.parametrize("progressive", [True, False])
def test_a_jpeg_of_thousands_of_scans_is_not_decoded(draw, progressive):
    with (
        open_image(io.BytesIO(with_scans(draw, 1000, progressive))) as image,
        pytest.raises(UnusableImage, match=r"unsupported: a JPEG of 10\d\d scans"),
    ):
        decode(image)
    with open_image(io.BytesIO(with_scans(draw, MOST_SCANS // 2 if progressive else 0, progressive))) as image:
        assert decode(image).size == (64, 64)


def test_large_images_are_decoded_one_after_the_other_and_others_beside_them():
    large, small = Image.new("1", (10_000, 6_000)), Image.new("1", (10_000, 4_000))
    entered = []

    def enter(image):
        with in_turn(image):
            entered.append(image)

    with in_turn(large), in_turn(large):  # a thread does not wait for itself
        others = [threading.Thread(target=enter, args=[image]) for image in (large, small)]
        for other in others:
            other.start()
        others[1].join(10)
        assert entered == [small]
    others[0].join(10)
    assert entered == [small, large]
