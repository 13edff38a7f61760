"""A worker's task: it clones, pulls, runs and pushes, its folder serves again, and a failure is told, not raised."""

import sys
from dataclasses import replace

import pytest

from stages.tracking import worker
from stages.tracking.worker import Task, free_folder, work
from tests.repositories import shell

# Stands in for DVC: writes down what it is asked, makes the reference of an experiment, and fails where it is told to.
DVC = """#!/bin/sh
echo "$@" >> {calls}
case "$*" in $(cat {failing})) echo "ERROR: no space left"; exit 255;; esac
case "$1 $2" in "exp run") git update-ref refs/exps/aa/$(printf %038d 0)/$4 HEAD;; esac
"""


@pytest.fixture
def task(tmp_path, monkeypatch):
    """A task whose code is in a repository of one commit."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "failing").write_text("none")
    monkeypatch.setattr(worker, "PAUSES_S", (0, 0))
    dvc = tmp_path / "bin" / "dvc"
    dvc.write_text(DVC.format(calls=tmp_path / "calls", failing=tmp_path / "failing"))
    dvc.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    origin = tmp_path / "origin"
    origin.mkdir()
    shell(origin, "git", "init", "--quiet")
    (origin / "params.yaml").write_text("first")
    return Task(
        str(origin),
        commit(origin),
        "store",
        "/mnt",
        ["split"],
        ["data/own.dvc"],
        ("me", "me@here"),
        "one",
        ["dvc", "exp", "run", "-n", "one"],
    )


def commit(origin):
    shell(origin, "git", "add", "--all")
    shell(origin, "git", "-c", "user.name=a", "-c", "user.email=b", "commit", "--quiet", "-m", "commit")
    return shell(origin, "git", "rev-parse", "HEAD").strip()


def calls(tmp_path):
    """Return what DVC was asked since the last time, without its settings."""
    path = tmp_path / "calls"
    lines = path.read_text().splitlines()
    path.unlink()
    return [line for line in lines if not line.startswith("config")]


def test_the_second_task_finds_the_clone_and_the_data(task, tmp_path, own_cache):
    report = work(task)
    assert (report.failed, calls(tmp_path)) == (
        "", ["pull split data/own.dvc", "exp run -n one", "exp push --force origin one"],
    )  # fmt: skip
    assert report.seconds >= report.run_seconds > 0
    clone = own_cache / "workers" / "0"
    (clone / "params.yaml").write_text("changed by the experiment")
    (clone / "left").write_text("by the experiment")
    assert work(replace(task, name="two", command=["dvc", "exp", "run", "-n", "two"])).failed == ""
    assert calls(tmp_path) == ["exp run -n two", "exp push --force origin two"]
    assert (clone / "params.yaml").read_text() == "first"
    assert not (clone / "left").exists()
    assert "/one" not in shell(clone, "git", "for-each-ref")


def test_another_commit_is_fetched_and_its_data_pulled(task, tmp_path, own_cache):
    work(task)
    calls(tmp_path)
    (tmp_path / "origin" / "params.yaml").write_text("second")
    assert work(replace(task, commit=commit(tmp_path / "origin"))).failed == ""
    assert calls(tmp_path)[0] == "pull split data/own.dvc"
    assert (own_cache / "workers" / "0" / "params.yaml").read_text() == "second"


def test_data_that_the_remote_lacks_are_made(task, tmp_path):
    (tmp_path / "failing").write_text("pull*")
    assert work(task).failed == ""
    assert calls(tmp_path)[:2] == ["pull split data/own.dvc", "repro split"]


@pytest.mark.parametrize("step", ["exp run -n one", "exp push --force origin one"])
def test_a_command_that_fails_is_told_with_what_it_printed(task, tmp_path, step):
    (tmp_path / "failing").write_text(step.replace(" ", "?"))
    report = work(task)
    assert report.failed == f"dvc {step}"
    assert report.log.endswith("ERROR: no space left\n")
    assert calls(tmp_path).count(step) == (3 if "push" in step else 1)  # a push is tried again


def test_a_repository_that_is_gone_is_told(task):
    report = work(replace(task, git_url="/nowhere"))
    assert report.failed == "git clone --quiet --no-checkout /nowhere ."
    assert "'/nowhere' does not exist" in report.log


def test_a_machine_without_the_packages_says_so(task, tmp_path, monkeypatch):
    (tmp_path / "bin" / "dvc").unlink()
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert work(task).failed == f"expected the packages of requirements.txt in {sys.prefix}, got no dvc"


def test_what_a_kill_left_in_part_is_made_anew(task, tmp_path, own_cache):
    clone = own_cache / "workers" / "0"
    (clone / ".git").mkdir(parents=True)
    (clone / "params.yaml").write_text("half")
    assert work(task).failed == ""
    for name in worker.TORN:
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_text("torn")
    assert work(task).failed == ""
    assert (clone / "params.yaml").read_text() == "first"


def test_two_tasks_of_a_machine_have_folders_of_their_own(tmp_path):
    with free_folder(tmp_path) as first, free_folder(tmp_path) as second:
        assert (first.name, second.name) == ("0", "1")
    with free_folder(tmp_path) as again:
        assert again == first


def test_what_a_killed_dvc_left_of_an_experiment_stops_no_later_one(task, own_cache):
    work(task)
    clone = own_cache / "workers" / "0"
    experiment = shell(clone, "git", "for-each-ref", "--format=%(refname)", "refs/exps").strip()
    shell(clone, "git", "symbolic-ref", "refs/exps/exec/EXEC_BRANCH", experiment)
    assert work(task).failed == ""


def test_a_torn_clone_is_not_the_repository_around_it(task, tmp_path, monkeypatch):
    around = tmp_path / "dotfiles"
    around.mkdir()
    shell(around, "git", "init", "--quiet")
    (around / "kept").write_text("by a person")
    monkeypatch.setenv("XDG_CACHE_HOME", str(around / ".cache"))
    (around / ".cache" / "dvc-image-classification" / "workers" / "0" / ".git").mkdir(parents=True)
    assert work(task).failed == ""
    assert (around / "kept").read_text() == "by a person"
    assert "origin" not in shell(around, "git", "remote")


def test_keys_in_addresses_are_in_no_report(task):
    keyed = "https://me:s3cret@127.0.0.1:1/code"
    reports = [work(replace(task, git_url=keyed)), work(replace(task, store_url=keyed))]
    assert reports[0].failed == "git clone --quiet --no-checkout https://***@127.0.0.1:1/code ."
    assert reports[1].failed == ""
    for report in reports:
        assert "https://***@127.0.0.1:1/code" in report.log
        assert "s3cret" not in report.log


def test_a_run_is_its_authors_also_where_git_knows_nobody(task, tmp_path, monkeypatch, own_cache):
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "nobody"))
    commit = ["git", "commit", "--quiet", "--allow-empty", "--message", "experiment"]
    assert work(replace(task, command=commit)).failed == ""
    shown = shell(own_cache / "workers" / "0", "git", "log", "-1", "--format=%an %ae %cn %ce")
    assert shown == "me me@here me me@here\n"


def test_a_folder_that_cannot_be_made_is_told(task, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert "Not a directory" in work(task).failed
