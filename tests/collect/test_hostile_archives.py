"""Archives made to harm write nothing outside; each is refused, or its member fails, with one line."""

import io
import os
import struct
import tarfile
import zipfile

import pytest

from stages.collect import archive
from stages.collect.run import Collect, run
from stages.core.files import MARK
from stages.core.tables import read_table
from stages.web.client import Fetch

FETCH = Fetch(
    threads=1, per_host=1, per_second=1, timeout_s=1, deadline_s=1, retries=0, max_wait_s=1, max_megabytes=1,
    allow_private=False, user_agent="tester/1.0",
)  # fmt: skip
EVIL = b"evil"
ZEROS = bytes(15_000_000)  # more than the limit of an archive, which is a tenth of the usual one here


def zipped(path, image, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as stream:
        stream.writestr("cat/good.png", image)
        for name, content in members:
            stream.writestr(name, content)


def tarred(path, image, members, mode="w"):
    with tarfile.open(path, mode) as stream:
        for member, content in [("cat/good.png", image), *members]:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            info.size = len(content)
            stream.addfile(info, io.BytesIO(content))


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_of(*names, content=EVIL):
    return lambda path, image: zipped(path, image, [(name, content) for name in names])


def tar_of(*members, content=EVIL, mode="w"):
    return lambda path, image: tarred(path, image, [(member, content) for member in members], mode)


def links_in_a_tar(kind, target):
    return lambda path, image: tarred(path, image, [(special("cat/link.png", kind, target), b"")])


def a_link_and_a_file_behind_it(path, image):
    tarred(path, image, [(special("cat", tarfile.SYMTYPE, ".."), b""), ("cat/evil.png", EVIL)])


def a_link_in_a_zip(path, image):
    info = zipfile.ZipInfo("cat/link.png")
    info.external_attr = 0o120777 << 16
    zipped(path, image, [(info, b"/etc/passwd")])


def lying_about_size(compression):
    def write(path, image):
        zipped(path, image, [("cat/bomb.png", bytes(5_000_000))], compression)
        content, size = path.read_bytes(), struct.pack("<I", 5_000_000)
        assert content.count(size) == 2
        path.write_bytes(content.replace(size, struct.pack("<I", 900_000)))

    return write


def overlapping(path, image):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as stream:
        stream.writestr("cat/good.png", image)
        stream.writestr("cat/0.png", bytes(500_000))
        for number in range(1, 100):
            info = zipfile.ZipInfo(f"cat/{number}.png")
            for field in ("header_offset", "compress_type", "CRC", "compress_size", "file_size"):
                setattr(info, field, getattr(stream.filelist[1], field))
            stream.filelist.append(info)


def patched(write, change):
    def write_and_patch(path, image):
        write(path, image)
        path.write_bytes(change(bytearray(path.read_bytes())))

    return write_and_patch


def encrypt(content):
    for header, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.rindex(header) + offset] |= 1
    return content


def cut(content):
    return content[: len(content) * 6 // 10]


def damage(content):
    place = content.index(EVIL * 9)
    content[place : place + 4] = b"good"
    return content


def strange_compression(content):
    for header, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        place = content.rindex(header) + offset
        content[place : place + 2] = struct.pack("<H", 97)
    return content


def a_header_that_says(size_field):
    def write(path, image):
        header = bytearray(tarfile.TarInfo("cat/evil.png").tobuf())
        header[124:136] = size_field
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        tarred(path, image, [])
        whole = path.read_bytes().rstrip(b"\0")
        path.write_bytes(whole + bytes(-len(whole) % 512) + bytes(header) + bytes(10240))

    return write


def endless_comment(path, image):
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as stream:
        info = tarfile.TarInfo("cat/evil.png")
        info.pax_headers = {"comment": "x" * 2_000_000}
        stream.addfile(info)


def endless_name(path, image):
    tarred(path, image, [("cat/" + "x/" * 1_000_000 + "evil.png", EVIL)], "w:gz")


def too_many(write):
    names = [f"cat/{number}.png" for number in range(1100)]
    return write(*names)


REFUSED = "expected a whole zip or tar archive, got "
BOMB = r"members of more than \d+ bytes"
# The archive's name, the function that writes it, and the reason why its member fails or why it is refused.
HOSTILE = {
    "zip, outside": ("a.zip", zip_of("../../evil.png", "cat/../../evil.png"), "no class"),
    "zip, absolute": ("a.zip", zip_of("/tmp/evil.png", "//evil.png"), "no class"),
    "zip, backslashes": ("a.zip", zip_of("cat\\..\\..\\evil.png", "cat\\..\\evil/1.png"), "no class"),
    "zip, drive": ("a.zip", zip_of("C:\\evil.png", "C:\\evil/1.png"), "no class"),
    "zip, link": ("a.zip", a_link_in_a_zip, "no regular file"),
    "zip, bomb": ("a.zip", zip_of("cat/bomb.png", content=ZEROS), BOMB),
    "zip, bomb in parts": ("a.zip", zip_of(*(f"cat/{n}.png" for n in range(15)), content=ZEROS[:1_000_000]), BOMB),
    "zip, lying bomb": ("a.zip", lying_about_size(zipfile.ZIP_DEFLATED), "damaged in the archive"),
    "zip, lying bzip2 bomb": ("a.zip", lying_about_size(zipfile.ZIP_BZIP2), "damaged in the archive"),
    "zip, lying LZMA bomb": ("a.zip", lying_about_size(zipfile.ZIP_LZMA), "damaged in the archive"),
    "zip, overlapping bomb": ("a.zip", overlapping, BOMB),
    "zip, twice": ("a.zip", zip_of("cat/1.png", "cat//1.png"), "twice in the archive"),
    "zip, encrypted": ("a.zip", patched(zip_of("cat/1.png"), encrypt), "damaged in the archive"),
    "zip, truncated": ("a.zip", patched(zip_of("cat/1.png"), cut), "File is not a zip file"),
    "zip, wrong checksum": (
        "a.zip",
        patched(lambda path, image: zipped(path, image, [("cat/1.png", EVIL * 9)], zipfile.ZIP_STORED), damage),
        "damaged in the archive",
    ),
    "zip, strange compression": ("a.zip", patched(zip_of("cat/1.png"), strange_compression), "damaged in the archive"),
    "zip, too many": ("a.zip", too_many(zip_of), "more than 1000 members"),
    "zip, nested": ("a.zip", zip_of("cat/inner.zip", "cat/inner.tar.gz"), "archive in the archive"),
    "zip, odd names": (
        "a.zip",
        zip_of("a\nb/1.png", "\x1b[2J/1.png", "x" * 300 + "/1.png", "images.csv/1.png", "failures.csv/1.png"),
        "no class",
    ),
    "tar, outside": ("a.tar", tar_of("../../evil.png", "cat/../../evil.png"), "no class"),
    "tar, absolute": ("a.tar", tar_of("/tmp/evil.png", "//evil.png"), "no class"),
    "tar, link": ("a.tar", links_in_a_tar(tarfile.SYMTYPE, "/etc/passwd"), "no regular file"),
    "tar, hard link": ("a.tar", links_in_a_tar(tarfile.LNKTYPE, "../../secret"), "no regular file"),
    "tar, behind a link": ("a.tar", a_link_and_a_file_behind_it, "no regular file"),
    "tar, device": ("a.tar", links_in_a_tar(tarfile.BLKTYPE, ""), "no regular file"),
    "tar, pipe": ("a.tar", links_in_a_tar(tarfile.FIFOTYPE, ""), "no regular file"),
    "tar, bomb": ("a.tar.gz", tar_of("cat/bomb.png", content=ZEROS, mode="w:gz"), BOMB),
    "tar, bzip2 bomb": ("a.tar.bz2", tar_of("cat/bomb.png", content=ZEROS, mode="w:bz2"), BOMB),
    "tar, xz bomb": ("a.tar.xz", tar_of("cat/bomb.png", content=ZEROS, mode="w:xz"), BOMB),
    "tar, twice": ("a.tar", tar_of("cat/1.png", "./cat/1.png"), "twice in the archive"),
    "tar, truncated": ("a.tar.gz", patched(tar_of("cat/1.png", mode="w:gz"), cut), "Compressed file ended"),
    "tar, huge size": ("a.tar", a_header_that_says(b"77777777777\0"), BOMB),
    "tar, negative size": ("a.tar", a_header_that_says(b"\xff" * 11 + b"\x00"), "."),
    "tar, endless comment": ("a.tar.gz", endless_comment, r"a header of \d+ bytes"),
    "tar, endless name": ("a.tar.gz", endless_name, r"a header of \d+ bytes"),
    "tar, too many": ("a.tar", too_many(tar_of), "more than 1000 members"),
    "tar, nested": ("a.tar", tar_of("cat/inner.tar"), "archive in the archive"),
    "tar, odd names": ("a.tar", tar_of("a\nb/1.png", "\udce9\udce8/1.png", "x" * 300 + "/1.png"), "no class"),
}
REASONS = {"no class", "no regular file", "damaged in the archive", "twice in the archive", "archive in the archive"}


@pytest.fixture(scope="module")
def image(draw):
    stream = io.BytesIO()
    draw(0).save(stream, "PNG")
    return stream.getvalue()


def everything(folder):
    return {os.path.join(root, name) for root, folders, files in os.walk(folder) for name in folders + files}  # noqa: PTH118


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_harms_nothing_and_is_named_in_one_line(tmp_path, image, monkeypatch, name):
    monkeypatch.setattr(archive, "MAX_MEMBERS", archive.MAX_MEMBERS // 1000)
    monkeypatch.setattr(archive, "SMALL_BYTES", archive.SMALL_BYTES // 10)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file, write, expected = HOSTILE[name]
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    source, target = tmp_path / "deep" / "er" / file, tmp_path / "deep" / "er" / "raw"
    write(source, image)
    before = everything(tmp_path)
    settings = Collect(source=str(source), classes=[], max_megabytes=1, max_megapixels=1, listings={}, fetch=FETCH)
    if expected in REASONS:
        counts = run(settings, target)
        assert expected in counts["failed"]
        assert counts["listed"] == counts["kept"] + sum(counts["failed"].values())
        failures = read_table(target / "failures.csv")
        assert len(failures) == sum(counts["failed"].values())
        written = {path.read_bytes() for path in target.glob("*/*")}
        assert written <= {image, EVIL}
        assert all(
            path.parent.parent == target
            for path in target.rglob("*")
            if path.is_file() and path.suffix != ".csv" and path.name != MARK
        )
    else:
        with pytest.raises(ValueError, match=f"{file}: {REFUSED}.*{expected}.*\\.$") as caught:
            run(settings, target)
        assert "\n" not in str(caught.value)
        assert not target.exists()
    outside = {path for path in everything(tmp_path) - before if not path.startswith(str(target))}
    assert outside <= {str(target.with_name(".raw.lock"))}


def test_there_are_enough_of_them():
    assert len(HOSTILE) >= 25
