import errno
import hashlib
import multiprocessing
from pathlib import Path

import pytest

from stages.core.files import MARK, read_json, remove, replacing, replacing_folder, sha256, write_json


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_finished_file_takes_the_place_of_the_old(tmp_path):
    (tmp_path / "out").write_text("old")
    with replacing(tmp_path / "out") as unfinished:
        unfinished.write_text("new")
        assert (tmp_path / "out").read_text() == "old"
    assert (tmp_path / "out").read_text() == "new"
    assert names(tmp_path) == ["out"]


def test_at_no_moment_is_there_neither_the_old_file_nor_the_new_one(tmp_path, monkeypatch):
    (tmp_path / "out").write_text("old")
    seen, replace = [], Path.replace

    def look(path, target):
        seen.append((Path(target).read_text(), path.read_text()))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", look)
    with replacing(tmp_path / "out") as unfinished:
        unfinished.write_text("new")
    assert seen == [("old", "new")]
    assert (tmp_path / "out").read_text() == "new"


def test_a_finished_folder_holds_nothing_of_the_old(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").touch()
    with replacing(tmp_path / "out") as unfinished:
        unfinished.mkdir()
        (unfinished / "new").touch()
    assert names(tmp_path / "out") == ["new"]


def test_a_folder_may_take_the_place_of_a_file(tmp_path):
    (tmp_path / "out").touch()
    with replacing(tmp_path / "out") as unfinished:
        unfinished.mkdir()
    assert (tmp_path / "out").is_dir()


def test_missing_parents_are_made(tmp_path):
    with replacing(tmp_path / "a" / "b" / "out") as unfinished:
        unfinished.touch()
    assert (tmp_path / "a" / "b" / "out").is_file()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_target_and_nothing_else(tmp_path, error):
    (tmp_path / "out").write_text("old")
    with pytest.raises(error), replacing(tmp_path / "out") as unfinished:
        unfinished.write_text("half")
        raise error
    assert (tmp_path / "out").read_text() == "old"
    assert names(tmp_path) == ["out"]


def test_a_block_that_writes_nothing_leaves_the_old_target(tmp_path):
    (tmp_path / "out").write_text("old")
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "out"):
        pass
    assert (tmp_path / "out").read_text() == "old"


def test_leftovers_of_a_killed_run_are_removed(tmp_path):
    (tmp_path / ".out.part").mkdir()
    (tmp_path / ".out.part" / "stale").touch()
    with replacing(tmp_path / "out") as unfinished:
        unfinished.mkdir()
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == []


def test_a_second_writer_is_refused_and_the_first_goes_on(tmp_path):
    with replacing(tmp_path / "out") as first:
        first.write_text("first")
        with (
            pytest.raises(ValueError, match=r"out: expected no other step writing it, got one"),
            replacing(tmp_path / "out") as second,
        ):
            second.write_text("second")
    assert (tmp_path / "out").read_text() == "first"


def write_and_wait(target, started, finish):
    with replacing(target) as unfinished:
        unfinished.write_text("first")
        started.set()
        finish.wait(10)


def test_a_writer_in_another_process_is_refused_until_that_ends(tmp_path):
    context = multiprocessing.get_context("fork")
    started, finish = context.Event(), context.Event()
    other = context.Process(target=write_and_wait, args=(tmp_path / "out", started, finish))
    other.start()
    assert started.wait(10)
    with pytest.raises(ValueError, match="expected no other step"), replacing(tmp_path / "out"):
        pass
    finish.set()
    other.join()
    assert (tmp_path / "out").read_text() == "first"
    with replacing(tmp_path / "out") as unfinished:
        unfinished.write_text("second")
    assert (tmp_path / "out").read_text() == "second"


def test_two_targets_of_one_folder_are_written_at_once(tmp_path):
    with replacing(tmp_path / "a") as a, replacing(tmp_path / "b") as b:
        a.touch()
        b.touch()
    assert names(tmp_path) == ["a", "b"]


def test_removing_a_link_leaves_what_it_points_to(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    remove(tmp_path / "link")
    assert names(tmp_path) == ["folder"]


def test_removing_nothing_is_no_error(tmp_path):
    remove(tmp_path / "none")
    assert names(tmp_path) == []


def test_json_comes_back_as_it_was(tmp_path):
    values = {"b": [1, 2.5, None], "a": {"ä": True}}
    write_json(values, tmp_path / "deep" / "values.json")
    assert read_json(tmp_path / "deep" / "values.json") == values
    assert list(read_json(tmp_path / "deep" / "values.json")) == ["b", "a"]


def test_json_that_cannot_be_written_leaves_the_old(tmp_path):
    write_json({"a": 1}, tmp_path / "values.json")
    with pytest.raises(TypeError):
        write_json({"a": object()}, tmp_path / "values.json")
    assert read_json(tmp_path / "values.json") == {"a": 1}


def test_missing_json_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.json: expected a JSON file, got no such file\.$"):
        read_json(tmp_path / "none.json")


def test_sha256_is_that_of_the_bytes(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / "file").write_bytes(content)
    assert sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()


# --- folders that a step may replace


def write_folder(target, step="clean", name="new.csv"):
    with replacing_folder(target, step) as folder:
        (folder / name).write_text("new")


def test_a_step_replaces_its_own_folder_and_one_that_is_new_or_empty(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".network.json.lock").touch()  # as DVC leaves a folder whose files it deleted
    for name in ("new", "empty"):
        write_folder(tmp_path / name)
        write_folder(tmp_path / name, name="newer.csv")
        assert sorted(path.name for path in (tmp_path / name).iterdir()) == [MARK, "newer.csv"]


def test_a_folder_of_a_person_stays_as_it_is(tmp_path):
    photos = tmp_path / "photos"
    (photos / "holiday").mkdir(parents=True)
    (photos / "notes.txt").write_text("mine")
    message = (
        r"photos: expected a new or empty folder, or one that `clean` wrote, got one that holds holiday, and more\."
    )
    with pytest.raises(ValueError, match=message):
        write_folder(photos)
    assert sorted(path.name for path in photos.iterdir()) == ["holiday", "notes.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_a_lock_file_of_a_person_is_not_taken_for_ours(tmp_path):
    (tmp_path / "tool").mkdir()
    (tmp_path / "tool" / "poetry.lock").write_text("mine")
    with pytest.raises(ValueError, match=r"tool: expected .*, got one that holds poetry\.lock\."):
        write_folder(tmp_path / "tool")
    assert (tmp_path / "tool" / "poetry.lock").read_text() == "mine"


def test_a_folder_of_another_step_and_a_file_stay_as_they_are(tmp_path):
    write_folder(tmp_path / "raw", "collect")
    with pytest.raises(ValueError, match=r"raw: expected .* that `clean` wrote, got one that `collect` wrote\."):
        write_folder(tmp_path / "raw")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match=r"file: expected .*, got a file\."):
        write_folder(tmp_path / "file")
    assert (tmp_path / "raw" / "new.csv").exists()
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_of_which_the_step_fails_stays_and_is_still_its_own(tmp_path):
    write_folder(tmp_path / "raw")
    with pytest.raises(OSError, match="full"), replacing_folder(tmp_path / "raw", "clean"):
        raise OSError("full")
    write_folder(tmp_path / "raw", name="newer.csv")
    assert (tmp_path / "raw" / "newer.csv").exists()


FULL_DISK = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    "error",
    [FULL_DISK, OSError(errno.EDQUOT, "Disk quota exceeded"), OSError("50176 requested and 28672 written"),
     OSError("Can't write data (errno = 28, error message = 'No space left on device')")], ids=str,
)  # fmt: skip
def test_a_full_disk_is_one_line_and_leaves_what_was_there(tmp_path, error):
    (tmp_path / "table.csv").write_text("old")
    expected = rf"^{tmp_path}/table.csv: expected room on the disk to write it, got a full one\.$"
    with pytest.raises(ValueError, match=expected), replacing(tmp_path / "table.csv") as unfinished:
        unfinished.write_text("half")
        raise error
    assert (tmp_path / "table.csv").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")] == ["table.csv"]


@pytest.mark.parametrize(
    "error",
    [PermissionError(errno.EACCES, "Permission denied"), OSError(errno.EFBIG, "File too large"),
     FileNotFoundError(errno.ENOENT, "No such file", "/data/No space left/a.jpg")], ids=str,
)  # fmt: skip
def test_another_error_of_the_system_stays_as_it_is(tmp_path, error):
    with pytest.raises(type(error)), replacing(tmp_path / "table.csv"):
        raise error


@pytest.mark.parametrize(
    ("content", "found"),
    [("<<<<<<< HEAD\n{}", "expected JSON, got an error: Expecting value: line 1 column 1"),
     ("", "expected JSON, got an error"), ("[1]", r"expected an object of JSON, got \[1\]\.$")],
)  # fmt: skip
def test_what_is_no_json_object_is_refused_by_name(tmp_path, content, found):
    (tmp_path / "values.json").write_text(content)
    with pytest.raises(ValueError, match=rf"values\.json: {found}"):
        read_json(tmp_path / "values.json")


@pytest.mark.parametrize(("content", "known"), [("{}", "none"), ('{"a": 1, "b": 2}', "a, b")])
def test_a_missing_key_is_named_with_its_file(tmp_path, content, known):
    (tmp_path / "values.json").write_text(content)
    with pytest.raises(ValueError, match=rf"values\.json: expected the key champion, got {known}\.$"):
        read_json(tmp_path / "values.json")["champion"]
    assert read_json(tmp_path / "values.json").get("champion") is None
