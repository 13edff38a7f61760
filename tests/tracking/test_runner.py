"""The choices with which a sweep starts, which runs are done, and how they are pushed to a team."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from stages.study.plan import choose, make_plan
from stages.tracking import runner
from stages.tracking.records import Record
from stages.tracking.run import Run
from stages.tracking.runner import Here, adopt
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


def test_an_experiment_without_its_data_is_said_and_not_taken_for_done(monkeypatch, capsys):
    current = {"whole": ["commit"], "bare": ["commit"], "none": []}
    monkeypatch.setattr(runner, "find_current", lambda run: iter(current[run.name]))
    monkeypatch.setattr(runner, "find_done", lambda run: "commit" if run.name == "whole" else None)
    monkeypatch.setattr(runner, "read_record", lambda run, _: run.name)
    records = {}
    assert adopt([Run(name, "vgg", {}, "") for name in current], records) == ["whole"]
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("bare: expected its experiment with its data, got it without: it is made again.")


@pytest.fixture
def place(monkeypatch, tmp_path):
    """This machine, where every run but one that is called bad succeeds, and a team to which nothing can be pushed."""
    pushed = []

    def make(run, clone, records, failures):
        (failures if run.name == "bad" else records)[run.name] = "made"

    monkeypatch.setattr(runner, "attempt", make)
    monkeypatch.setattr(runner, "push", lambda team, names, log: pushed.append(names) or "no space left.")
    here = Here(SimpleNamespace(repository=tmp_path, folder=Path("clone")), SimpleNamespace(git_name="origin"))
    here.pushed = pushed
    return here


def test_what_is_made_is_pushed_at_once_and_what_failed_is_not(place, capsys):
    records, failures = {}, {}
    place.make({f"run {name}": Run(name, "vgg", {}, "") for name in ("good", "bad")}, records, failures)
    assert (records, failures, place.pushed) == ({"good": "made"}, {"bad": "made"}, [["good"]])
    assert "run good" in (printed := capsys.readouterr().out)
    assert "not pushed to origin: no space left." in printed


def test_what_cannot_be_pushed_ends_the_command_until_it_can_be(place, monkeypatch):
    place.push(["one", "two"])
    with pytest.raises(ValueError, match=r"got 2 that are only here: no space left\. The same command pushes them"):
        place.check_pushed()
    monkeypatch.setattr(runner, "push", lambda *_: "")
    place.push(["one", "two"])
    place.check_pushed()


def test_without_a_team_nothing_is_pushed(place):
    place.team = None
    place.push(["one"])
    place.check_pushed()
    assert place.pushed == []
