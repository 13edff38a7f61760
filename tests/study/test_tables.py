"""Tables over several studies, from the files that git keeps."""

import shutil

import pandas as pd
import pytest

from stages.study.plan import Cell, Plan
from stages.study.result_tables import Results, gather, read_current, read_records, stamp, withdraw, write_results
from stages.study.tables import count_runs, read_studies, tabulate_epochs, tabulate_finals, tabulate_values
from stages.tracking.records import ANSWER, Record
from stages.tracking.run import Run


def record(right):
    """A run that is right about this number of ten images, of validation and of test."""
    answers = [(f"{split}{i}", split, f"{split}{i}", "x" if i < 6 else "y", int(i < right))
               for split in ("val", "test") for i in range(10)]  # fmt: skip
    numbers = {"val_accuracy": right / 10, "test_accuracy": right / 10, "largest_class": "x"}
    curve = pd.DataFrame({"epoch": [1, 2], "train_loss": [2.0, 1.0], "val_loss": [2.0, 1.5],
                          "train_accuracy": [0.5, 0.9], "val_accuracy": [0.5, 0.6]})  # fmt: skip
    return Record(numbers, curve, pd.DataFrame(answers, columns=[*ANSWER, "right"]))


@pytest.fixture
def studies(tmp_path):
    """Two studies: `birds`, whose rate 0.1 has two seeds, 0.2 failed and 0.3 is final; and `trees`, not run yet."""
    names = {"a0": (0.1, 0), "a1": (0.1, 1), "b0": (0.2, 0), "c0": (0.3, 0)}
    cells = [Cell("vgg", "rate", value, seed, name) for name, (value, seed) in names.items()]
    runs = {name: Run(name, "vgg", {"train.vgg.dropout": value}, "") for name, (value, _) in names.items()}
    plan = Plan(runs, [*cells, Cell("vgg", "final", None, 0, "c0")])
    records = {"a0": record(4), "a1": record(6), "c0": record(8)}
    write_results(gather(plan, records, {"b0": "why"}), tmp_path / "birds")
    write_results(gather(plan, {}, {}), tmp_path / "trees")
    (tmp_path / "empty").mkdir()
    return read_studies(tmp_path, margin=0.05)


def test_a_folder_without_tables_is_no_study(studies, tmp_path):
    assert list(studies) == ["birds", "trees"]
    assert read_studies(tmp_path / "none", margin=0.05) == {}


def test_runs_are_counted_by_what_became_of_them(studies):
    counts = count_runs(studies)
    assert counts.loc[("birds", "vgg", "rate")].to_dict() == {"done": 3, "failed": 1, "not run": 0}
    assert counts.loc[("trees", "vgg", "rate")].to_dict() == {"done": 0, "failed": 0, "not run": 4}


def test_a_value_has_the_mean_of_its_seeds_and_what_a_guess_reaches(studies):
    values = tabulate_values(studies).set_index("value")
    assert list(values.index) == ["0.1", "0.3"]
    assert values.loc["0.1", ["study", "accuracy", "runs", "largest_class"]].tolist() == ["birds", 0.5, 2, 0.6]
    assert values.loc["0.1", "low"] < 0.5 < values.loc["0.1", "high"]


def test_only_final_models_have_a_test_accuracy(studies):
    finals = tabulate_finals(studies)
    assert finals[["study", "network", "accuracy", "runs"]].to_numpy().tolist() == [["birds", "vgg", 0.8, 1]]


def test_every_epoch_of_every_done_run_stands_for_itself(studies):
    epochs = tabulate_epochs(studies)
    assert len(epochs) == 3 * 2 * 2
    last = epochs[(epochs["run"] == "a1") & (epochs["epoch"] == 2)].set_index("split")
    assert last["accuracy"].to_dict() == {"training": 0.9, "validation": 0.6}
    assert last["loss"].to_dict() == {"training": 1.0, "validation": 1.5}


def test_no_study_gives_tables_without_rows():
    assert all(table({}).empty for table in (count_runs, tabulate_epochs, tabulate_values, tabulate_finals))
    assert {"study", "sweep", "value"} <= set(tabulate_values({}))


def test_a_run_of_the_tables_counts_as_done_while_it_would_see_the_same(project, root, tmp_path):
    shutil.copy(root / "dvc.yaml", tmp_path)
    (tmp_path / "data").mkdir()
    run = Run("a0", "vgg", {"train.vgg.dropout": 0.1, "split.fold": 2}, "")
    plan = Plan({"a0": run}, [Cell("vgg", "rate", 0.1, 0, "a0", fold=2)])
    records = {"a0": record(4)}
    stamp(plan, records)
    write_results(gather(plan, records, {}), tmp_path)
    found = read_current(tmp_path, plan)["a0"]
    assert found.numbers["val_accuracy"] == 0.4
    assert found.answers["right"].tolist() == [1] * 4 + [0] * 6
    (tmp_path / "data" / "review.csv").write_text("a decision")
    assert read_current(tmp_path, plan) == {}
    (tmp_path / "data" / "review.csv").unlink()
    project("collect.fetch.user_agent", "another")  # which no step's result depends on
    assert list(read_current(tmp_path, plan)) == ["a0"]
    project("pretrained.seed", 7)  # neither does a network that learns from pixels
    assert list(read_current(tmp_path, plan)) == ["a0"]
    project("clean.min_side", 77)
    assert read_current(tmp_path, plan) == {}
    # Tables that are written anew still say what their runs saw.
    write_results(gather(plan, read_records(tmp_path, plan), {}), tmp_path)
    assert read_current(tmp_path, plan) == {}
    assert list(read_records(tmp_path, plan)) == ["a0"]


def test_tables_of_before_are_read_and_do_not_count_as_done(project, tmp_path):
    run = Run("a0", "vgg", {"train.vgg.dropout": 0.1}, "")
    plan = Plan({"a0": run}, [Cell("vgg", "rate", 0.1, 0, "a0")])
    results = gather(plan, {"a0": record(4)}, {})
    write_results(Results(results.runs.drop(columns=["fold", "seen"]), results.curves, results.answers), tmp_path)
    assert list(read_records(tmp_path, plan)) == ["a0"]
    assert read_current(tmp_path, plan) == {}


def test_what_is_made_anew_no_longer_counts_as_done(project, root, tmp_path):
    shutil.copy(root / "dvc.yaml", tmp_path)
    runs = {name: Run(name, "vgg", {"train.vgg.dropout": value}, "") for name, value in (("a0", 0.1), ("b0", 0.2))}
    plan = Plan(runs, [Cell("vgg", "rate", value, 0, name) for name, value in (("a0", 0.1), ("b0", 0.2))])
    records = {"a0": record(4), "b0": record(6)}
    stamp(plan, records)
    withdraw(tmp_path, [runs["a0"]])  # where there are no tables yet
    write_results(gather(plan, records, {}), tmp_path)
    withdraw(tmp_path, [Run("b0", "vgg", {"train.vgg.dropout": 0.9}, "")])  # of other params than the row
    assert list(read_records(tmp_path, plan)) == ["a0", "b0"]
    withdraw(tmp_path, [runs["a0"]])
    assert list(read_records(tmp_path, plan)) == list(read_current(tmp_path, plan)) == ["b0"]


def test_a_class_that_is_written_like_a_number_stays_as_it_is(project, tmp_path):
    plan = Plan({"a0": Run("a0", "vgg", {}, "")}, [Cell("vgg", "rate", 0.1, 0, "a0")])
    made = record(4)
    write_results(
        gather(plan, {"a0": Record({**made.numbers, "largest_class": "007"}, made.curve, made.answers)}, {}), tmp_path
    )
    assert read_records(tmp_path, plan)["a0"].numbers["largest_class"] == "007"


def test_a_run_that_is_final_now_is_read_only_with_its_test_answers(project, tmp_path):
    run = Run("a0", "vgg", {"train.vgg.dropout": 0.1}, "")
    swept = Cell("vgg", "rate", 0.1, 0, "a0")
    write_results(gather(Plan({"a0": run}, [swept]), {"a0": record(4)}, {}), tmp_path)
    assert list(read_records(tmp_path, Plan({"a0": run}, [swept]))) == ["a0"]
    assert read_records(tmp_path, Plan({"a0": run}, [swept, Cell("vgg", "final", None, 0, "a0")])) == {}


def test_copies_that_were_kept_are_images_of_their_own(project):
    twice = record(4)
    twice = Record(twice.numbers, twice.curve, pd.concat([twice.answers, twice.answers], ignore_index=True))
    runs = {name: Run(name, "vgg", {"split.fold": fold}, "") for fold, name in enumerate("ab")}
    plan = Plan(runs, [Cell("vgg", "rate", 0.1, 0, name, fold) for fold, name in enumerate("ab")])
    other = Record(twice.numbers, twice.curve, twice.answers.assign(image="x" + twice.answers["image"]))
    answers = gather(plan, {"a": twice, "b": other}, {}).answers
    assert answers["a"].count() == answers["b"].count() == 20
