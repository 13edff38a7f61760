import errno
import gc
import json
import subprocess
from pathlib import Path

import pytest

from stages.core.terminal import command, progress
from tests.repositories import ENVIRONMENT, warm_environment


def run(root, *arguments, environment):
    command, environment = ["python", "-m", *arguments], environment | {"PYTHONPATH": str(root)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.mark.parametrize(
    ("arguments", "name", "value", "message"),
    [
        (("collect", "raw"), "collect.source", "damaged.zip", "damaged.zip: expected a whole zip or tar archive, got"),
        (
            ("clean", "raw", "review.csv", "to"),
            "clean.min_side",
            0,
            "params.yaml clean.min_side: expected a number >= 1",
        ),
        (
            ("split", "index", "split", "leaks", "folds"),
            "split.ratios",
            "70/15/16",
            "params.yaml split.ratios: expected three",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_status_1(project, root, tmp_path, arguments, name, value, message):
    (tmp_path / "damaged.zip").write_bytes(b"PK\x03\x04 and no more")
    project(name, value)
    done = run(root, f"stages.{arguments[0]}", *arguments[1:], "metrics.json", environment=warm_environment())
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(message)
    assert done.stdout == ""
    assert not (tmp_path / "metrics.json").exists()


def test_a_good_run_says_its_counts_and_writes_its_metrics(project, root, tmp_path, write_tree):
    write_tree(tmp_path / "source", {"a": 1})
    project("collect.source", "source")
    done = run(root, "stages.collect", "raw", "metrics/collect.json", environment=ENVIRONMENT)  # all that Python says
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout.splitlines()
    assert said[0] == "collect: 1 image listed = 1 kept"
    assert [line.split(":")[0] for line in said] == ["collect"] * 3
    counts = json.loads((tmp_path / "metrics" / "collect.json").read_text())
    by_source = {"source": {"a": {"listed": 1, "kept": 1, "failed": {}}}}
    expected = {"listed": 1, "kept": 1, "failed": {}, "classes": {"a": 1}, "sources": by_source}
    assert counts == expected


def fail(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize("error", [ValueError("a\n  b"), TypeError("a b"), FileNotFoundError("a b")])
def test_what_a_person_got_wrong_becomes_one_line(monkeypatch, error):
    monkeypatch.delenv("TRACEBACK", raising=False)
    with pytest.raises(SystemExit) as caught:
        command(fail(error))
    assert caught.value.code == "a b"


@pytest.mark.parametrize(
    ("error", "place"),
    [(OSError(errno.ENOSPC, "No space left on device", "/from", None, "/to"), "/to"),
     (OSError(errno.ENOSPC, "No space left on device", "/to"), "/to"),
     (OSError(errno.EDQUOT, "Disk quota exceeded"), str(Path.cwd()))],
)  # fmt: skip
def test_a_full_disk_is_one_line_with_the_place_that_is_full(monkeypatch, error, place):
    monkeypatch.delenv("TRACEBACK", raising=False)
    with pytest.raises(SystemExit) as caught:
        command(fail(error))
    assert caught.value.code == f"{place}: expected room on the disk to write to, got a full one."


@pytest.mark.parametrize(
    ("error", "reason"),
    [(OSError(errno.EROFS, "", "/there"), "Read-only file system"),
     (PermissionError(errno.EACCES, "", "/from", None, "/there"), "Permission denied")],
)  # fmt: skip
def test_a_place_that_may_not_be_used_is_named_first(monkeypatch, error, reason):
    monkeypatch.delenv("TRACEBACK", raising=False)
    with pytest.raises(SystemExit) as caught:
        command(fail(error))
    assert caught.value.code == f"/there: expected to be allowed to read and write it, got: {reason}."


def test_a_permission_without_a_place_says_what_the_system_says(monkeypatch):
    monkeypatch.delenv("TRACEBACK", raising=False)
    with pytest.raises(SystemExit, match="Permission denied on port 80"):
        command(fail(PermissionError(errno.EACCES, "Permission denied on port 80")))


def test_an_interrupt_says_that_nothing_is_half_written(monkeypatch):
    monkeypatch.delenv("TRACEBACK", raising=False)
    with pytest.raises(SystemExit, match=r"^interrupted: nothing half-written"):
        command(fail(KeyboardInterrupt()))


def test_the_traceback_is_shown_on_request(monkeypatch):
    monkeypatch.setenv("TRACEBACK", "1")
    with pytest.raises(ValueError, match=r"^a$"):
        command(fail(ValueError("a")))


def test_a_mistake_of_ours_keeps_its_traceback(monkeypatch):
    monkeypatch.delenv("TRACEBACK", raising=False)
    with pytest.raises(KeyError):
        command(fail(KeyError("a")))


def test_what_was_imported_and_what_a_step_made_is_not_searched_for_cycles_when_the_process_ends():
    gc.unfreeze()
    made, left_alone = [], []

    def step():
        left_alone.append(gc.get_freeze_count())
        made.extend([] for _ in range(1000))

    command(step)
    left_alone.append(gc.get_freeze_count())
    assert left_alone[0] > 1000
    assert left_alone[1] >= left_alone[0] + 1000


def test_the_bar_passes_the_items_on_and_is_silent_in_a_pipe(capsys):
    assert list(progress(iter("abc"), 3, "title")) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""
