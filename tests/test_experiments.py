import pytest

from stages import experiments

NETWORKS = ["common", "vgg", "alexnet"]


def row(rev, model, val, test=0.5, **changed):
    params = {
        "train.common.seed": 0.0,
        "train.vgg.learning_rate": 3e-4,
        "train.alexnet.dropout": 0.1,
        "split.seed": 0.0,
    }
    scores = {"metrics/vgg.json:val.accuracy": val, "metrics/vgg.json:test.accuracy": test}
    names = {key.replace("__", "."): value for key, value in changed.items()}
    return {"rev": rev, "data/6_models/vgg/model.keras": model, **scores, **params, **names}


def show(*rows, with_test=False):
    return experiments.run(list(rows), "vgg", NETWORKS, with_test=with_test).to_dict("records")


def test_runs_that_differ_in_seeds_only_give_a_mean_and_a_deviation():
    rows = [row(f"r{seed}", f"m{seed}", val, train__common__seed=seed) for seed, val in enumerate((0.5, 0.6, 0.7))]
    (found,) = show(*rows)
    expected = {"setting": "as in params.yaml", "seeds": "train.common.seed 0, 1, 2", "runs": 3, "val": "0.600 ± 0.100"}
    assert found == expected


def test_the_best_setting_on_validation_comes_first():
    first = [row(f"a{seed}", f"a{seed}", 0.6 + seed / 10, train__common__seed=seed) for seed in range(2)]
    second = row("b", "b", 0.8, 0.1, train__vgg__learning_rate=1e-5)
    found = show(*first, second, with_test=True)
    assert [each["setting"] for each in found] == ["train.vgg.learning_rate=1e-05", "train.vgg.learning_rate=0.0003"]
    assert [(each["val"], each["test"]) for each in found] == [("0.800", "0.100"), ("0.650 ± 0.071", "0.500 ± 0.000")]


def test_an_experiment_with_another_network_counts_no_run_of_this_one():
    found = show(row("main", "m0", 0.5), row("other", "m0", 0.5, train__alexnet__dropout=0.4))
    assert [(each["setting"], each["runs"]) for each in found] == [("as in params.yaml", 1)]


def test_an_experiment_has_the_model_that_its_own_lock_records(monkeypatch):
    def lock(commit):
        outs = [{"path": "data/6_models/vgg/model.keras", "md5": f"model of {commit}"}]
        return {"train@vgg": {"outs": outs}, "explain@vgg": {"deps": outs}} if commit != "before" else {}

    monkeypatch.setattr(experiments, "read_lock", lock)
    shown = [row(rev, "stale", 0.5) for rev in ("workspace", "a", "b", "before")]
    found = experiments.with_models(shown, "vgg")
    assert {each["rev"]: each["data/6_models/vgg/model.keras"] for each in found} == {
        "a": "model of a", "b": "model of b", "before": None,
    }  # fmt: skip


def test_long_seeds_are_shown_whole():
    (found,) = show(*(row(str(seed), str(seed), 0.5, split__seed=20240100 + seed) for seed in range(2)))
    assert found["seeds"] == "split.seed 20240100, 20240101"


def test_what_lies_in_the_workspace_is_not_an_experiment():
    (found,) = show(row("workspace", "m1", 0.9), row("main", "m0", 0.5))
    assert (found["runs"], found["val"]) == (1, "0.500")


def test_no_experiment_of_the_network_is_an_error():
    with pytest.raises(ValueError, match=r"experiments: expected some with metrics of alexnet, got none\."):
        experiments.run([row("main", "m0", 0.5)], "alexnet", NETWORKS, with_test=False)
