import numpy as np
import pandas as pd
import pytest

from stages.compare import run as compare
from stages.core.files import read_json, read_table, write_json
from stages.results.comparison import as_markdown

SETTINGS = compare.Compare(draws=400, seed=0)
COUNT = 200  # images of each split
NAMES = ("summary.json", "summary.md", "summary.png", "cost.png")


def metrics_of(val, test, parameters=10, macro_f1=0.5):
    classes = {"a": {"count": 60}, "b": {"count": 140}}
    return {
        "parameters": parameters,
        "multiply_adds": 3 * parameters,
        "megabytes": 0.1,
        "pretrained": False,
        "val": {"accuracy": val, "macro_f1": macro_f1, "intervals": {"accuracy": [val - 0.05, val + 0.05]}},
        "test": {
            "accuracy": test, "macro_f1": test, "count": COUNT, "classes": classes,
            "intervals": {"accuracy": [test - 0.05, test + 0.05]},
        },
    }  # fmt: skip


def predictions_of(accuracies, seed):
    """Return predictions with the given accuracies; another seed is right about other images."""
    truth = np.where(np.arange(COUNT) < 0.3 * COUNT, "a", "b")
    tables = []
    for number, (split, accuracy) in enumerate(accuracies.items()):
        wrong = np.random.default_rng(seed).permutation(COUNT)[: round(COUNT * (1 - accuracy))]
        predicted = truth.copy()
        predicted[wrong] = np.where(truth[wrong] == "a", "b", "a")
        ids = [f"{split}{i:03}" for i in range(COUNT)]
        tables.append(pd.DataFrame({
            "image_id": ids, "class": truth, "split": split, "group": ids, "predicted": predicted, "order": number,
        }))  # fmt: skip
    return pd.concat(tables)


@pytest.fixture
def evaluations(tmp_path):
    def write(**metrics):
        for seed, (name, values) in enumerate(metrics.items()):
            folder = tmp_path / "evaluations" / name
            folder.mkdir(parents=True, exist_ok=True)
            write_json(values, folder / "metrics.json")
            accuracies = {split: values[split]["accuracy"] for split in ("val", "test")}
            predictions_of(accuracies, seed).to_csv(folder / "predictions.csv", index=False)
        return tmp_path / "evaluations"

    return write


def run(networks, source, tmp_path):
    compare.run(SETTINGS, networks, source, tmp_path)
    return read_json(tmp_path / "summary.json")


def summarise(networks, source):
    """Return the summary without writing it and without drawing figures."""
    return compare.compare_evaluations(SETTINGS, networks, source)[0]


def test_the_champion_is_chosen_on_validation_and_never_on_test(evaluations, tmp_path):
    source = evaluations(vgg=metrics_of(val=0.8, test=0.5), alexnet=metrics_of(val=0.7, test=0.9))
    summary = run(["vgg", "alexnet"], source, tmp_path)
    assert (summary["champion"], summary["runner_up"]) == ("vgg", "alexnet")
    assert summary["networks"]["alexnet"]["test"]["accuracy"] == 0.9
    assert summary["baseline"]["test"]["accuracy"] == 0.7
    assert "**vgg**" in (tmp_path / "summary.md").read_text()


@pytest.mark.parametrize(
    ("vgg", "alexnet", "champion"),
    [
        ({"macro_f1": 0.6}, {"macro_f1": 0.7}, "alexnet"),
        ({"parameters": 9}, {"parameters": 10}, "vgg"),
        ({}, {}, "alexnet"),
    ],
)
def test_a_tie_goes_to_macro_f1_then_fewer_parameters_then_the_name(vgg, alexnet, champion):
    metrics = {"vgg": metrics_of(0.8, 0.5, **vgg), "alexnet": metrics_of(0.8, 0.5, **alexnet)}
    assert compare.rank_networks(metrics)[0] == champion


@pytest.mark.parametrize(("val", "is_clear"), [(0.55, True), (0.79, False)])
def test_says_whether_the_validation_images_tell_the_first_two_apart(val, is_clear, evaluations):
    source = evaluations(vgg=metrics_of(0.8, 0.5), alexnet=metrics_of(val, 0.5))
    summary = summarise(["alexnet", "vgg"], source)
    assert summary["distinguishable"] is is_clear
    assert f"images {'can' if is_clear else 'cannot'} tell it" in as_markdown(summary)


def test_one_network_has_no_runner_up(evaluations):
    summary = summarise(["vgg"], evaluations(vgg=metrics_of(0.8, 0.5)))
    assert (summary["champion"], summary["runner_up"], summary["pairs"]) == ("vgg", None, [])
    assert summary["distinguishable"] is False


def test_every_two_networks_are_compared_on_both_splits(evaluations):
    source = evaluations(vgg=metrics_of(0.8, 0.5), alexnet=metrics_of(0.7, 0.9), tiny=metrics_of(0.6, 0.6))
    pairs = summarise(["vgg", "alexnet", "tiny"], source)["pairs"]
    assert len(pairs) == 6
    tables = {name: read_table(source / name / "predictions.csv") for name in ("vgg", "alexnet")}
    right = {name: (table["class"] == table["predicted"])[table["split"] == "test"] for name, table in tables.items()}
    (pair,) = (each for each in pairs if (each["a"], each["b"], each["split"]) == ("vgg", "alexnet", "test"))
    assert pair["only_a"] == (right["vgg"] & ~right["alexnet"]).sum()
    assert pair["only_b"] == (right["alexnet"] & ~right["vgg"]).sum()
    assert pair["difference"] == pytest.approx(-0.4)
    assert pair["low"] < -0.4 < pair["high"] < 0
    assert pair["p"] <= pair["p_holm"] < 0.01


def test_evaluations_of_different_splits_are_refused(evaluations):
    source = evaluations(vgg=metrics_of(0.8, 0.5), alexnet=metrics_of(0.7, 0.9))
    table = read_table(source / "vgg" / "predictions.csv")
    table.iloc[::-1].to_csv(source / "vgg" / "predictions.csv", index=False)
    with pytest.raises(ValueError, match=r"vgg and alexnet: expected evaluations of the same images and split"):
        summarise(["vgg", "alexnet"], source)


def test_no_choice_moves_when_all_test_labels_change(evaluations):
    source = evaluations(vgg=metrics_of(0.8, 0.5), alexnet=metrics_of(0.7, 0.9))
    before = summarise(["vgg", "alexnet"], source)
    for name, accuracy in (("vgg", 0.5), ("alexnet", 0.1)):
        table = read_table(source / name / "predictions.csv")
        is_test = table["split"] == "test"
        table.loc[is_test, "class"] = table.loc[is_test, "class"].map({"a": "b", "b": "a"})
        table.to_csv(source / name / "predictions.csv", index=False)
        metrics = read_json(source / name / "metrics.json")
        metrics["test"] |= {"accuracy": accuracy, "macro_f1": accuracy}
        write_json(metrics, source / name / "metrics.json")
    after = summarise(["vgg", "alexnet"], source)
    choices = ("champion", "runner_up", "distinguishable", "rule")
    assert [before[key] for key in choices] == [after[key] for key in choices]
    assert before["pairs"] != after["pairs"]


def test_what_git_keeps_of_a_network_that_is_no_more_is_no_evaluation(evaluations):
    source = evaluations(vgg=metrics_of(0.8, 0.5), alexnet=metrics_of(0.6, 0.9))
    (source / "lenet").mkdir()
    (source / "lenet" / ".gitignore").write_text("/metrics.json")
    assert summarise(["vgg", "alexnet"], source)["champion"] == "vgg"


def test_an_evaluation_of_a_removed_network_names_the_command_that_removes_it(evaluations, tmp_path):
    source = evaluations(vgg=metrics_of(0.8, 0.5), lenet=metrics_of(0.9, 0.9))
    with pytest.raises(
        ValueError, match=r"expected evaluations of vgg, got lenet; `rm -r .*evaluations/lenet` removes"
    ):
        run(["vgg"], source, tmp_path)
    assert not (tmp_path / "summary.json").exists()


def test_a_missing_evaluation_is_refused(evaluations):
    with pytest.raises(ValueError, match=r"expected evaluations of vgg, xception, got none of xception\."):
        summarise(["vgg", "xception"], evaluations(vgg=metrics_of(0.8, 0.5)))


@pytest.mark.slow
def test_the_same_numbers_give_the_same_bytes(evaluations, tmp_path):
    source = evaluations(vgg=metrics_of(0.8, 0.5), alexnet=metrics_of(0.7, 0.9))
    run(["vgg", "alexnet"], source, tmp_path)
    first = [(tmp_path / name).read_bytes() for name in NAMES]
    run(["vgg", "alexnet"], source, tmp_path)
    assert [(tmp_path / name).read_bytes() for name in NAMES] == first
    assert first[2].startswith(b"\x89PNG")
