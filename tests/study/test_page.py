"""The page and the figures of a study, on planted results."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from stages.study.figures import draw_losses, draw_sweep
from stages.study.page import as_markdown, to_table
from stages.study.plan import document_choices, make_plan
from stages.study.result_tables import gather
from stages.study.scale import Scale
from stages.study.statistics import Evidence
from stages.study.study_file import Study
from stages.tracking.records import ANSWER, Record

STUDY = {
    "question": "Which?", "document": "a text", "params": {"preprocess.size": 96},
    "images": {"origin": "", "quote": "", "source": "data/own", "how": "", "params": {}},
    "networks": {"vgg": {"input": "data/3_pixels", "params": {"epochs": 3, "width": 0.5}, "sweeps": {
        "dropout": {"param": "dropout", "values": [0.1, 0.3, 0.5], "chosen": 0.5, "quote": ""}}}},
    "instead": [{"stated": "huge", "run": "small", "why": "a | b"}],
    "findings": [{"claim": "0.5 is best", "quote": "best it was", "check": "best_of", "network": "vgg",
                  "sweep": "dropout", "value": 0.5}],
}  # fmt: skip


def planted(accuracy):
    random = np.random.default_rng(0)
    answers = pd.DataFrame({"image": range(200), "split": ["val", "test"] * 100, "group": range(200), "class": "x"})
    answers = answers.astype(str).assign(right=(random.permutation(200) < accuracy * 200).astype(int))
    curve = pd.DataFrame({"epoch": [1, 2, 3], "train_loss": [3.0, 2, 1], "val_loss": [3.0, 2.5, 2],
                          "train_accuracy": 0.5, "val_accuracy": 0.5})  # fmt: skip
    numbers = {"val_accuracy": accuracy, "val_macro_f1": 0.4, "train_accuracy": 0.9, "best_val_loss": 2,
               "best_epoch": 3, "parameters": 12345, "largest_class": "x", "test_accuracy": 0.617}  # fmt: skip
    return Record(numbers, curve, answers[[*ANSWER, "right"]])


@pytest.fixture
def given(project):
    """The study, its scale, plan and evidence: 0.1 is best, 0.3 has failed."""
    study = Study.model_validate(STUDY)
    scaled = {"data": "data/own", "epochs": None, "width": None, "size": None, "seeds": 2, "carry": "document"}
    scale = Scale.model_validate({**scaled, "params": {"clean.min_side": 5}})
    plan = make_plan("birds", study, scale, document_choices(study))
    records = {name: planted(0.9 if "0.1" in name else 0.6) for name in plan.runs if "0.3" not in name}
    failures = {name: "why" for name in plan.runs if "0.3" in name}
    return study, scale, plan, Evidence(gather(plan, records, failures), 500, 0)


def test_the_page_shows_validation_per_value_and_test_of_the_final_model(given, tmp_path):
    page = as_markdown("birds", *given, tmp_path)
    rows = {line.split("|")[1].strip(): line for line in page.splitlines() if line.startswith("| ")}
    assert "**" in rows["0.1"]
    assert "0.617" not in rows["0.5 ◦"]
    assert rows["0.3"].endswith("| 2 failed |")
    assert "12,345" in rows["vgg"]
    assert rows["1"].split("|")[3].strip() == "**contradicted**"
    assert "at 96 pixels: vgg 3 epochs at width 0.5; seeds 0 to 1; `clean.min_side` 5." in page
    assert "- 1. “best it was”" in page
    assert r"| huge     | small      | a \| b |" in page
    assert "![" not in page


@pytest.mark.slow
def test_a_figure_is_drawn_the_same_twice_and_stands_in_the_page(given, tmp_path):
    study, scale, plan, evidence = given
    for name in ("one", "two"):
        draw_sweep(evidence, "vgg", "dropout", "0.5", tmp_path / name / "vgg-dropout.png")
    one, two = ((tmp_path / name / "vgg-dropout.png").read_bytes() for name in ("one", "two"))
    assert one == two
    assert "(vgg-dropout.png)" in as_markdown("birds", study, scale, plan, evidence, tmp_path / "one")


def test_a_sweep_of_which_nothing_is_done_has_no_figure(given, tmp_path):
    _, _, plan, _ = given
    draw_sweep(Evidence(gather(plan, {}, {}), 500, 0), "vgg", "dropout", "0.5", tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


@pytest.mark.parametrize("sweep", ["dropout", "epoch", "run"])
def test_every_value_has_a_line_for_training_and_validation_whatever_is_swept(given, sweep):
    evidence = given[3]
    axes = Figure().subplots()
    settings = evidence.swept("vgg", "dropout")
    draw_losses(evidence, settings, sweep, axes)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == [*(setting.value for setting in settings), "validation", "training"]
    drawn = [line for line in axes.get_lines() if len(line.get_xdata())]
    assert len(drawn) == 2 * len(settings)


def test_the_page_says_how_often_each_setting_is_trained(given, tmp_path):
    study, scale, _, _ = given
    scale = Scale.model_validate({**scale.model_dump(), "folds": 5, "seeds": 1})
    plan = make_plan("birds", study, scale, document_choices(study))
    page = as_markdown("birds", study, scale, plan, Evidence(gather(plan, {}, {}), 500, 0), tmp_path)
    assert "Each setting is trained on 5 folds, the same for all" in page
    assert "not of other seeds or divisions into folds." in page
    assert "| 5 not run |" in page


def test_the_page_of_a_study_without_results_says_not_run(given, tmp_path):
    study, scale, plan, _ = given
    page = as_markdown("birds", study, scale, plan, Evidence(gather(plan, {}, {}), 500, 0), tmp_path)
    assert page.count("not run") == 3 + 1 + 1


def test_a_table_lines_up_in_a_terminal():
    assert to_table(["a", "b"], [["long one", 1], ["x", 22]], "lr").splitlines() == [
        "| a        |   b |", "|:---------|----:|", "| long one |   1 |", "| x        |  22 |",
    ]  # fmt: skip
