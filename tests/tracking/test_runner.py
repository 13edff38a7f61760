"""The choices with which a sweep starts, and what is made or pulled before the first run."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from stages.study.plan import choose, make_plan
from stages.tracking import runner
from stages.tracking.records import Record
from stages.tracking.run import Run
from stages.tracking.runner import adopt, make_data, say_if_without_data
from tests.study.test_plan import scaled, small


def scored(**accuracies):
    """Finished runs with these accuracies on validation."""
    return {name: Record({"val_accuracy": value}, None, None) for name, value in accuracies.items()}


def test_the_best_on_validation_is_carried_once_its_sweep_is_settled(project):
    study, scale = small([0.1, 0.2, 0.3]), scaled(carry="measured")
    names = list(make_plan("birds", study, scale, {}).runs)
    records = scored(**{names[0]: 0.5, names[1]: 0.7})
    assert choose(study, scale, "birds", records, set(records)) == {}  # the third may yet be better
    assert choose(study, scale, "birds", records, set(names)) == {("vgg", "it"): 0.2}  # it has failed
    records = scored(**{names[0]: 0.7, names[1]: 0.7, names[2]: 0.7})
    assert choose(study, scale, "birds", records, set(names)) == {("vgg", "it"): 0.1}
    assert choose(study, scale, "birds", {}, set(names)) == {}
    assert choose(study, scaled(), "birds", {}, set()) == {("vgg", "it"): 0.1}


def test_the_mean_over_seeds_decides(project):
    study, scale = small([0.1, 0.2]), scaled(carry="measured", seeds=2)
    names = list(make_plan("birds", study, scale, {}).runs)
    records = scored(**dict(zip(names, (0.9, 0.1, 0.6, 0.5), strict=True)))
    assert choose(study, scale, "birds", records, set(names)) == {("vgg", "it"): 0.2}


def test_a_run_is_done_if_its_experiment_is(monkeypatch):
    monkeypatch.setattr(runner, "find_done", lambda run: "commit" if run.name == "whole" else None)
    monkeypatch.setattr(runner, "read_record", lambda run, _: run.name)
    runs = [Run(name, "vgg", {}, "") for name in ("whole", "none", "known")]
    records = {"known": "known"}
    assert adopt(runs, records) == [runs[0]]
    assert records == {"known": "known", "whole": "whole"}


def test_an_experiment_without_its_data_is_said(monkeypatch, capsys):
    current = {"bare": ["commit"], "none": []}
    monkeypatch.setattr(runner, "find_current", lambda run: iter(current[run.name]))
    for name in current:
        say_if_without_data(Run(name, "vgg", {}, ""))
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("bare: expected its experiment with its data, got it without: it is made again.")


@pytest.fixture
def commands(project, monkeypatch):
    """The commands that get or make data, of which only `pull` has an effect; two sources are added to DVC."""
    ran, state = [], SimpleNamespace(missing=["dvc", "repro", "split"], here=set())

    def execute(command, log):
        ran.append(command[1:])
        state.here |= {*command} if "pull" in command else set()
        return ""

    project("collect.source", "data/own")
    Path("data").mkdir()
    for name in ("own", "other"):
        Path(f"data/{name}.dvc").write_text("outs: []")
    monkeypatch.setattr(runner, "execute", execute)
    monkeypatch.setattr(runner, "missing_data", lambda: state.missing)
    monkeypatch.setattr(runner, "is_added_here", lambda added: added in state.here)
    monkeypatch.setattr(runner, "restore", lambda clone: None)
    ran.append(state)
    return ran


CLONE = SimpleNamespace(repository=Path())
BOTH = ["data/own.dvc", "data/other.dvc"]


def test_the_team_is_asked_for_the_data_and_for_both_sources_before_they_are_made(commands):
    make_data(CLONE, "data/other", team="team")
    assert commands[1:] == [
        ["pull", "--with-deps", "split", *BOTH], ["checkout", *BOTH], ["repro", "split"],
    ]  # fmt: skip


def test_a_source_that_only_the_team_has_is_pulled(commands):
    commands[0].missing = []
    commands[0].here.add("data/own.dvc")
    make_data(CLONE, "data/other", team="team")
    assert commands[1:] == [["pull", "--with-deps", "split", *BOTH]]
    commands[0].here.add("data/other.dvc")
    make_data(CLONE, "data/other", team="team")
    assert commands[2:] == []


def test_without_a_team_what_is_added_here_is_checked_out(commands):
    make_data(CLONE, "data/own", team=None)
    assert commands[1:] == [["checkout", "data/own.dvc"], ["repro", "split"]]


def test_without_a_team_another_source_must_be_here(commands):
    with pytest.raises(ValueError, match=r"data/other\.dvc: expected its images in DVC's cache, got none"):
        make_data(CLONE, "data/other", team=None)
    assert commands[1:] == []
