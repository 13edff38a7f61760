"""What the doctor says of a repository, and what it mends."""

import os
import sys
import time
from pathlib import Path

import pytest

from stages import doctor
from stages.tracking import diagnosis, risks
from stages.tracking.diagnosis import Diagnosis, examine
from stages.tracking.git import git
from tests.repositories import shell

LOCK = """schema: '2.0'
stages:
  split:
    cmd: python -m stages.split
    deps:
    - path: data/3_pixels/index.csv
      hash: md5
      md5: cb79ffacb9d2571493032dda9e50052f
      size: 23467
    params:
      params.yaml:
        split.ratios: 70/15/15
"""


@pytest.fixture
def repository(project, tmp_path, monkeypatch):
    """A repository with DVC's files, all whole and committed."""
    monkeypatch.setattr(diagnosis, "WRITTEN_S", 0.01)
    monkeypatch.setattr(risks, "LEAST_GIGABYTES", 0)
    Path("dvc.lock").write_text(LOCK)
    Path("dvc.yaml").write_text("stages: {}\n")
    shell(tmp_path, "git", "init", "--quiet")
    for key in ("user.name", "user.email"):
        shell(tmp_path, "git", "config", key, "test")
    shell(tmp_path, "git", "add", "--all")
    shell(tmp_path, "git", "commit", "--quiet", "--message", "first")
    return tmp_path


def test_a_whole_repository_has_nothing(repository):
    assert examine() == Diagnosis([], [], [])


@pytest.mark.parametrize("kept", ["", "schema:", "    deps:\n", "path:", "hash:", "params.yaml:\n", "split.rat"])
def test_a_lock_file_that_is_cut_off_is_set_aside_and_the_committed_one_is_back(repository, kept):
    torn = LOCK[: LOCK.index(kept) + len(kept)]
    Path("dvc.lock").write_text(torn)
    [mended] = examine().mended
    assert mended.startswith("dvc.lock: was cut off, as a killed DVC leaves it; it is .dvc/tmp/dvc.lock.2")
    assert "the committed one is back" in mended
    assert Path("dvc.lock").read_text() == LOCK
    [aside] = Path(".dvc/tmp").iterdir()
    assert aside.read_text() == torn
    assert examine() == Diagnosis([], [], [])


@pytest.mark.parametrize("committed", ["", "stages:"])
def test_a_lock_file_of_which_no_commit_has_a_whole_one_is_written_anew(repository, committed):
    Path("dvc.lock").write_text(committed)
    shell(repository, "git", "commit", "--quiet", "--all", "--message", "torn")
    Path("dvc.lock").write_text("stages:")
    assert "`dvc repro` writes it anew" in examine().mended[0]
    assert not Path("dvc.lock").exists()


@pytest.mark.parametrize("torn", ["", '{"read": {"data', "[]"])
def test_a_table_of_running_commands_that_is_cut_off_is_set_aside(repository, torn):
    running = Path(".dvc/tmp/rwlock")
    running.parent.mkdir(parents=True)
    running.write_text(torn)
    assert examine().mended[0].startswith(".dvc/tmp/rwlock: was cut off")
    assert not running.exists()
    running.write_text("{}")
    assert examine() == Diagnosis([], [], [])


def test_a_file_that_is_being_written_is_waited_for_and_left_alone(repository, monkeypatch):
    Path("dvc.lock").write_text("")
    monkeypatch.setattr(time, "sleep", lambda seconds: Path("dvc.lock").write_text(LOCK))
    assert examine() == Diagnosis([], [], [])


def test_a_file_that_is_written_again_and_again_is_left_alone(repository, monkeypatch):
    texts = iter(["stages: [", "stages: {", LOCK])
    Path("dvc.lock").write_text("")
    monkeypatch.setattr(time, "sleep", lambda seconds: Path("dvc.lock").write_text(next(texts)))
    assert examine() == Diagnosis([], [], [])


@pytest.mark.parametrize("path", ["dvc.lock", "dvc.yaml", "params.yaml"])
def test_a_conflict_is_for_a_person_and_its_file_stays(repository, path):
    content = f"a: 1\n<<<<<<< HEAD\nb: 2\n=======\nb: 3\n>>>>>>> theirs\n{Path(path).read_text()}"
    Path(path).write_text(content)
    found = examine()
    assert f"{path} line 2: expected no conflict of a merge, got one" in found.faults[0]
    assert found.mended == []
    assert Path(path).read_text() == content


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda: Path("params.yaml").unlink(), "params.yaml: expected a file here"),
        (lambda: Path("dvc.yaml").write_text("stages: {"), "dvc.yaml line 2: expected YAML, got something else: "),
        (
            lambda: Path("params.yaml").write_text("a: 1\nb: [keras, pip:a==1]"),
            "params.yaml line 2: expected YAML, got something else: found unexpected ':'; in brackets put quotes",
        ),
    ],
)
def test_a_file_without_which_dvc_does_not_start_is_named(repository, break_it, said):
    break_it()
    assert examine().faults[0].startswith(said)


def make_old_lock():
    lock = Path(".git/index.lock")
    lock.touch()
    os.utime(lock, (0, 0))


@pytest.mark.parametrize(
    ("risk", "said"),
    [
        (lambda: shell(Path(), "git", "config", "--unset", "user.email"), "git config user.email: expected a value"),
        (lambda: Path(".git").rename("git"), "expected a Git repository, got none"),
        (make_old_lock, ".git/index.lock: expected none, got one"),
    ],
)
def test_what_may_fail_later_is_said(repository, monkeypatch, risk, said):
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    risk()
    found = examine()
    assert said in found.warnings[0]
    assert found.faults == []


@pytest.mark.parametrize(
    ("name", "target", "said"),
    [
        (
            "caf\udce9/1.png",
            None,
            "photos/caf\\udce9/1.png': expected a name in UTF-8, without which DVC does not go on",
        ),
        ("cat/1.png", "nowhere", "photos/cat/1.png: expected a file, got a link to nothing, at which DVC stops"),
    ],
)
def test_a_source_that_dvc_cannot_hash_is_named(repository, project, name, target, said):
    project("collect.source", "photos")
    (repository / "photos" / name).parent.mkdir(parents=True)
    (repository / "photos" / "2.png").write_text("image")
    assert examine().faults == []
    if target:
        (repository / "photos" / name).symlink_to(target)
    else:
        (repository / "photos" / name).write_text("image")
    [fault] = examine().faults
    assert said in fault


def make_experiment(name):
    """Make a reference as DVC does, to a commit with all that is in the folder, and go back."""
    shell(Path(), "git", "add", "--all")
    shell(Path(), "git", "commit", "--quiet", "--allow-empty", "--message", name)
    commit = git("rev-parse", "HEAD")
    shell(Path(), "git", "update-ref", f"refs/exps/{commit[:2]}/{commit[2:]}/{name}", commit)
    shell(Path(), "git", "reset", "--quiet", "--soft", "HEAD^")


def test_an_experiment_from_before_the_remote_is_said_to_be_pushed_without_data(repository):
    Path(".dvc").mkdir()
    Path(".dvc/config").write_text("[core]\n    autostage = true\n")
    make_experiment("early")
    assert examine().warnings == []
    Path(".dvc/config").write_text("[core]\n    remote = team\n['remote \"team\"']\n    url = /mnt/team\n")
    make_experiment("late")
    [warning] = examine().warnings
    assert warning.startswith("early: made before a DVC remote was the default: `dvc exp push` leaves out their data")
    Path(".dvc/config.local").write_text("[core]\n    remote = team\n")
    assert examine().warnings == []


def test_a_full_disk_and_an_odd_path_are_said(repository, monkeypatch):
    odd = repository / "a#b"
    odd.mkdir()
    monkeypatch.chdir(odd)
    monkeypatch.setattr(risks, "LEAST_GIGABYTES", 1e9)
    warnings = examine().warnings
    assert warnings[0].startswith("disk: expected at least 1000000000.0 GB free here, got ")
    assert "expected a path without #, ? and %, got #" in warnings[1]


def test_the_command_prints_a_line_for_each_and_ends_with_1_if_a_person_must_act(repository, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["doctor"])
    doctor.main()
    assert capsys.readouterr().out == "doctor: nothing is torn, and nothing stands in the way.\n"
    Path("dvc.lock").write_text("")
    doctor.main()
    assert capsys.readouterr().out.startswith("mended: dvc.lock: was cut off")
    Path("params.yaml").unlink()
    with pytest.raises(SystemExit, match="1"):
        doctor.main()
    assert capsys.readouterr().out.startswith("to mend: params.yaml: expected a file")
