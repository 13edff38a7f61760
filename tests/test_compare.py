import pandas as pd
import pytest

from stages import compare
from stages.core.files import read_json, write_json


def metrics_of(val, test, parameters=10, macro_f1=0.5):
    classes = {"a": {"count": 30}, "b": {"count": 70}}
    return {
        "parameters": parameters,
        "pretrained": False,
        "val": {"accuracy": val, "macro_f1": macro_f1},
        "test": {"accuracy": test, "macro_f1": test, "count": 100, "classes": classes},
    }


@pytest.fixture
def evaluations(tmp_path):
    def write(**metrics):
        for name, values in metrics.items():
            folder = tmp_path / "evaluations" / name
            folder.mkdir(parents=True)
            write_json(values, folder / "metrics.json")
            pd.DataFrame({"class": list("aabb"), "predicted": list("abbb")}).to_csv(
                folder / "confusion.csv", index=False
            )
        return tmp_path / "evaluations"

    return write


def run(networks, source, tmp_path):
    compare.run(networks, source, tmp_path / "summary.json", tmp_path / "summary.md", tmp_path / "summary.png")
    return read_json(tmp_path / "summary.json")


def test_the_champion_is_chosen_on_validation_and_never_on_test(evaluations, tmp_path):
    source = evaluations(vgg=metrics_of(val=0.8, test=0.5), alexnet=metrics_of(val=0.7, test=0.9))
    summary = run(["vgg", "alexnet"], source, tmp_path)
    assert summary["champion"] == "vgg"
    assert summary["alexnet"]["test"]["accuracy"] == 0.9
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
    assert compare.choose(metrics) == champion


def test_an_evaluation_of_a_removed_network_names_the_command_that_removes_it(evaluations, tmp_path):
    source = evaluations(vgg=metrics_of(0.8, 0.5), lenet=metrics_of(0.9, 0.9))
    with pytest.raises(
        ValueError, match=r"expected evaluations of vgg, got lenet; `rm -r .*evaluations/lenet` removes"
    ):
        run(["vgg"], source, tmp_path)
    assert not (tmp_path / "summary.json").exists()


def test_a_missing_evaluation_is_refused(evaluations, tmp_path):
    with pytest.raises(ValueError, match=r"expected evaluations of vgg, xception, got none of xception\."):
        run(["vgg", "xception"], evaluations(vgg=metrics_of(0.8, 0.5)), tmp_path)


def test_the_same_numbers_give_the_same_bytes(evaluations, tmp_path):
    source = evaluations(vgg=metrics_of(0.8, 0.5), alexnet=metrics_of(0.7, 0.9))
    names = ("summary.json", "summary.md", "summary.png")
    run(["vgg", "alexnet"], source, tmp_path)
    first = [(tmp_path / name).read_bytes() for name in names]
    run(["vgg", "alexnet"], source, tmp_path)
    assert [(tmp_path / name).read_bytes() for name in names] == first
    assert first[2].startswith(b"\x89PNG")
