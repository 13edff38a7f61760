"""The command `study`: what it lists, shows and begins; and a tiny study through DVC that is killed and continues."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import psutil
import pytest
from ruamel.yaml import YAML

from stages.core.tables import read_table
from stages.study import __main__ as study_command
from stages.study import run as study
from stages.tracking.records import Record
from tests.repositories import (
    ENVIRONMENT,
    RESULTS,
    copy_working_tree,
    draw_classes,
    run,
    shell,
    shrink,
    warm_environment,
)  # fmt: skip

TINY = """
question: Bars, blobs or dots?
document: a test
images: {origin: drawn, quote: "", source: data/own, how: "", params: {}}
params: {}
networks:
  convnet:
    input: data/3_pixels
    params: {epochs: 1, width: 0.02}
    sweeps:
      learning_rate: {param: learning_rate, values: [1e-3, 1e+30], chosen: 1e-3, quote: ""}
      split: {param: split.ratios, values: [70/15/15, 60/20/20], chosen: 70/15/15, quote: ""}
  xception:
    input: data/5_features/xception
    params: {epochs: 1}
    sweeps: {}
instead: []
findings:
  - {claim: a rate of 1e30 does not learn, quote: "", check: does_not_learn, network: convnet, sweep: learning_rate,
     values: [1e+30]}
  - {claim: 70/15/15 is better, quote: "", check: best_of, network: convnet, sweep: split, value: 70/15/15}
"""
FIRST, FAILING = "tiny-convnet-learning_rate-0.001-s0", "tiny-convnet-learning_rate-1e+30-s0"
OTHERS = [
    "tiny-convnet-split-60-20-20-s0",
    "tiny-xception-final-s0",
]


@pytest.fixture
def say(project, root, tmp_path, monkeypatch, capsys):
    """Return a function that runs the command in a folder with the shipped studies and returns what it prints."""
    shutil.copytree(root / "studies", tmp_path / "studies")

    def run_command(*arguments):
        monkeypatch.setattr(sys, "argv", ["study", *arguments])
        study_command.main()
        return capsys.readouterr().out

    return run_command


def test_list_says_what_each_study_asks(say):
    assert "film_genres        Which genre is a film scene of, romance, action or anime?" in say("list")


def test_show_tells_the_study_and_its_lines_without_its_images(say):
    shown = say("show", "kuroko_kagami")
    assert "kernel 25 costs 22 times kernel 3" in shown
    lines = [line for line in shown.splitlines() if line.startswith("dvc exp run ")]
    assert len(lines) == 6
    assert "-S train.convnet.kernel_size=25 evaluate@convnet" in lines[-1]


def test_dry_prints_the_lines_of_one_sweep_alone(say):
    lines = say("run", "film_genres", "--sweep", "dropout", "--network", "vgg16", "--dry").splitlines()
    assert [line.split()[4].removeprefix("film_genres-vgg16-") for line in lines] == [
        f"dropout-{value}-s0" for value in (0.2, 0.3, 0.4, 0.5)
    ]


def test_a_new_study_can_be_shown_at_once(say):
    say("new", "birds")
    assert "dvc exp run -n birds-vgg-learning_rate-0.001-s0" in say("show", "birds")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["run", "cars_tanks"], "--data data/cars_tanks: expected a folder, an archive or a study's name, got none"),
     (["run", "cars_tanks", "--data", "nowhere"], "--data nowhere: expected"),
     (["show", "cars_tanks", "--sweep", "dropout"], "--sweep: expected one of final of cars_tanks, got dropout"),
     (["show", "cars_tanks", "--network", "vgg16"], "--network: expected one of vgg, peetznet, xception"),
     (["show", "cars_tanks", "--seeds", "0"], "--seeds: expected a number >= 1, got 0"),
     (["report", "metrics/studies/none"], "expected a JSON file")],
)  # fmt: skip
def test_what_cannot_be_is_said_in_one_line(say, arguments, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        say(*arguments)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A repository with this working tree's files, small params, few images and a tiny study; nothing has run."""
    folder = tmp_path_factory.mktemp("repository")
    copy_working_tree(folder, RESULTS)
    yaml = YAML()
    params = yaml.load(folder / "params.yaml")
    shrink(params)
    yaml.dump(params, folder / "params.yaml")
    draw_classes(folder / "data" / "own")
    (folder / "studies" / "tiny.yaml").write_text(TINY)
    shell(folder, "git", "init", "--quiet")
    for key in ("user.name", "user.email"):
        shell(folder, "git", "config", key, "test")
    shell(folder, "git", "add", "--all")
    shell(folder, "git", "commit", "--quiet", "--message", "first")
    return folder


def wait_for(condition):
    end = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_the_lines_go_on_from_what_was_best_in_sweeps_that_are_done(say, monkeypatch):
    def find(runs, records):
        new = [run.name for run in runs if "learning_rate" in run.name and run.name not in records]
        records.update({name: Record({"val_accuracy": 0.9 if "1e-06" in name else 0.5}, None, None) for name in new})
        return new

    first = say("show", "film_genres", "--data", "clipart", "--carry", "measured")
    assert "film_genres-measured-vgg16-dropout" not in first
    monkeypatch.setattr(study, "adopt", find)
    then = say("show", "film_genres", "--data", "clipart", "--carry", "measured")
    lines = [line for line in then.splitlines() if "dvc exp run" in line]
    assert all(line.startswith("# done: ") == ("learning_rate-" in line) for line in lines)
    dropout = [line for line in lines if "-vgg16-dropout-" in line]
    assert len(dropout) == 4
    assert all("train.vgg16.learning_rate=1e-06" in line for line in dropout)


def kill_in_second_training(repository):
    """Run the study until its second experiment trains, then kill it and all processes that it started."""
    log = repository / ".dvc" / "tmp" / "studies" / f"{FAILING}.log"
    command = [sys.executable, "-m", "stages.study", "run", "tiny"]
    process = subprocess.Popen(command, cwd=repository, env=warm_environment(), stdout=subprocess.DEVNULL)
    wait_for(lambda: log.is_file() and "Running stage 'train@convnet'" in log.read_text())
    started = psutil.Process(process.pid).children(recursive=True)
    for each in (process, *started):
        os.kill(each.pid, signal.SIGKILL)
    process.wait()
    psutil.wait_procs(started, timeout=30)


@contextmanager
def person_at_work(repository):
    """Save a file again and again, add lines to another, and let `git commit` wait in its editor, all to the end."""
    is_over, commits = threading.Event(), repository / ".git" / "COMMIT_EDITMSG.over"
    editor = f"sh -c 'until [ -e {commits} ]; do sleep 0.1; done; echo mine > $1' -"
    commit = subprocess.Popen(["git", "commit", "--all"], cwd=repository, env=ENVIRONMENT | {"GIT_EDITOR": editor})
    wait_for((repository / ".git" / "index.lock").exists)
    saved = 0

    def save():
        nonlocal saved
        while not is_over.wait(0.05):
            saved += 1
            (repository / "README.md").write_text(f"version {saved}")
            with (repository / "CHANGELOG.md").open("a") as stream:
                stream.write(f"line {saved}\n")

    thread = threading.Thread(target=save)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        commits.touch()
        status = commit.wait(30)
    assert status == 0
    assert (repository / "README.md").read_text() == f"version {saved}"
    lines = (repository / "CHANGELOG.md").read_text().splitlines()
    assert [line for line in lines if line.startswith("line ")] == [f"line {number + 1}" for number in range(saved)]
    assert run(repository, "git", "log", "-1", "--format=%s") == "mine\n"
    assert run(repository, "git", "stash", "list") == ""


@pytest.mark.slow
def test_a_killed_study_goes_on_and_one_failure_does_not_stop_the_others(repository, tmp_path):
    repro = subprocess.Popen(["dvc", "repro", "collect"], cwd=repository, env=warm_environment())
    kill_in_second_training(repository)
    kept = read_table(repository / "metrics" / "studies" / "tiny" / "runs.csv").set_index("run")
    assert (kept.loc[FIRST, "status"].iloc[0], kept.loc[FAILING, "status"]) == ("done", "not run")
    assert repro.wait(30) == 0  # both at once
    run(repository, "git", "add", "--all")
    run(repository, "git", "commit", "--quiet", "--message", "collected")
    assert run(repository, "git", "status", "--porcelain") == ""

    (repository / "LICENSE").write_text("changed before the study")
    with person_at_work(repository):
        output = run(repository, "python", "-m", "stages.study", "run", "tiny", expect=1)
    assert f"done already: {FIRST}" in output
    assert output.count("dvc exp run -n") == 1 + len(OTHERS)
    assert output.count("done in") == len(OTHERS)
    assert f"failed: {FAILING}: params.yaml train.convnet.learning_rate: expected one with which the loss" in output
    assert not (repository / ".dvc" / "tmp" / "studies" / "clone").exists()
    changed = run(repository, "git", "status", "--porcelain").splitlines()
    others = [line for line in changed if not line[3:].startswith("metrics/studies/tiny/")]
    assert (others, len(changed) > 2) == ([" M CHANGELOG.md", " M README.md"], True)

    folder = repository / "metrics" / "studies" / "tiny"
    runs = read_table(folder / "runs.csv").set_index(["network", "sweep", "value"])
    assert runs.loc[("convnet", "learning_rate", "1e+30"), "status"] == "failed"
    assert sorted(set(runs.loc[runs["status"] == "done", "run"])) == sorted([FIRST, *OTHERS])
    # The value that params.yaml has shares the run of the sweep before; only final models have a test accuracy.
    assert runs.loc[("convnet", "split", "70/15/15"), "run"] == FIRST
    assert set(runs.loc[runs["test_accuracy"] != ""].index.get_level_values("sweep")) == {"final"}
    assert sorted(path.name for path in folder.glob("*.png")) == [
        "convnet-learning_rate.png", "convnet-split.png",
    ]  # fmt: skip

    check_nothing_ran_twice(repository)
    check_what_is_done_is_shown_so(repository)
    check_a_clone_reports_the_same(repository, tmp_path)
    check_other_code_makes_a_run_stale(repository)


def check_nothing_ran_twice(repository):
    logs = "".join(path.read_text() for path in (repository / ".dvc" / "tmp" / "studies").glob("*.log"))
    assert logs.count("Running stage 'preprocess'") == 1
    assert logs.count("Running stage 'features@xception'") == 1


def check_what_is_done_is_shown_so(repository):
    lines = run(repository, "python", "-m", "stages.study", "run", "tiny", "--dry").splitlines()
    assert [line for line in lines if not line.startswith("# done: ")] == [line for line in lines if FAILING in line]
    assert len(lines) == 2 + len(OTHERS)


def check_a_clone_reports_the_same(repository, folder):
    page = (repository / "metrics" / "studies" / "tiny" / "README.md").read_text()
    run(repository, "git", "add", "metrics")
    run(repository, "git", "commit", "--quiet", "--message", "results")
    shell(folder, "git", "clone", "--quiet", str(repository), "clone")
    run(folder / "clone", "python", "-m", "stages.study", "report", "metrics/studies/tiny")
    assert (folder / "clone" / "metrics" / "studies" / "tiny" / "README.md").read_text() == page
    assert run(folder / "clone", "git", "status", "--porcelain") == ""
    check_what_is_done_is_shown_so(folder / "clone")  # the tables alone say so


def check_other_code_makes_a_run_stale(repository):
    with (repository / "stages" / "models" / "convnet.py").open("a") as stream:
        stream.write("# another comment\n")
    lines = run(repository, "python", "-m", "stages.study", "run", "tiny", "--dry").splitlines()
    assert [line for line in lines if line.startswith("# done: ")] == [line for line in lines if "xception" in line]
