"""A study whose runs take no time: what its tables hold when it is interrupted, in parts, or run again in a clone."""

import shutil
from contextlib import contextmanager

import pandas as pd
import pytest

from stages.core.tables import read_table
from stages.study import run as study
from stages.study.scale import Scale
from stages.tracking.records import ANSWER, Record

TWO_SWEEPS = """
question: Which?
document: a test
images: {origin: drawn, quote: "", source: data/own, how: "", params: {}}
params: {}
networks:
  convnet: &network
    input: data/3_pixels
    params: {epochs: 1, dropout: 0.1}
    sweeps:
      learning_rate: {param: learning_rate, values: [1e-3, 1e-4], chosen: 1e-3, quote: ""}
      dropout: {param: dropout, values: [0.1, 0.3], chosen: 0.1, quote: ""}
  alexnet: *network
instead: []
findings: []
"""
DOCUMENT = {"data": "data/own", "epochs": None, "width": None, "size": None, "seeds": 1, "carry": "document"}


def record(right):
    """A run that is right about this number of ten images, of validation and of test."""
    answers = [(f"{split}{i}", split, f"{split}{i}", "xy"[i % 2], int(i < right))
               for split in ("val", "test") for i in range(10)]  # fmt: skip
    numbers = {"val_accuracy": right / 10, "test_accuracy": right / 10, "largest_class": "x", "parameters": 5}
    curve = pd.DataFrame({"epoch": [1], "train_loss": 1.0, "val_loss": 1.0, "train_accuracy": 0.5, "val_accuracy": 0.5})
    return Record(numbers, curve, pd.DataFrame(answers, columns=[*ANSWER, "right"]))


@pytest.fixture
def studied(project, root, tmp_path, monkeypatch):
    """Return a function that runs the study and returns the runs that it made, and its rows by network and sweep.

    `right` says by a part of a run's name how many of ten images it is right about, else 5; -1 fails, None interrupts.
    """
    shutil.copy(root / "dvc.yaml", tmp_path)
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "two.yaml").write_text(TWO_SWEEPS)

    def run_study(right=None, sweep=None, network=None, **scale):
        made = []

        class Place:
            def make(self, runs, records, failures, keep):
                for run in runs.values():
                    found = next((many for part, many in (right or {}).items() if part in run.name), 5)
                    if found is None:
                        raise KeyboardInterrupt
                    made.append(run.name)
                    if found < 0:
                        failures[run.name] = "no room"
                    else:
                        records[run.name] = record(found)
                    keep()

            def take_up(self, runs):
                pass

            push = check_pushed = lambda self, *_: None

        @contextmanager
        def place(*_):
            yield Place()

        monkeypatch.setattr(study, "place_of_runs", place)
        monkeypatch.setattr(study, "adopt", lambda *_: [])
        monkeypatch.setattr(study, "references", dict)
        monkeypatch.setattr(study, "draw_sweep", lambda *_: None)
        given = Scale.model_validate({**DOCUMENT, "params": {}, **scale})
        try:
            study.run("two", given, sweep, network, study.Judging(margin=0.05), tmp_path / "out")
        except KeyboardInterrupt:
            made.append("interrupted")
        return made, rows(tmp_path / "out" / study.label("two", given))

    return run_study


def rows(folder):
    table = read_table(folder / "runs.csv") if (folder / "runs.csv").is_file() else pd.DataFrame(columns=["run"])
    return table.set_index("run")


def test_a_clone_that_has_the_tables_runs_nothing_again(studied):
    made, first = studied()
    assert len(made) == 6  # of each network three; the others are shared
    again, second = studied()
    assert again == []
    pd.testing.assert_frame_equal(first, second)


def test_pixels_that_no_run_is_fed_make_no_run_anew(studied, project):
    studied()
    project("inputs.small", 48)
    assert studied()[0] == []
    project("preprocess.size", 48)
    assert len(studied()[0]) == 6


def test_pixels_that_a_run_is_fed_make_it_anew(studied, project, tmp_path):
    study_file = tmp_path / "studies" / "two.yaml"
    study_file.write_text(TWO_SWEEPS.replace("data/3_pixels", "data/3_inputs/small"))
    studied()
    project("inputs.large", 256)
    assert studied()[0] == []
    project("inputs.small", 48)
    assert len(studied()[0]) == 6


def test_a_run_made_anew_that_fails_is_not_done_by_its_former_row(studied, project):
    studied({"alexnet-dropout-0.3": 9})
    project("clean.min_side", 77)
    made, table = studied({"alexnet-dropout-0.3": -1})
    assert len(made) == 6
    assert table.loc["two-alexnet-dropout-0.3-s0", "status"] == "failed"
    made, table = studied()
    assert made == ["two-alexnet-dropout-0.3-s0"]
    assert (table["status"] == "done").all()


def test_what_waits_when_a_person_interrupts_is_not_run_and_the_rest_stays(studied, project):
    studied()
    project("clean.min_side", 77)
    made, table = studied({"alexnet": None}, network="alexnet")
    assert made == ["interrupted"]
    is_done = table["status"] == "done"
    assert set(table.index[is_done]) == {name for name in table.index if "convnet" in name}
    assert set(table.index[~is_done]) == {name for name in table.index if "alexnet" in name}


def test_other_epochs_leave_the_rows_of_these_until_a_run_ends(studied):
    studied()
    made, table = studied({"": None}, epochs=7)
    assert made == ["interrupted"]
    assert (table["status"] == "done").all()
    assert studied()[0] == []


def test_a_part_of_a_study_keeps_the_rows_of_the_others(studied, project):
    _, whole = studied(carry="measured")
    project("clean.min_side", 77)
    made, table = studied(network="convnet", carry="measured")
    assert len(made) == 3
    assert sorted(table.index) == sorted(whole.index)
    assert (table["status"] == "done").all()


def test_a_run_that_becomes_final_gets_its_test_answers(studied, tmp_path):
    first = {"learning_rate-0.001": 6}
    studied(first, carry="measured")
    made, table = studied({**first, "dropout-0.3-s1": 9}, carry="measured", seeds=2)
    assert "two-measured-convnet-dropout-0.3-s0" in made
    finals = table[table["sweep"] == "final"]
    assert (finals["test_accuracy"] != "").all()
    assert set(finals.index) == {f"two-measured-{name}-dropout-0.3-s{seed}"
                                 for name in ("convnet", "alexnet") for seed in (0, 1)}  # fmt: skip
    study.redraw_report(tmp_path / "out" / "two-measured", study.Judging(margin=0.05))  # and ends
    pd.testing.assert_frame_equal(rows(tmp_path / "out" / "two-measured"), table)


def test_a_failed_value_does_not_keep_later_sweeps_from_beginning(studied):
    studied({"learning_rate-0.0001": -1}, carry="measured", sweep="learning_rate")
    made, _ = studied(carry="measured", sweep="dropout")
    assert {"two-measured-convnet-dropout-0.3-s0", "two-measured-alexnet-dropout-0.3-s0"} <= set(made)
    assert not any("0.0001" in name for name in made)
