"""The records of runs, read from experiments, written as tables and read back."""

import json

import pandas as pd
import pytest
from dvc.repo import Repo as DvcRepository

from stages.study.plan import Cell, Plan
from stages.study.result_tables import as_number, fingerprint, gather, read_failures, read_records
from stages.study.result_tables import write_results as write
from stages.tracking.dvc_experiments import Experiment
from stages.tracking.records import ANSWER, Record, read_record
from stages.tracking.run import Run
from tests.repositories import shell

FINAL_RUN, OTHER, FAILED = (Run(name, "vgg", {"train.vgg.dropout": i / 10}, "") for i, name in enumerate("abc"))


def record(accuracy):
    numbers = {"val_accuracy": accuracy, "parameters": 7, "test_accuracy": 0.5, "largest_class": "x"}
    answers = pd.DataFrame(
        [("i1", "val", "g", "x", 1), ("i2", "val", "g", "007", 0), ("i3", "test", "g", "x", 1)],
        columns=[*ANSWER, "right"],
    )
    curve = pd.DataFrame({"epoch": [1, 2], "train_loss": [1.0, 0.5], "val_loss": [1.0, 0.75],
                          "train_accuracy": [0.5, 0.75], "val_accuracy": [0.5, 0.5]})  # fmt: skip
    return Record(numbers, curve, answers)


@pytest.fixture
def plan():
    cells = [Cell("vgg", "dropout", i / 10, 0, run.name) for i, run in enumerate((FINAL_RUN, OTHER, FAILED))]
    cells.append(Cell("vgg", "final", None, 0, FINAL_RUN.name))
    return Plan({run.name: run for run in (FINAL_RUN, OTHER, FAILED)}, cells)


@pytest.fixture
def results(plan):
    return gather(plan, {"a": record(0.5), "b": record(0.25)}, {"c": "it: expected a loss, got nan."})


def test_a_test_accuracy_stands_beside_final_models_alone(results):
    shown = results.runs.set_index(["sweep", "value"])["test_accuracy"]
    assert shown["final", ""] == 0.5
    assert set(shown["dropout"]) == {""}
    on_test = results.answers[results.answers["split"] == "test"]
    assert (list(on_test["a"]), on_test["b"].isna().all()) == ([1], True)


def test_runs_are_done_failed_or_not_run(plan):
    runs = gather(plan, {"a": record(0.5)}, {"c": "why"}).runs
    assert list(zip(runs["run"], runs["status"], runs["reason"], strict=True)) == [
        ("a", "done", ""), ("b", "not run", ""), ("c", "failed", "why"), ("a", "done", ""),
    ]  # fmt: skip


def test_the_tables_do_not_depend_on_which_run_ended_first(plan, results):
    other = gather(plan, {"b": record(0.25), "a": record(0.5)}, {"c": "it: expected a loss, got nan."})
    for name in ("runs", "curves", "answers"):
        assert getattr(results, name).equals(getattr(other, name))


def test_what_is_written_is_read_back_and_comes_out_the_same(results, plan, tmp_path):
    write(results, tmp_path / "one")
    records, failures = read_records(tmp_path / "one", plan), read_failures(tmp_path / "one", plan)
    assert sorted(records) == ["a", "b"]
    assert records["a"].numbers["test_accuracy"] == 0.5
    assert failures == {"c": "it: expected a loss, got nan."}
    write(gather(plan, records, failures), tmp_path / "two")
    for name in ("runs", "curves", "answers"):
        assert (tmp_path / "two" / f"{name}.csv").read_text() == (tmp_path / "one" / f"{name}.csv").read_text()


def test_a_run_of_other_params_is_not_read_back(results, plan, tmp_path):
    write(results, tmp_path)
    changed = Run("a", "vgg", {"train.vgg.dropout": 0.9}, "")
    assert fingerprint(changed) != fingerprint(FINAL_RUN)
    assert sorted(read_records(tmp_path, Plan({**plan.runs, "a": changed}, plan.cells))) == ["b"]
    assert read_records(tmp_path / "none", plan) == {}


def test_nothing_done_is_a_table_of_what_is_not_run(plan, tmp_path):
    write(gather(plan, {}, {}), tmp_path)
    assert read_records(tmp_path, plan) == {}


@pytest.mark.parametrize(("text", "value"), [("-3", -3), ("1e-05", 1e-5), ("x", "x"), ("", "")])
def test_a_number_is_read_as_one(text, value):
    assert as_number(text) == value


METRICS = {
    "parameters": 7, "pretrained": False, "train": {"accuracy": 0.9}, "val": {"accuracy": 0.5, "macro_f1": 0.4},
    "test": {"accuracy": 0.6, "macro_f1": 0.5},
    "wanted": {"class": "x", "precision": 0.9, "threshold": 0.7,
               "test": {"precision": 0.8, "recall": 0.3, "count": 5, "low": 0.4, "high": 0.9}},
}  # fmt: skip
PREDICTIONS = """image_id,class,split,group,predicted,p_007,p_x
aaaaaaaaaaaaaaaaaaaa,x,train,gggggggggggggggggggg,x,0.1,0.9
bbbbbbbbbbbbbbbbbbbb,x,train,gggggggggggggggggggg,x,0.1,0.9
cccccccccccccccccccc,007,train,gggggggggggggggggggg,x,0.1,0.9
dddddddddddddddddddd,007,val,hhhhhhhhhhhhhhhhhhhh,x,0.1,0.9
eeeeeeeeeeeeeeeeeeee,x,test,iiiiiiiiiiiiiiiiiiii,x,0.1,0.9
"""
HISTORY = """epoch,split,loss,accuracy,learning_rate
1,train,1.0,0.5,0.1
1,val,1.5,0.25,0.1
2,train,0.5,0.75,0.1
2,val,1.75,0.5,0.1
"""


@pytest.mark.parametrize(("facts", "kept"), [({}, (1, 1.5)), ({"kept_epoch": 2}, (2, 1.75))])
def test_an_experiment_is_read_from_its_commit_and_the_cache(tmp_path, monkeypatch, facts, kept):
    monkeypatch.chdir(tmp_path)
    shell(tmp_path, "git", "init", "--quiet")
    lock = {}
    with DvcRepository.init(tmp_path) as repository:
        for stage, name, text in (
            ("train", "history.csv", HISTORY),
            ("train", "network.json", json.dumps(facts)),
            ("evaluate", "predictions.csv", PREDICTIONS),
        ):
            path = tmp_path / "data" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            repository.add(str(path))
            path.unlink()  # from here on the cache alone has it
            lock.setdefault(f"{stage}@vgg", {"outs": []})["outs"].append({"path": f"data/{name}"})
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "vgg.json").write_text(json.dumps(METRICS))
    shell(tmp_path, "git", "add", "--all")
    shell(tmp_path, "git", "-c", "user.name=t", "-c", "user.email=t", "commit", "--quiet", "-m", "first")

    found = read_record(FINAL_RUN, Experiment("HEAD", lock))
    wanted = {"val_accuracy": 0.5, "train_accuracy": 0.9, "val_roc_auc": "", "largest_class": "x", "epochs": 2,
              "best_epoch": kept[0], "best_val_loss": kept[1], "last_train_loss": 0.5,
              "wanted_precision": 0.8}  # fmt: skip
    assert wanted.items() <= found.numbers.items()
    assert found.curve.loc[1].to_dict() == {
        "epoch": 2, "train_loss": 0.5, "val_loss": 1.75, "train_accuracy": 0.75, "val_accuracy": 0.5,
    }  # fmt: skip
    assert found.answers.to_numpy().tolist() == [
        ["d" * 16, "val", "h" * 16, "007", 0],
        ["e" * 16, "test", "i" * 16, "x", 1],
    ]
