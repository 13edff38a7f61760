"""An edit of what a stage reads, while it runs, is an error; each kind of input and of edit is a row."""

import os
import shutil
import time
from pathlib import Path

import pytest
from dvc.dependency import ParamsDependency
from dvc.repo import Repo

from stages.core import stage_inputs
from stages.core.files import replacing_folder
from stages.core.terminal import command

PIPELINE = """
stages:
  sort:
    cmd: python -m stages.sort
    deps: ["${collect.source}", data/kept.csv]
    params: [split.seed]
  fit:
    foreach: ${networks}
    do:
      cmd: python -m stages.fit ${key}
      deps: ["${item.input}", "models/${key}.py"]
      params: [train.common, "train.${key}"]
"""
PARAMS = """
collect: {source: data/raw}
split: {seed: 0, ratios: 70/15/15}
networks: {vgg: {input: data/kept.csv}}
train: {common: {batch_size: 32}, vgg: {learning_rate: 0.1}, alexnet: {learning_rate: 0.2}}
"""


@pytest.fixture
def pipeline(tmp_path, monkeypatch):
    """Work in a folder with a pipeline, as a process that began when all inputs were there."""
    monkeypatch.chdir(tmp_path)
    for path in ("data/raw/cats/1.png", "data/raw/cats/__pycache__/a.pyc", "data/kept.csv", "models/vgg.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("before")
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    (tmp_path / "params.yaml").write_text(PARAMS)
    monkeypatch.setattr(stage_inputs, "STARTED_NS", time.time_ns())
    monkeypatch.setattr(stage_inputs, "_at_start", None)

    def run(stage, step):
        """Run the step as DVC runs the stage, and return the line with which it failed; an empty text if it did not."""
        monkeypatch.setenv("DVC_STAGE", stage)
        try:
            command(step)
        except SystemExit as end:
            return end.code
        return ""

    return run


def write(path, text="after"):
    Path(path).write_text(text)


EDITS = {
    "a table": ("sort", "data/kept.csv", lambda: write("data/kept.csv")),
    "an image": ("sort", "data/raw/cats/1.png", lambda: write("data/raw/cats/1.png")),
    "the same text again": ("sort", "data/kept.csv", lambda: write("data/kept.csv", "before")),
    "a new image": ("sort", "data/raw/cats/2.png", lambda: write("data/raw/cats/2.png")),
    "a deleted image": ("sort", "data/raw/cats/1.png", lambda: Path("data/raw/cats/1.png").unlink()),
    "a deleted folder": ("sort", "data/raw/cats/1.png", lambda: shutil.rmtree("data/raw")),
    "code": ("fit@vgg", "models/vgg.py", lambda: write("models/vgg.py")),
    "an input of an item": ("fit@vgg", "data/kept.csv", lambda: write("data/kept.csv")),
    "a param": ("sort", "params.yaml split.seed", lambda: write("params.yaml", PARAMS.replace("seed: 0", "seed: 1"))),
    "a table of params": ("fit@vgg", "params.yaml train.vgg", lambda: write("params.yaml", PARAMS.replace("0.1", "1"))),
    "the source": ("sort", "data/raw", lambda: write("params.yaml", PARAMS.replace("data/raw", "models"))),
}


@pytest.mark.parametrize("kind", EDITS)
def test_an_edit_while_the_stage_runs_fails_it_in_one_line(pipeline, kind):
    stage, name, edit = EDITS[kind]
    line = pipeline(stage, edit)
    assert line.startswith(name)
    assert f": expected no edit while {stage} ran, got one, so that its result is not recorded." in line


@pytest.mark.parametrize(
    "edit",
    [
        lambda: write("params.yaml", PARAMS.replace("0.2", "2").replace("70/15/15", "60/20/20")),
        lambda: write("data/raw/cats/__pycache__/a.pyc"),
        lambda: write("data/raw/.lock"),
        lambda: write("models/alexnet.py"),
    ],
    ids=["other params", "compiled code", "a hidden file", "other code"],
)
def test_an_edit_of_what_the_stage_does_not_read_is_none(pipeline, edit):
    assert [pipeline(stage, edit) for stage in ("sort", "fit@vgg")] == ["", ""]


def test_an_edit_while_the_packages_are_imported_is_one_too(pipeline):
    write("data/kept.csv")
    assert pipeline("sort", lambda: None).startswith("data/kept.csv: expected no edit")


def test_a_file_from_a_clock_that_is_ahead_is_no_edit(pipeline):
    ahead = time.time() + 3600
    os.utime("data/kept.csv", (ahead, ahead))
    assert pipeline("sort", lambda: None) == ""


def test_an_edit_leaves_the_target_as_it_was(pipeline, tmp_path):
    def step(text):
        with replacing_folder(tmp_path / "out", "sort") as folder:
            (folder / "result").write_text(text)
            if text == "second":
                write("data/kept.csv")

    assert pipeline("sort", lambda: step("first")) == ""
    assert pipeline("sort", lambda: step("second")) != ""
    assert (tmp_path / "out" / "result").read_text() == "first"


def test_without_dvc_nothing_is_remembered(pipeline, monkeypatch):
    assert pipeline("", lambda: write("data/kept.csv")) == ""


def test_every_stage_has_the_inputs_that_dvc_finds(root, monkeypatch):
    monkeypatch.chdir(root)
    stages = {stage.addressing.partition("@")[0]: stage for stage in Repo(str(root)).index.stages}
    assert len(stages) > 15
    asked = []
    monkeypatch.setattr(stage_inputs, "mark_files", lambda path: asked.append(str(path)) or [])
    for stage in stages.values():  # one of each foreach
        asked.clear()
        params = [name.removeprefix("params.yaml ") for name in stage_inputs.mark_inputs(stage.addressing)]
        of_params = [each for each in stage.deps if isinstance(each, ParamsDependency)]
        assert sorted(params) == sorted(key for each in of_params for key in each.params)
        assert sorted(asked) == sorted(each.def_path for each in stage.deps if each not in of_params)
