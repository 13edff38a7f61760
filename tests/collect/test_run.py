import hashlib
import io
import os
import zipfile

import pandas as pd
import pytest
from PIL import Image

from stages.collect.folder_notes import describe_folders
from stages.collect.run import FAILURE_COLUMNS, IMAGE_COLUMNS, Collect, run
from stages.core.files import MARK, replacing_folder
from stages.core.tables import read_table
from stages.manifest.listing import relist
from stages.manifest.purge import purge
from stages.web.client import Fetch
from tests.web.fault_server import FaultServer

pytestmark = pytest.mark.usefixtures("short_waits")
FETCH = Fetch(
    threads=4, per_host=4, per_second=1000, timeout_s=2, deadline_s=2, retries=1, max_wait_s=1, max_megabytes=1,
    allow_private=True, user_agent="tester/1.0",
)  # fmt: skip
TOTALS = ("listed", "kept", "failed", "classes")


def settings(source, **changes):
    return Collect(
        **{
            "source": str(source),
            "classes": [],
            "max_megabytes": 1,
            "max_megapixels": 10,
            "listings": {},
            "fetch": FETCH,
            **changes,
        }
    )


def collect(source, target):
    """Collect, and return the counts without the counts of each source."""
    return {key: value for key, value in run(settings(source), target).items() if key in TOTALS}


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """Use a cache of the test's own for downloads."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture
def source(tmp_path, write_tree):
    return write_tree(tmp_path / "source", {"cat": 2, "dog": 1})


@pytest.fixture
def target(tmp_path):
    return tmp_path / "raw"


def test_some_classes_can_be_taken_alone(source, target):
    (source / "stray.png").write_bytes((source / "dog").glob("*").__next__().read_bytes())
    counts = run(settings(source, classes=["dog"]), target)
    assert (counts["classes"], counts["failed"]) == ({"dog": 1}, {"no class": 1})
    assert read_table(target / "images.csv")["class"].tolist() == ["dog"]
    message = r"^params\.yaml collect\.classes: expected classes of the source \(cat, dog\), got owl\.$"
    with pytest.raises(ValueError, match=message):
        run(settings(source, classes=["dog", "owl"]), target)


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


@pytest.mark.parametrize("name", ["NA", "007", "日本"])
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


@pytest.mark.parametrize(("format_", "ending"), [("JPEG", "jpeg"), ("WEBP", "webp")])
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
    with replacing_folder(target, "collect") as folder:
        (folder / "old").touch()
    (tmp_path / "empty").mkdir()
    for name, content in files.items():
        path = tmp_path / "empty" / name
        (path if content is None else path.parent).mkdir(exist_ok=True)
        if content is not None:
            path.write_bytes(content)
    message = r"empty: expected images in a folder per class, got [01] files and no image\.$"
    with pytest.raises(ValueError, match=message):
        collect(tmp_path / "empty", target)
    assert sorted(os.listdir(target)) == [MARK, "old"]  # noqa: PTH208


def test_listed_is_kept_and_failed(source, target, draw):
    draw(9).save(source / "loose.png")
    (source / "dog" / "over.bin").write_bytes(bytes(1_000_001))
    (source / "dog" / "link.png").symlink_to("/dev/null/none")
    stream = io.BytesIO()
    draw(0).save(stream, "JPEG")
    (source / "dog" / "copy.jpg").write_bytes(stream.getvalue()[:500])
    counts = collect(source, target)
    assert counts["failed"] == {"missing": 1, "no class": 1, "too many bytes": 1}
    assert counts["listed"] == counts["kept"] + sum(counts["failed"].values())
    assert len(read_table(target / "images.csv")) == counts["kept"] == sum(counts["classes"].values())
    assert len(read_table(target / "failures.csv")) == sum(counts["failed"].values())


def test_the_counts_of_each_source_and_class_add_up(source, target, draw):
    draw(9).save(source / "loose.png")
    (source / "dog" / "over.bin").write_bytes(bytes(1_000_001))
    counts = run(settings(source), target)
    assert counts["sources"] == {
        str(source): {
            "cat": {"listed": 2, "kept": 2, "failed": {}},
            "dog": {"listed": 2, "kept": 1, "failed": {"too many bytes": 1}},
            "no class": {"listed": 1, "kept": 0, "failed": {"no class": 1}},
        }
    }
    classes = [counts_of for by_class in counts["sources"].values() for counts_of in by_class.values()]
    for key in ("listed", "kept"):
        assert sum(counts_of[key] for counts_of in classes) == counts[key]


@pytest.fixture
def server(draw):
    with FaultServer() as server:
        for number in range(4):
            stream = io.BytesIO()
            draw(number).save(stream, "PNG")
            server.pages[f"/{number}"] = stream.getvalue()
        yield server


def write_manifest(path, server, classes, **columns):
    rows = {"url": [server.url(f"/{number}") for number in range(len(classes))], "class": classes, **columns}
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_a_manifest_is_fetched_with_its_provenance(server, target, tmp_path):
    columns = {
        "source": ["openverse", "", "", ""], "source_id": ["7", "", "", ""], "licence": ["by", "", "", ""],
        "split": ["test", "", "", ""],
    }  # fmt: skip
    path = write_manifest(tmp_path / "m.csv", server, ["cat", "dog", "dog", "NA"], **columns)
    server.plan["127.0.0.1", "/3"].append("410")
    counts = run(settings(path), target)
    assert counts["sources"] == {
        str(path): {
            "NA": {"listed": 1, "kept": 0, "failed": {"gone": 1}},
            "dog": {"listed": 2, "kept": 2, "failed": {}},
        },
        "openverse": {"cat": {"listed": 1, "kept": 1, "failed": {}}},
    }
    images = read_table(target / "images.csv").set_index("url")
    assert images.columns.tolist() == [column for column in IMAGE_COLUMNS if column != "url"]
    first, second = images.loc[server.url("/0")], images.loc[server.url("/1")]
    assert first[["class", "source", "source_id", "licence", "given_split"]].tolist() == [
        "cat",
        "openverse",
        "7",
        "by",
        "test",
    ]
    assert second[["class", "source", "source_id"]].tolist() == ["dog", str(path), server.url("/1")]
    assert (target / first["file"]).read_bytes() == server.pages["/0"]
    [failure] = read_table(target / "failures.csv").to_dict("records")
    assert failure == {
        "class": "NA", "source": str(path), "source_id": server.url("/3"), "reason": "gone", "detail": "HTTP 410",
    }  # fmt: skip


def test_a_second_run_fetches_only_what_failed(server, target, tmp_path):
    path = write_manifest(tmp_path / "m.csv", server, ["cat", "dog", "dog"])
    server.plan["127.0.0.1", "/0"].append("404")
    run(settings(path), target)
    first = contents(target)
    server.visits.clear()
    run(settings(path), target)
    assert [visit.path for visit in server.visits] == ["/0"]
    assert contents(target) == first
    server.plan.clear()
    assert run(settings(path), target)["kept"] == 3


def test_one_address_in_two_classes_is_fetched_once_and_lies_in_both(server, target, tmp_path):
    rows = {"url": [server.url("/0")] * 2, "class": ["cat", "dog"]}
    pd.DataFrame(rows).to_csv(tmp_path / "m.csv", index=False)
    assert run(settings(tmp_path / "m.csv"), target)["classes"] == {"cat": 1, "dog": 1}
    assert len(server.visits) == 1


def test_a_run_without_any_image_is_no_reason_not_to_try_again(server, target, tmp_path):
    path = write_manifest(tmp_path / "m.csv", server, ["cat"])
    server.plan["127.0.0.1", "/0"].extend(["404", ""])
    with pytest.raises(ValueError, match="got 1 files and no image"):
        run(settings(path), target)
    server.plan.clear()
    assert run(settings(path), target)["kept"] == 1


@pytest.mark.parametrize("first", [0, 1])
def test_what_two_sources_name_alike_has_one_order(server, target, tmp_path, first):
    """The order does not depend on which of the same bytes comes first."""
    server.pages["/1"] = server.pages["/0"]
    server.plan["127.0.0.1", f"/{first}"].append("503")
    path = write_manifest(tmp_path / "m.csv", server, ["cat", "cat"], source=["b", "a"], source_id=["7", "7"])
    assert run(settings(path), target)["kept"] == 2
    assert read_table(target / "images.csv")["source"].tolist() == ["a", "b"]


def test_a_row_without_an_address_is_counted(server, target, tmp_path):
    rows = {"url": [server.url("/0"), ""], "class": ["cat", "dog"], "source": "wikimedia", "source_id": ["1", "2"]}
    pd.DataFrame(rows).to_csv(tmp_path / "m.csv", index=False)
    assert run(settings(tmp_path / "m.csv"), target)["failed"] == {"no address": 1}


@pytest.mark.parametrize(
    ("csv", "message"),
    [
        ("url\nx\n", r"m\.csv: expected the columns url and class, got url\.$"),
        ("url,class,colour\nx,a,b\n", r"m\.csv: expected columns of source_id, class, .*, got colour\.$"),
        ("url,class\nx,../a\n", r"m\.csv line 2: expected a class that can name a folder, got '\.\./a'\.$"),
        ("url,class\nx,images.csv\n", r"m\.csv line 2: expected a class that can name a folder, got 'images\.csv'\.$"),
        ("url,class\nx,\n", r"m\.csv line 2: expected a class that can name a folder, got ''\.$"),
        ("url,class,split\nx,a,b\n", r"m\.csv line 2: expected a split of train, val, test, got b\.$"),
    ],
)
def test_a_wrong_manifest_is_named(tmp_path, target, csv, message):
    (tmp_path / "m.csv").write_text(csv)
    with pytest.raises(ValueError, match=message):
        run(settings(tmp_path / "m.csv"), target)


def listing_of(tmp_path, server, numbers):
    pd.DataFrame({"url": [server.url(f"/{number}") for number in numbers], "title": "A"}).to_csv(
        tmp_path / "l.csv", index=False
    )
    return settings("", listings={"cat": [{"source": "urls", "path": str(tmp_path / "l.csv")}]})


def test_a_listing_writes_a_manifest_that_can_be_collected(server, target, tmp_path):
    lines = relist(listing_of(tmp_path, server, [1, 0]), tmp_path / "m.csv").splitlines()
    assert lines[-1] == f"{tmp_path / 'm.csv'}: 2 images, 2 new, 0 no longer listed, 0 changed."
    assert lines[0] == f"new: cat urls {server.url('/1')} {server.url('/1')}"
    table = read_table(tmp_path / "m.csv")
    assert table["url"].tolist() == [server.url("/0"), server.url("/1")]
    assert set(table["source"]) == {"urls"}
    assert run(settings(tmp_path / "m.csv"), target)["sources"]["urls"]["cat"]["kept"] == 2


def test_a_second_listing_merges_and_says_what_is_new_gone_and_changed(server, tmp_path):
    relist(listing_of(tmp_path, server, [0, 1]), tmp_path / "m.csv")
    before = (tmp_path / "m.csv").read_bytes()
    assert relist(listing_of(tmp_path, server, [1, 0]), tmp_path / "m.csv").endswith(
        "0 new, 0 no longer listed, 0 changed."
    )
    assert (tmp_path / "m.csv").read_bytes() == before
    other = listing_of(tmp_path, server, [1, 2])
    (tmp_path / "l.csv").write_text((tmp_path / "l.csv").read_text().replace("/1,A", "/1,B"))
    lines = relist(other, tmp_path / "m.csv").splitlines()
    assert lines[-1].endswith("m.csv: 3 images, 1 new, 1 no longer listed, 1 changed.")
    assert [line.split()[0] for line in lines[:-1]] == ["new:", "no", "changed:"]
    assert read_table(tmp_path / "m.csv")["title"].tolist() == ["A", "B", "A"]


def test_rows_that_no_listing_names_stay_whatever_their_ids(server, tmp_path):
    path = write_manifest(tmp_path / "m.csv", server, ["cat", "cat"], source="book", source_id="7")
    assert "3 images, 1 new, 2 no longer listed" in relist(listing_of(tmp_path, server, [2]), path)
    assert len(read_table(path)) == 3


def test_two_addresses_of_one_id_are_refused(server, tmp_path):
    (tmp_path / "l.csv").write_text("url,source_id\nhttp://a/1,7\nhttp://a/1,7\nhttp://a/2,7\n")
    with pytest.raises(ValueError, match=r"l\.csv line 4: expected one url for each source_id, got two for 7\.$"):
        relist(
            settings("", listings={"cat": [{"source": "urls", "path": str(tmp_path / "l.csv")}]}), tmp_path / "m.csv"
        )


def test_a_listing_that_fails_leaves_the_manifest(server, tmp_path):
    relist(listing_of(tmp_path, server, [0, 1]), tmp_path / "m.csv")
    before = (tmp_path / "m.csv").read_bytes()
    (tmp_path / "l.csv").unlink()
    with pytest.raises(FileNotFoundError):
        relist(
            settings("", listings={"cat": [{"source": "urls", "path": str(tmp_path / "l.csv")}]}), tmp_path / "m.csv"
        )
    assert (tmp_path / "m.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("listings", "message"),
    [
        (
            {"cat": [{"source": "myspace"}]},
            r"^params\.yaml collect\.listings\.cat\.0\.source: expected one of .*urls.*, got 'myspace'\.$",
        ),
        ({}, r"^params\.yaml collect\.listings: expected the sources of at least one class, got none\.$"),
        ({"cat": []}, r"collect\.listings: expected the sources of at least one class, got none\.$"),
        ({"cat": [{"source": ["urls"]}]}, r"0\.source: expected one of .*, got \['urls'\]\.$"),
        ({"cat": [{}]}, r"collect\.listings\.cat\.0\.source: expected one of .*, got None\.$"),
        (
            {"a/b": [{"source": "urls", "path": "x"}]},
            r"collect\.listings: expected classes that can name folders, got 'a/b'\.$",
        ),
        ({"cat": [{"source": "urls"}]}, r"collect\.listings\.cat\.0\.path: expected a value, got nothing\.$"),
        (
            {"cat": [{"source": "urls", "path": "x", "y": 1}]},
            r"collect\.listings\.cat\.0\.y: expected one of path, got y\.$",
        ),
    ],
)
def test_a_wrong_listing_is_named(tmp_path, listings, message):
    with pytest.raises(ValueError, match=message):
        relist(settings("", listings=listings), tmp_path / "m.csv")


def test_a_purge_removes_what_is_gone_from_manifest_and_store(server, target, tmp_path, cache):
    path = write_manifest(tmp_path / "m.csv", server, ["cat", "dog", "dog", "dog"])
    run(settings(path), target)
    assert len(list(cache.glob("*/downloads/??/*"))) == 4
    server.plan["127.0.0.1", "/1"].append("404")
    server.plan["127.0.0.1", "/2"].extend(["500"] * 9)
    lines = purge(settings(path).fetch, path).splitlines()
    assert lines == [f"gone: dog {path} {server.url('/1')} {server.url('/1')}", f"{path}: 3 images, 1 removed."]
    assert read_table(path)["url"].tolist() == [server.url(f"/{number}") for number in (0, 2, 3)]
    assert len(list(cache.glob("*/downloads/??/*"))) == 3
    assert run(settings(path), target)["listed"] == 3


def test_the_source_itself_is_never_replaced(source, target):
    before = sorted(path.name for path in source.rglob("*"))
    with pytest.raises(
        ValueError, match=r"expected a new or empty folder, or one that `collect` wrote, got one that holds"
    ):
        collect(source, source)
    assert sorted(path.name for path in source.rglob("*")) == before


def test_what_the_folders_of_a_source_mean_is_said_and_only_of_a_tree(tmp_path, target, write_tree):
    source = tmp_path / "source"
    write_tree(source, {"birds/robin": 1, "birds/wren": 1})
    (source / "birds" / "tit" / "young").mkdir(parents=True)
    (source / ".cache" / "thumbs").mkdir(parents=True)
    assert collect(source, target)["classes"] == {"robin": 1, "wren": 1}
    assert describe_folders(source, target) == [
        "collect: the folder birds is around all others, so it is no class.",
        "collect: no images in birds/tit.",
    ]
    for rows in ("file,class\nbirds/robin/0.png,a\nbirds/wren/0.png,b\n",
                 "file,class,title\nbirds/robin/0.png,robin,A robin\nbirds/wren/0.png,wren,\n"):  # fmt: skip
        (source / "images.csv").write_text(rows)
        collect(source, target)
        assert describe_folders(source, target) == []


@pytest.mark.parametrize("name", ["caf\u00e9", "cafe\u0301", " caf\u00e9 ", b"caf\xe9"])
def test_a_class_has_one_name_however_its_folder_is_written(tmp_path, target, draw, name):
    folder = tmp_path / "source" / os.fsdecode(name)
    folder.mkdir(parents=True)
    draw(0).save(folder / "1.png")
    assert collect(tmp_path / "source", target)["classes"] == {"caf\u00e9": 1}
