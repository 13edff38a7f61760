import hashlib
import io
import os
import zipfile

import pandas as pd
import pytest
from PIL import Image

from stages.collect import FAILURE_COLUMNS, IMAGE_COLUMNS, Collect, run
from stages.core.files import read_table


def collect(source, target):
    return run(Collect(source=str(source), max_megabytes=1), target)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def source(tmp_path, write_tree):
    return write_tree(tmp_path / "source", {"cat": 2, "dog": 1})


@pytest.fixture
def target(tmp_path):
    return tmp_path / "raw"


def test_a_tree_is_collected_by_class(source, target):
    assert collect(source, target) == {"listed": 3, "kept": 3, "failed": {}, "classes": {"cat": 2, "dog": 1}}
    images = read_table(target / "images.csv")
    assert images.columns.tolist() == IMAGE_COLUMNS
    assert sorted(images["source_id"]) == ["cat/0.png", "cat/1.png", "dog/0.png"]
    assert set(images["format"] + images["width"] + "x" + images["height"]) == {"PNG64x48"}
    assert read_table(target / "failures.csv").columns.tolist() == FAILURE_COLUMNS


def test_bytes_are_kept_exactly_as_received(source, target):
    collect(source, target)
    for row in read_table(target / "images.csv").itertuples():
        content = (source / row.source_id).read_bytes()
        assert (target / row.file).read_bytes() == content
        assert row.image_id == hashlib.sha256(content).hexdigest()
        assert row.file == f"{row.source_id.split('/')[0]}/{row.image_id[:16]}.png"
        assert int(row.bytes) == len(content)


def test_rows_are_sorted_by_image_id(source, target):
    collect(source, target)
    assert read_table(target / "images.csv")["image_id"].is_monotonic_increasing


def test_a_second_run_writes_the_same(source, target, tmp_path):
    (source / "readme.txt").write_text("no class")
    counts = collect(source, target)
    first = contents(target)
    assert collect(source, target) == counts
    assert contents(target) == first
    collect(source, tmp_path / "other")
    assert contents(tmp_path / "other") == first


def test_a_second_run_forgets_what_the_source_lost(source, target):
    collect(source, target)
    (source / "cat" / "0.png").unlink()
    assert collect(source, target)["listed"] == 2
    assert len(list(target.glob("cat/*"))) == 1


def test_a_run_changes_nothing_but_its_target(source, target, tmp_path):
    before = contents(source)
    collect(source, target)
    assert contents(source) == before
    assert {path.name for path in tmp_path.iterdir()} <= {"source", "raw", ".raw.lock"}


@pytest.mark.parametrize("name", ["NA", "007", "null", "ein Tier", "日本"])
def test_every_class_name_survives(tmp_path, target, write_tree, name):
    write_tree(tmp_path / "source", {name: 1, "x": 1})
    assert collect(tmp_path / "source", target)["classes"] == {name: 1, "x": 1}
    assert sorted(read_table(target / "images.csv")["class"]) == sorted([name, "x"])


def test_split_folders_give_the_split(tmp_path, target, write_tree):
    write_tree(tmp_path / "source", {"train/cat": 2, "test/cat": 1, "valid/cat": 1})
    assert collect(tmp_path / "source", target)["classes"] == {"cat": 4}
    splits = read_table(target / "images.csv").set_index("source_id")["given_split"]
    assert splits.to_dict() == {
        "train/cat/0.png": "train", "train/cat/1.png": "train", "test/cat/0.png": "test", "valid/cat/0.png": "val",
    }  # fmt: skip


def test_a_table_gives_provenance_and_what_it_misses_is_recorded(tmp_path, target, draw):
    (tmp_path / "source").mkdir()
    draw(0).save(tmp_path / "source" / "1.png")
    draw(1).save(tmp_path / "source" / "extra.png")
    rows = {
        "file": ["1.png", "none.png"], "class": ["cat", "dog"], "title": ["A cat", ""], "url": ["u", ""],
        "page_url": ["p", ""], "author": ["Ä", ""], "licence": ["CC0", ""], "licence_url": ["l", ""],
        "split": ["test", "train"], "source_id": ["shelf/1", ""],
    }  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "source" / "images.csv", index=False)
    counts = collect(tmp_path / "source", target)
    assert counts == {"listed": 3, "kept": 1, "failed": {"missing": 1, "no class": 1}, "classes": {"cat": 1}}
    [image] = read_table(target / "images.csv").to_dict("records")
    expected = {
        "class": "cat", "title": "A cat", "url": "u", "page_url": "p", "author": "Ä", "licence": "CC0",
        "licence_url": "l", "given_split": "test", "source_id": "shelf/1", "source": str(tmp_path / "source"),
    }  # fmt: skip
    assert expected.items() <= image.items()
    failures = read_table(target / "failures.csv")
    assert failures[["class", "source_id", "reason"]].to_numpy().tolist() == [
        ["", "extra.png", "no class"],
        ["dog", "none.png", "missing"],
    ]


def test_a_file_outside_every_class_is_recorded(source, target, draw):
    draw(9).save(source / "loose.png")
    counts = collect(source, target)
    assert (counts["listed"], counts["kept"], counts["failed"]) == (4, 3, {"no class": 1})
    assert read_table(target / "failures.csv")["source_id"].tolist() == ["loose.png"]


def test_a_file_over_the_limit_is_recorded_and_one_at_it_is_kept(source, target):
    (source / "dog" / "at.bin").write_bytes(bytes(1_000_000))
    (source / "dog" / "over.bin").write_bytes(bytes(1_000_001))
    counts = collect(source, target)
    assert (counts["listed"], counts["kept"], counts["failed"]) == (5, 4, {"too many bytes": 1})
    assert read_table(target / "failures.csv")["source_id"].tolist() == ["dog/over.bin"]


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_is_kept_raw(source, target, content):
    (source / "dog" / "1.png").write_bytes(content)
    assert collect(source, target)["kept"] == 4
    row = read_table(target / "images.csv").set_index("source_id").loc["dog/1.png"]
    assert (row["format"], row["width"], row["height"], row["bytes"]) == ("", "0", "0", str(len(content)))
    assert row["file"].endswith(".bin")
    assert (target / row["file"]).read_bytes() == content


def test_copies_share_a_file_and_have_a_row_each(source, target):
    (source / "cat" / "copy.png").write_bytes((source / "cat" / "0.png").read_bytes())
    assert collect(source, target)["classes"]["cat"] == 3
    rows = read_table(target / "images.csv").set_index("source_id")
    assert rows.loc["cat/copy.png", "file"] == rows.loc["cat/0.png", "file"]
    assert len(list(target.glob("cat/*"))) == 2


def test_copies_in_two_classes_lie_in_both(source, target):
    (source / "dog" / "copy.png").write_bytes((source / "cat" / "0.png").read_bytes())
    collect(source, target)
    rows = read_table(target / "images.csv").set_index("source_id")
    assert rows.loc["dog/copy.png", "image_id"] == rows.loc["cat/0.png", "image_id"]
    assert (target / rows.loc["dog/copy.png", "file"]).read_bytes() == (source / "cat" / "0.png").read_bytes()


@pytest.mark.parametrize(("format_", "ending"), [("JPEG", "jpeg"), ("WEBP", "webp"), ("GIF", "gif"), ("BMP", "bmp")])
def test_the_content_tells_the_format_and_not_the_name(source, target, draw, format_, ending):
    draw(9).save(source / "dog" / "1.png", format_)
    collect(source, target)
    row = read_table(target / "images.csv").set_index("source_id").loc["dog/1.png"]
    assert row["format"] == format_
    assert row["file"].endswith(f".{ending}")


def test_sides_are_those_of_the_header(source, target):
    Image.new("1", (4000, 2000)).save(source / "dog" / "large.png")
    collect(source, target)
    row = read_table(target / "images.csv").set_index("source_id").loc["dog/large.png"]
    assert (row["width"], row["height"]) == ("4000", "2000")


def test_a_zip_gives_what_its_folder_gives(source, target, tmp_path):
    with zipfile.ZipFile(tmp_path / "source.zip", "w") as stream:
        for path in source.rglob("*.png"):
            stream.write(path, path.relative_to(source))
    assert collect(tmp_path / "source.zip", tmp_path / "zipped") == collect(source, target)
    columns = [column for column in IMAGE_COLUMNS if column != "source"]
    tables = [read_table(folder / "images.csv")[columns] for folder in (target, tmp_path / "zipped")]
    assert tables[0].equals(tables[1])


@pytest.mark.parametrize("class_", ["../evil", "{tmp_path}/evil", "..", ".", "cat/kitten"])
def test_a_tables_class_never_leads_out_of_the_target(tmp_path, target, draw, class_):
    (tmp_path / "source").mkdir()
    draw(0).save(tmp_path / "source" / "1.png")
    draw(1).save(tmp_path / "source" / "2.png")
    class_ = class_.format(tmp_path=tmp_path)
    pd.DataFrame({"file": ["1.png", "2.png"], "class": [class_, "cat"]}).to_csv(
        tmp_path / "source" / "images.csv", index=False
    )
    try:
        collect(tmp_path / "source", target)
    except (ValueError, OSError) as error:
        assert isinstance(error, ValueError), error
        assert class_ in str(error)
    assert {path.name for path in tmp_path.iterdir()} <= {"source", "raw", ".raw.lock"}


@pytest.mark.parametrize("files", [{}, {"loose.png": b"x"}, {"cat/": None}, {"cat/.hidden.png": b"x"}])
def test_a_source_without_an_image_is_refused_and_the_old_target_stays(tmp_path, target, files):
    target.mkdir()
    (target / "old").touch()
    (tmp_path / "empty").mkdir()
    for name, content in files.items():
        path = tmp_path / "empty" / name
        (path if content is None else path.parent).mkdir(exist_ok=True)
        if content is not None:
            path.write_bytes(content)
    message = r"empty: expected images in a folder per class, got [01] files and no image\.$"
    with pytest.raises(ValueError, match=message):
        collect(tmp_path / "empty", target)
    assert os.listdir(target) == ["old"]  # noqa: PTH208


def test_listed_is_kept_and_failed(source, target, draw):
    draw(9).save(source / "loose.png")
    (source / "dog" / "over.bin").write_bytes(bytes(1_000_001))
    (source / "dog" / "link.png").symlink_to("/dev/null/none")
    stream = io.BytesIO()
    draw(0).save(stream, "JPEG")
    (source / "dog" / "copy.jpg").write_bytes(stream.getvalue()[:500])
    counts = collect(source, target)
    assert counts["failed"] == {"no class": 1, "too many bytes": 1}
    assert counts["listed"] == counts["kept"] + sum(counts["failed"].values())
    assert len(read_table(target / "images.csv")) == counts["kept"] == sum(counts["classes"].values())
    assert len(read_table(target / "failures.csv")) == sum(counts["failed"].values())
