import io
import itertools
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from stages.collect import archive, folder
from stages.collect.member_names import decode_name, describe_guessed
from stages.collect.source import source_of
from stages.sources.listed_image import Failure

MEGABYTE = 1_000_000


def write_zip(path, files, **options):
    with zipfile.ZipFile(path, "w", **options) as stream:
        for name, content in files.items():
            stream.writestr(name, content)


def write_tar(path, files, mode="w"):
    with tarfile.open(path, mode) as stream:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            stream.addfile(info, io.BytesIO(content))


def write_folder(path, files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)


WRITERS = {
    "folder": write_folder,
    "files.zip": write_zip,
    "deflated.ZIP": lambda path, files: write_zip(path, files, compression=zipfile.ZIP_DEFLATED),
    "files.tar": write_tar,
    "files.tar.gz": lambda path, files: write_tar(path, files, "w:gz"),
    "files.tgz": lambda path, files: write_tar(path, files, "w:gz"),
    "files.tar.bz2": lambda path, files: write_tar(path, files, "w:bz2"),
    "files.tar.xz": lambda path, files: write_tar(path, files, "w:xz"),
}
ARCHIVES = [name for name in WRITERS if name != "folder"]
every_source = pytest.mark.parametrize("name", WRITERS)
every_archive = pytest.mark.parametrize("name", ARCHIVES)
zip_and_tar = pytest.mark.parametrize("name", ["files.zip", "files.tar", "files.tar.gz"])


def fetch(path, max_bytes=MEGABYTE):
    """Return {source_id: (class, bytes or the reason why there are none)} of all files that the source lists."""
    source = source_of(path)
    fetched = source.fetching(path, list(source.listing(path)), max_bytes)
    return {
        image.source_id: (image.class_, content.reason if isinstance(content, Failure) else content)
        for image, content in fetched
    }


@every_source
def test_every_source_gives_each_file_as_it_is(tmp_path, name):
    files = {"cat/1.png": b"one", "dog/deep/2.png": bytes(range(256)), "3.png": b""}
    WRITERS[name](tmp_path / name, files)
    classes = {"cat/1.png": "cat", "dog/deep/2.png": "dog", "3.png": ""}
    assert fetch(tmp_path / name) == {file: (classes[file], content) for file, content in files.items()}


@every_source
def test_every_source_reads_a_table(tmp_path, name):
    csv = "file,class,title,split\nx/1.png,NA,Ä cat,train\nx/2.png,007,,test\nnone.png,007,,train\n"
    files = {"images.csv": csv.encode(), "x/1.png": b"one", "x/2.png": b"two", "extra.png": b"three"}
    WRITERS[name](tmp_path / name, files)
    assert fetch(tmp_path / name) == {
        "x/1.png": ("NA", b"one"),
        "x/2.png": ("007", b"two"),
        "none.png": ("007", "missing"),
        "extra.png": ("", b"three"),
    }
    titles = [(image.title, image.given_split) for image in source_of(tmp_path / name).listing(tmp_path / name)]
    assert titles == [("Ä cat", "train"), ("", "test"), ("", "train"), ("", "")]


@every_source
@pytest.mark.parametrize(
    ("csv", "message"),
    [
        (b"file\n1.png\n", r"images\.csv: expected the columns file and class, got file\.$"),
        (b"", r"images\.csv: expected "),
        (b"file,class\n\xff,cat\n", r"images\.csv: expected "),
    ],
    ids=["no class", "empty", "not UTF-8"],
)
def test_a_wrong_table_is_named(tmp_path, name, csv, message):
    WRITERS[name](tmp_path / name, {"images.csv": csv, "1.png": b""})
    with pytest.raises(ValueError, match=message):
        fetch(tmp_path / name)


@every_source
@pytest.mark.parametrize(("excess", "expected"), [(0, b"x" * 1000), (1, "too many bytes")])
def test_a_file_over_the_limit_is_not_taken(tmp_path, name, excess, expected):
    WRITERS[name](tmp_path / name, {"cat/1.png": b"x" * (1000 + excess), "cat/2.png": b"x"})
    assert fetch(tmp_path / name, max_bytes=1000) == {"cat/1.png": ("cat", expected), "cat/2.png": ("cat", b"x")}


def test_a_member_whose_header_lies_about_its_size_stays_within_the_limit(tmp_path):
    write_zip(tmp_path / "files.zip", {"cat/1.png": b"x" * 5000}, compression=zipfile.ZIP_DEFLATED)
    content = (tmp_path / "files.zip").read_bytes()
    assert content.count((5000).to_bytes(4, "little")) == 2
    (tmp_path / "files.zip").write_bytes(content.replace((5000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    [(_, taken)] = fetch(tmp_path / "files.zip", max_bytes=1000).values()
    assert isinstance(taken, str) or len(taken) <= 1000


@zip_and_tar
def test_members_that_climb_out_have_no_class(tmp_path, name):
    (tmp_path / "inside").mkdir()
    WRITERS[name](tmp_path / "inside" / name, {"../x/1.png": b"evil", "cat/../../2.png": b"evil", "cat/1.png": b"good"})
    fetched = fetch(tmp_path / "inside" / name)
    assert fetched["cat/1.png"] == ("cat", b"good")
    assert fetched["../x/1.png"][0] == fetched["cat/../../2.png"][0] == ""
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]


@zip_and_tar
@pytest.mark.parametrize("member", ["./cat/1.png", "cat//1.png", "cat/./1.png"])
def test_members_whose_names_could_be_shorter_are_read(tmp_path, name, member):
    WRITERS[name](tmp_path / name, {member: b"one"})
    assert list(fetch(tmp_path / name).values()) == [("cat", b"one")]


LINKS = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
TARGETS = ["secret", "../secret", "cat/1.png", "cat/link.png"]


@pytest.mark.parametrize(
    ("kind", "target"),
    [pair for pair in itertools.product(LINKS, TARGETS) if pair != (tarfile.LNKTYPE, "cat/1.png")],
)
def test_links_and_devices_in_a_tar_are_not_followed(tmp_path, kind, target):
    (tmp_path / "secret").write_bytes(b"secret")
    with tarfile.open(tmp_path / "files.tar", "w") as stream:
        info = tarfile.TarInfo("cat/1.png")
        info.size = 3
        stream.addfile(info, io.BytesIO(b"one"))
        link = tarfile.TarInfo("cat/link.png")
        link.type, link.linkname = kind, target
        stream.addfile(link)
    assert fetch(tmp_path / "files.tar") == {"cat/1.png": ("cat", b"one"), "cat/link.png": ("cat", "no regular file")}


def test_a_hard_link_in_a_tar_is_the_file_that_came_before_it(tmp_path):
    (tmp_path / "tree" / "cat").mkdir(parents=True)
    (tmp_path / "tree" / "cat" / "1.png").write_bytes(b"one")
    (tmp_path / "tree" / "cat" / "2.png").hardlink_to(tmp_path / "tree" / "cat" / "1.png")
    with tarfile.open(tmp_path / "files.tar", "w") as stream:
        stream.add(tmp_path / "tree", ".")
    assert fetch(tmp_path / "files.tar") == {"cat/1.png": ("cat", b"one"), "cat/2.png": ("cat", b"one")}


ODD_NAMES = {
    "backslashes": ["cat\\1.png", "dog\\2.png"],
    "roots and drives": ["/cat/1.png", "C:/dog/2.png"],
    "decomposed": ["cat/1.png", "dog/2.png", "do\u0308g/3.png", "d\u00f6g/4.png"],
}


@pytest.mark.parametrize("kind", ODD_NAMES)
def test_names_as_other_programs_write_them_are_read(tmp_path, kind):
    WRITERS["files.zip"](tmp_path / "files.zip", {name: name.encode() for name in ODD_NAMES[kind]})
    classes = sorted(class_ for class_, _ in fetch(tmp_path / "files.zip").values())
    assert classes == ["cat", "dog", "d\u00f6g", "d\u00f6g"][: len(ODD_NAMES[kind])]


def test_names_in_an_unknown_encoding_are_said_aloud(tmp_path):
    path = tmp_path / "birds.zip"
    write_zip(path, {"robin/1.png": b"one", "XY/1.png": b"two"})
    assert describe_guessed(path) == []
    japanese = "\u732b".encode("cp932")
    path.write_bytes(path.read_bytes().replace(b"XY/", japanese + b"/"))
    [line] = describe_guessed(path)
    assert line.startswith("collect: birds.zip does not say how its names are encoded, ")
    path.write_bytes(path.read_bytes().replace(japanese + b"/", "\u00e9".encode() + b"/"))
    assert describe_guessed(path) == []


def test_names_in_utf_8_without_the_flag_for_it_are_read():
    assert decode_name(plain_info("caf\u00e9/1.png".encode().decode("cp437"))) == "caf\u00e9/1.png"
    assert decode_name(plain_info(b"\x94".decode("cp437"))) == b"\x94".decode("cp437")


def plain_info(name):
    """Return the entry of a zip whose name is not said to be in UTF-8."""
    info = zipfile.ZipInfo(name)
    info.flag_bits = 0
    return info


def test_a_linked_class_folder_is_followed_and_a_link_back_is_not(tmp_path):
    write_folder(tmp_path / "elsewhere", {"1.png": b"one"})
    write_folder(tmp_path / "source", {"cat/2.png": b"two"})
    (tmp_path / "source" / "dog").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "source" / "cat" / "up").symlink_to("..")
    listed = [image.member for image in source_of(tmp_path / "source").listing(tmp_path / "source")]
    assert listed == ["cat/2.png", "dog/1.png"]


def test_a_folders_link_to_an_image_outside_is_followed(tmp_path, draw):
    draw(0).save(tmp_path / "annexed.png")
    write_folder(tmp_path / "source", {"cat/1.png": b"one"})
    (tmp_path / "source" / "cat" / "link.png").symlink_to(tmp_path / "annexed.png")
    assert fetch(tmp_path / "source")["cat/link.png"] == ("cat", (tmp_path / "annexed.png").read_bytes())


def test_a_file_that_cannot_be_read_is_counted_and_a_folder_that_cannot_be_stops(tmp_path, monkeypatch):
    write_folder(tmp_path / "source", {"cat/1.png": b"one", "cat/2.png": b"two"})
    read = Path.read_bytes

    def refuse(self):
        if self.name == "1.png":
            raise PermissionError(13, "Permission denied", str(self))
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert fetch(tmp_path / "source") == {"cat/1.png": ("cat", "unreadable file"), "cat/2.png": ("cat", b"two")}

    def scandir(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(OSError, match=r"source: expected a folder that can be read, got: Permission denied\.$"):
        fetch(tmp_path / "source")


def test_a_folders_link_to_a_file_inside_is_followed(tmp_path):
    write_folder(tmp_path / "source", {"cat/1.png": b"one"})
    (tmp_path / "source" / "cat" / "link.png").symlink_to("1.png")
    assert fetch(tmp_path / "source")["cat/link.png"] == ("cat", b"one")


def test_a_folders_link_to_a_file_outside_is_not_followed(tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    write_folder(tmp_path / "source", {"cat/1.png": b"one"})
    (tmp_path / "source" / "cat" / "link.png").symlink_to(tmp_path / "secret")
    assert fetch(tmp_path / "source")["cat/link.png"] == ("cat", "outside the source")


@pytest.mark.parametrize("file", ["../secret", "{tmp_path}/secret"])
def test_a_folders_table_cannot_name_a_file_outside(tmp_path, file):
    (tmp_path / "secret").write_bytes(b"secret")
    file = file.format(tmp_path=tmp_path)
    write_folder(tmp_path / "source", {"images.csv": f"file,class\n{file},cat\n".encode()})
    assert fetch(tmp_path / "source") == {file: ("cat", "outside the source")}


def test_a_broken_link_in_a_folder_is_counted(tmp_path):
    write_folder(tmp_path / "source", {"cat/1.png": b"one"})
    (tmp_path / "source" / "cat" / "link.png").symlink_to("none.png")
    assert fetch(tmp_path / "source") == {"cat/1.png": ("cat", b"one"), "cat/link.png": ("cat", "missing")}


def test_rows_of_a_table_name_files_in_other_ways_too(tmp_path):
    rows = f"file,class\n./1.png,cat \n{tmp_path}/source/2.png,cafe\u0301\n"
    write_folder(tmp_path / "source", {"images.csv": rows.encode(), "1.png": b"one", "2.png": b"two"})
    assert fetch(tmp_path / "source") == {"1.png": ("cat", b"one"), "2.png": ("caf\u00e9", b"two")}


@pytest.mark.parametrize("name", [*ARCHIVES, "empty.zip", "text.tar"])
def test_a_damaged_archive_is_refused_by_name(tmp_path, name):
    if name in WRITERS:
        WRITERS[name](tmp_path / name, {f"cat/{n}.png": bytes(range(256)) * 9 for n in range(9)})
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) * 45 // 100])
    else:
        (tmp_path / name).write_bytes(b"" if name == "empty.zip" else b"no archive" * 100)
    with pytest.raises(ValueError, match=rf"{name}: expected a whole zip or tar archive, got (?s:.+)\.$"):
        archive.listing(tmp_path / name)


def damage(path, content):
    stored = path.read_bytes()
    assert stored.count(content) == 1
    path.write_bytes(stored.replace(content, bytes(reversed(content))))


def test_a_damaged_member_is_recorded_and_the_others_are_read(tmp_path):
    write_zip(tmp_path / "files.zip", {"cat/1.png": b"content of one", "cat/2.png": b"content of two"})
    damage(tmp_path / "files.zip", b"content of one")
    assert fetch(tmp_path / "files.zip") == {
        "cat/1.png": ("cat", "damaged in the archive"),
        "cat/2.png": ("cat", b"content of two"),
    }


def test_a_damaged_table_in_an_archive_is_named(tmp_path):
    write_zip(tmp_path / "files.zip", {"images.csv": b"file,class\n1.png,cat\n", "1.png": b"one"})
    damage(tmp_path / "files.zip", b"file,class\n1.png,cat\n")
    with pytest.raises(ValueError, match=r"files\.zip"):
        fetch(tmp_path / "files.zip")


def test_an_encrypted_member_is_recorded(tmp_path):
    write_zip(tmp_path / "files.zip", {"cat/1.png": b"one"})
    content = bytearray((tmp_path / "files.zip").read_bytes())
    for header, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(header) + offset] |= 1
    (tmp_path / "files.zip").write_bytes(content)
    assert fetch(tmp_path / "files.zip") == {"cat/1.png": ("cat", "damaged in the archive")}


@pytest.mark.parametrize(("name", "module"), [("folder", folder), *((name, archive) for name in ARCHIVES)])
def test_the_path_tells_the_source(tmp_path, name, module):
    WRITERS[name](tmp_path / name, {"cat/1.png": b""})
    assert source_of(tmp_path / name) is module


def test_a_folder_named_like_an_archive_is_a_folder(tmp_path):
    (tmp_path / "files.zip").mkdir()
    assert source_of(tmp_path / "files.zip") is folder


def test_a_path_where_nothing_is_is_named(tmp_path):
    message = r"^params\.yaml collect\.source: expected a folder, .* or a manifest, got no such path .*none\.zip\.$"
    with pytest.raises(FileNotFoundError, match=message):
        source_of(tmp_path / "none.zip")


@pytest.mark.parametrize("name", ["files.rar", "zip", "files.gz", "files.zip.txt"])
def test_any_other_file_is_no_source(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(ValueError, match=rf"^params\.yaml collect\.source: expected a folder, .*, got .*{name}\.$"):
        source_of(tmp_path / name)
