import numpy as np
import pandas as pd
import pytest

from stages.compare import run as compare
from stages.compare.folds import compare_folds
from stages.core.files import read_json, write_json
from stages.core.tables import read_table
from stages.results.comparison import as_markdown
from tests.report.report_data import CROSSED

SETTINGS = compare.Compare(champion=None)
COUNT = 200  # images of each split
NAMES = ("summary.json", "summary.md", "summary.png", "cost.png")


def metrics_of(val, test, parameters=10, log_loss=0.5, pretrained=False):
    classes = {"a": {"count": 60}, "b": {"count": 140}}
    return {
        "parameters": parameters,
        "multiply_adds": 3 * parameters,
        "megabytes": 0.1,
        "pretrained": pretrained,
        "val": {"accuracy": val, "log_loss": log_loss, "intervals": {"accuracy": [val - 0.05, val + 0.05]}},
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


def run(networks, source, tmp_path, settings=SETTINGS):
    compare.run(settings, networks, source, {}, tmp_path)
    return read_json(tmp_path / "summary.json")


def test_cross_validations_stand_in_the_summary_and_those_without_are_named(evaluations, tmp_path):
    source = evaluations(alexnet=metrics_of(0.7, 0.7), vgg=metrics_of(0.6, 0.6))
    write_json(CROSSED, tmp_path / "folds" / "vgg" / "metrics.json")
    fold_predictions(0.71).to_csv(tmp_path / "folds" / "vgg" / "predictions.csv", index=False)
    compare.run(SETTINGS, ["alexnet", "vgg"], source, {"vgg": tmp_path / "folds" / "vgg"}, tmp_path)
    networks = read_json(tmp_path / "summary.json")["networks"]
    assert (networks["alexnet"]["cross_validation"], networks["vgg"]["cross_validation"]) == ({}, CROSSED)
    text = (tmp_path / "summary.md").read_text()
    assert "Cross-validation of 48 images, each tested 5 times by networks that had learned from about 24:" in text
    (row,) = (line for line in text.splitlines() if line.startswith("| vgg") and "0.500-0.875" in line)
    assert "| 0.710 (0.650-0.770) |" in row
    assert "0.750 (0.680-0.810) | 0.600 (0.500-0.690) | +0.150 (+0.050 to +0.240) |" in row
    assert "A known author has other images in training: 40 images were tested with and without." in text
    assert "With no author known vgg is right about 0.620 (0.500-0.700) of all." in text
    assert "Without the test images, which is what may choose the champion: vgg 0.690 (0.620-0.750)." in text
    assert "Twice as many images may bring vgg +0.043 (+0.019 to +0.063), as its learning curve goes." in text
    assert "Trained once, so that no number shows what chance in training does: alexnet." in text


def fold_predictions(*shares, seed=0, series="all", deals=2, folds=3):
    """Return what trainings on folds of 120 images in 60 groups predicted, right about a share of each half of them."""
    random = np.random.default_rng(seed)
    ids = np.arange(120)
    tables = []
    for deal in range(deals):
        is_right = random.random(120) < np.resize(np.repeat(shares, 120 // len(shares)), 120)
        tables.append(pd.DataFrame({
            "series": series, "deal": deal, "fold": ids % folds, "image_id": [f"{i:03}" for i in ids], "class": "a",
            "group": ids // 2, "predicted": np.where(is_right, "a", "b"),
        }))  # fmt: skip
    return pd.concat(tables).sample(frac=1, random_state=seed)


def write_folds(folder, **tables):
    for name, table in tables.items():
        (folder / name).mkdir()
        table.to_csv(folder / name / "predictions.csv", index=False)
    return {name: folder / name for name in tables}


def test_networks_on_the_same_folds_are_compared_image_by_image(tmp_path):
    pair = {"series": "unknown", "seed": 5}
    folders = write_folds(
        tmp_path,
        good=pd.concat([fold_predictions(0.9, 0.8), fold_predictions(0.8, **pair)]),
        bad=pd.concat([fold_predictions(0.7, 0.4, seed=1), fold_predictions(0.8, **pair)]),
        third=fold_predictions(0.85, seed=2),
    )
    found = {(one["a"], one["b"], one["series"]): one for one in compare_folds(folders)}
    assert set(found) == {
        ("good", "bad", "all"), ("good", "third", "all"), ("bad", "third", "all"), ("good", "bad", "unknown"),
    }  # fmt: skip
    first = found["good", "bad", "all"]
    tables = {name: read_table(folder / "predictions.csv").query("series == 'all'") for name, folder in folders.items()}
    shares = {name: (table["class"] == table["predicted"]).mean() for name, table in tables.items()}
    assert first["difference"] == pytest.approx(shares["good"] - shares["bad"], abs=1e-4)
    assert first["images"] == 120
    assert 0 < first["low"] < first["difference"] < first["high"]
    assert first["p"] < 0.05
    same = found["good", "bad", "unknown"]
    assert (same["difference"], same["p"]) == (0, 1)


def test_where_no_value_is_known_the_interval_is_for_other_values_if_there_are_enough(tmp_path):
    def widths(images_of_an_author):
        folder = tmp_path / str(images_of_an_author)
        folder.mkdir()
        tables = {}
        for seed, name in enumerate(("good", "bad")):
            table = pd.concat([fold_predictions(0.8, seed=seed, series=series) for series in ("all", "unknown")])
            author = table["image_id"].astype(int) // images_of_an_author
            # Of an author a network knows all images or none.
            right = np.random.default_rng(seed).random(120)[author] < 0.7
            tables[name] = table.assign(apart_group=author, predicted=np.where(right, "a", "b"))
        return {one["series"]: one["high"] - one["low"] for one in compare_folds(write_folds(folder, **tables))}

    enough, few = widths(6), widths(60)
    assert enough["unknown"] > 1.2 * enough["all"]
    assert few["unknown"] == few["all"]  # with two authors it is for other images of theirs


def test_one_network_alone_is_compared_with_none(tmp_path):
    assert compare_folds(write_folds(tmp_path, alone=fold_predictions(0.7))) == []


def test_without_folds_nothing_is_said_of_cross_validation(evaluations, tmp_path):
    source = evaluations(vgg=metrics_of(0.6, 0.6))
    write_json({"deals": 0, "images": 48}, tmp_path / "folds" / "vgg" / "metrics.json")
    fold_predictions(0.5)[:0].to_csv(tmp_path / "folds" / "vgg" / "predictions.csv", index=False)
    compare.run(SETTINGS, ["vgg"], source, {"vgg": tmp_path / "folds" / "vgg"}, tmp_path)
    assert "Cross-validation" not in (tmp_path / "summary.md").read_text()


def summarise(networks, source, champion=None, folds=None):
    """Return the summary without writing it and without drawing figures; `folds` are accuracies without test images."""
    crossed = {name: {"choice": {"accuracy": accuracy}} for name, accuracy in (folds or {}).items()}
    settings = SETTINGS.model_copy(update={"champion": champion})
    return compare.compare_evaluations(settings, networks, source, crossed | {"other": {"deals": 0}})[0]


def test_the_champion_is_chosen_on_validation_and_never_on_test(evaluations, tmp_path):
    source = evaluations(vgg=metrics_of(val=0.8, test=0.5), alexnet=metrics_of(val=0.7, test=0.9))
    summary = run(["vgg", "alexnet"], source, tmp_path)
    assert (summary["champion"], summary["runner_up"]) == ("vgg", "alexnet")
    assert summary["networks"]["alexnet"]["test"]["accuracy"] == 0.9
    assert summary["baseline"]["test"]["accuracy"] == 0.7
    assert "**vgg**" in (tmp_path / "summary.md").read_text()


def test_the_most_accurate_is_chosen_where_validation_tells_it_from_all_others(evaluations):
    clearly = evaluations(vgg=metrics_of(0.8, 0.5, log_loss=0.9), alexnet=metrics_of(0.55, 0.5, log_loss=0.1))
    summary = summarise(["alexnet", "vgg"], clearly)
    assert (summary["champion"], summary["contenders"], summary["distinguishable"]) == ("vgg", ["vgg"], True)
    assert summary["reason"] == "it is the most accurate on validation"
    assert "images can tell it from the runner-up, alexnet." in as_markdown(summary)


@pytest.mark.parametrize(
    ("vgg", "alexnet", "champion", "reason"),
    [
        ({"log_loss": 0.9}, {"log_loss": 0.6}, "alexnet", "has the lowest log loss on validation"),
        ({"log_loss": 0.6}, {"log_loss": 0.61, "pretrained": True}, "vgg", "has the lowest log loss on validation"),
        ({}, {"pretrained": True, "parameters": 99}, "alexnet", "is pretrained"),
        ({"parameters": 9}, {"parameters": 10}, "vgg", "is the smallest"),
        ({}, {}, "alexnet", "comes first by name"),
    ],
)
def test_of_equals_the_lowest_log_loss_then_a_pretrained_then_a_smaller_network_is_chosen(
    vgg, alexnet, champion, reason, evaluations
):
    source = evaluations(vgg=metrics_of(0.8, 0.5, **vgg), alexnet=metrics_of(0.79, 0.5, **alexnet))
    summary = summarise(["alexnet", "vgg"], source)
    assert (summary["champion"], summary["reason"]) == (champion, f"of these it {reason}")
    assert (summary["contenders"], summary["distinguishable"]) == (["vgg", "alexnet"], False)
    text = as_markdown(summary)
    assert "images cannot tell these networks apart by accuracy: vgg, alexnet." in text
    assert f"Champion: **{champion}**, because of these it {reason}." in text


FOLDS = "is the most accurate in cross-validation without the test images"


@pytest.mark.parametrize(
    ("folds", "champion", "reason"),
    [
        ({"vgg": 0.7, "alexnet": 0.6, "tiny": 0.65}, "vgg", FOLDS),
        ({"vgg": 0.6, "alexnet": 0.7, "tiny": 0.65}, "alexnet", FOLDS),
        ({"vgg": 0.6, "alexnet": 0.7}, "tiny", "has the lowest log loss on validation"),  # trained once
        ({"vgg": 0.7, "tiny": 0.71}, "tiny", f"has the lowest log loss on validation, and {FOLDS}"),
        ({"alexnet": 0.1}, "tiny", "has the lowest log loss on validation"),
        ({"vgg": 0.6, "alexnet": 0.6, "tiny": 0.5}, "alexnet", f"has the lowest log loss on validation, and {FOLDS}"),
    ],
)
def test_what_validation_cannot_tell_apart_the_folds_without_the_test_images_choose(
    folds, champion, reason, evaluations
):
    source = evaluations(
        vgg=metrics_of(0.8, 0.5, log_loss=0.9), alexnet=metrics_of(0.79, 0.5, log_loss=0.8),
        tiny=metrics_of(0.78, 0.5, log_loss=0.7),
    )  # fmt: skip
    summary = summarise(["vgg", "alexnet", "tiny"], source, folds=folds)
    assert (summary["champion"], summary["reason"]) == (champion, f"of these it {reason}")
    assert summary["contenders"] == ["vgg", "alexnet", "tiny"]


def test_folds_do_not_bring_back_what_validation_tells_apart(evaluations):
    source = evaluations(vgg=metrics_of(0.8, 0.5), alexnet=metrics_of(0.55, 0.5))
    assert summarise(["vgg", "alexnet"], source, folds={"vgg": 0.5, "alexnet": 0.9})["champion"] == "vgg"


def test_a_person_may_name_the_champion(evaluations):
    source = evaluations(vgg=metrics_of(0.8, 0.5), alexnet=metrics_of(0.55, 0.5))
    summary = summarise(["vgg", "alexnet"], source, champion="alexnet")
    assert (summary["champion"], summary["runner_up"], summary["contenders"]) == ("alexnet", "vgg", ["vgg"])
    assert summary["reason"] == "it is named in params.yaml"
    with pytest.raises(
        ValueError, match=r"^params\.yaml compare\.champion: expected one of vgg, alexnet, got lenet\.$"
    ):
        summarise(["vgg", "alexnet"], source, champion="lenet")


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


@pytest.mark.parametrize("folds", [None, {"vgg": 0.6, "alexnet": 0.7}])
def test_no_choice_moves_when_all_test_labels_change(evaluations, folds):
    source = evaluations(vgg=metrics_of(0.8, 0.5), alexnet=metrics_of(0.7, 0.9))
    before = summarise(["vgg", "alexnet"], source, folds=folds)
    for name, accuracy in (("vgg", 0.5), ("alexnet", 0.1)):
        table = read_table(source / name / "predictions.csv")
        is_test = table["split"] == "test"
        table.loc[is_test, "class"] = table.loc[is_test, "class"].map({"a": "b", "b": "a"})
        table.to_csv(source / name / "predictions.csv", index=False)
        metrics = read_json(source / name / "metrics.json")
        metrics["test"] |= {"accuracy": accuracy, "macro_f1": accuracy}
        write_json(metrics, source / name / "metrics.json")
    after = summarise(["vgg", "alexnet"], source, folds=folds)
    choices = ("champion", "contenders", "runner_up", "distinguishable", "rule", "reason")
    assert [before[key] for key in choices] == [after[key] for key in choices]
    assert before["pairs"] != after["pairs"]


def test_what_git_keeps_of_a_network_that_is_no_more_is_no_evaluation(evaluations):
    source = evaluations(vgg=metrics_of(0.8, 0.5), alexnet=metrics_of(0.6, 0.9))
    (source / "lenet").mkdir()
    (source / "lenet" / ".gitignore").write_text("/metrics.json")
    assert summarise(["vgg", "alexnet"], source)["champion"] == "vgg"


def test_an_evaluation_that_an_earlier_choice_of_networks_left_does_not_count(evaluations):
    source = evaluations(vgg=metrics_of(0.8, 0.5), lenet=metrics_of(0.9, 0.9))
    summary = summarise(["vgg"], source)
    assert (summary["champion"], list(summary["networks"])) == ("vgg", ["vgg"])


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
