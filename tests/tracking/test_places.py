"""The places of runs: what is pushed to a team and taken up from it, and what happens if that fails."""

import argparse
from pathlib import Path
from types import SimpleNamespace

import pytest

from stages.tracking import places
from stages.tracking.places import HERE, Here, Where, add_arguments, read_where
from stages.tracking.run import Run

GOOD, BAD = (Run(name, "vgg", {}, "") for name in ("good", "bad"))


@pytest.mark.parametrize(
    ("arguments", "where"),
    [([], HERE), (["--push"], Where("", "origin")), (["--push", "up"], Where("", "up")),
     (["--on", "auto"], Where("auto", "origin")), (["--on", "auto", "--push", "up"], Where("auto", "up"))],
)  # fmt: skip
def test_a_cluster_needs_a_remote_and_a_remote_no_cluster(arguments, where):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert read_where(parser.parse_args(arguments)) == where


@pytest.fixture
def team(monkeypatch):
    """A team and what happens with it: `pushed` and `fetched` references, what fails, and which runs are done here."""
    state = SimpleNamespace(pushed=[], fetched=[], reason="", names=[], done={}, current=set(), error=None)

    def listed(team, names):
        if state.error:
            raise state.error
        return [f"refs/exps/aa/bb/{name}" for name in state.names if name in names]

    def fetch(team, found, log, with_data):
        state.fetched += [(with_data, found)] if found else []
        return state.reason if found else ""

    monkeypatch.setattr(places, "push", lambda team, found, log: state.pushed.append(found) or state.reason)
    monkeypatch.setattr(places, "fetch", fetch)
    monkeypatch.setattr(places, "listed", listed)
    monkeypatch.setattr(places, "hand_over", lambda *_: None)
    monkeypatch.setattr(places, "find_done", lambda run: state.done.get(run.name))
    monkeypatch.setattr(places, "find_current", lambda run: iter([1] if run.name in state.current else []))
    named = {"good": {"new": "commit", "old": "earlier"}, "bad": {"other": "another"}}
    monkeypatch.setattr(places, "references", lambda: named)
    state.remotes = SimpleNamespace(git_name="origin")
    return state


@pytest.fixture
def place(team, monkeypatch, tmp_path):
    """This machine, on which every run succeeds but the one that is called bad."""

    def make(run, clone, records, failures):
        (failures if run.name == "bad" else records)[run.name] = "made"
        team.done |= {} if run.name == "bad" else {run.name: SimpleNamespace(commit="commit")}

    monkeypatch.setattr(places, "attempt", make)
    return Here(SimpleNamespace(repository=tmp_path, folder=Path("clone")), team.remotes)


def test_what_is_made_is_pushed_at_once_and_what_failed_is_not(place, team, capsys):
    records, failures, kept = {}, {}, []
    place.make({"run 1 of 2": GOOD, "run 2 of 2": BAD}, records, failures, lambda: kept.append(len(records)))
    assert kept == [1, 1]  # after each, also after one that failed
    assert (records, failures, team.pushed) == ({"good": "made"}, {"bad": "made"}, [["new"]])
    assert "run 2 of 2" in capsys.readouterr().out


def test_what_cannot_be_pushed_ends_the_command_until_it_can_be(place, team, capsys):
    team.done["good"], team.reason = SimpleNamespace(commit="commit"), "no space left."
    place.push([GOOD])
    assert capsys.readouterr().out == "not pushed to origin: no space left.\n"
    with pytest.raises(ValueError, match=r"got 1 that are only here: no space left\. The same command pushes them"):
        place.check_pushed()
    team.reason = ""
    place.push([GOOD])
    place.check_pushed()


def test_without_a_team_nothing_is_pushed_or_taken_up(place, team):
    place.team, team.names = None, ["good"]
    team.done["good"] = SimpleNamespace(commit="commit")
    place.push([GOOD])
    place.take_up([GOOD])
    place.check_pushed()
    assert (team.pushed, team.fetched) == ([], [])


def test_the_data_of_experiments_that_are_out_of_date_are_not_taken_up(place, team):
    team.names, team.current = ["good", "bad", "others"], {"good"}
    place.take_up([GOOD, BAD])
    both = ["refs/exps/aa/bb/good", "refs/exps/aa/bb/bad"]
    assert team.fetched == [(False, both), (True, both[:1])]


def test_what_is_done_here_is_not_taken_up(place, team):
    team.names, team.done["good"] = ["good"], SimpleNamespace(commit="commit")
    place.take_up([GOOD])
    assert team.fetched == []


def test_a_remote_that_does_not_answer_stops_no_run(place, team, capsys):
    team.error = ValueError("git ls-remote: expected success, got: no route to host")
    place.take_up([GOOD])
    assert capsys.readouterr().out == (
        "not taken up from origin: git ls-remote: expected success, got: no route to host\n"
    )
