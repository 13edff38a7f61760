import pytest

from stages import experiments

NETWORKS = ["common", "vgg", "alexnet"]


def row(rev, loss, val, test=0.5, **changed):
    params = {
        "train.common.seed": 0.0,
        "train.vgg.learning_rate": 3e-4,
        "train.alexnet.dropout": 0.1,
        "split.seed": 0.0,
    }
    scores = {"metrics/vgg.json:val.accuracy": val, "metrics/vgg.json:test.accuracy": test}
    scores["metrics/vgg.json:val.log_loss"] = loss
    names = {key.replace("__", "."): value for key, value in changed.items()}
    return {"rev": rev, "data/6_models/vgg/model.keras": "stale", **scores, **params, **names}


def show(*rows, with_test=False):
    return experiments.run(list(rows), "vgg", NETWORKS, with_test=with_test).to_dict("records")


def test_runs_that_differ_in_seeds_only_give_a_mean_and_a_deviation():
    rows = [row(f"r{seed}", seed / 10, val, train__common__seed=seed) for seed, val in enumerate((0.5, 0.6, 0.7))]
    (found,) = show(*rows)
    expected = {"setting": "as in params.yaml", "seeds": "train.common.seed 0, 1, 2", "runs": 3, "val": "0.600 ± 0.100"}
    assert found == expected


def test_the_best_setting_on_validation_comes_first():
    first = [row(f"a{seed}", seed / 10, 0.6 + seed / 10, train__common__seed=seed) for seed in range(2)]
    second = row("b", 0.2, 0.8, 0.1, train__vgg__learning_rate=1e-5)
    found = show(*first, second, with_test=True)
    assert [each["setting"] for each in found] == ["train.vgg.learning_rate=1e-05", "train.vgg.learning_rate=0.0003"]
    assert [(each["val"], each["test"]) for each in found] == [("0.800", "0.100"), ("0.650 ± 0.071", "0.500 ± 0.000")]


def test_an_experiment_with_another_network_counts_no_run_of_this_one():
    found = show(row("main", 0.1, 0.5), row("other", 0.1, 0.5, train__alexnet__dropout=0.4))
    assert [(each["setting"], each["runs"]) for each in found] == [("as in params.yaml", 1)]


def test_runs_that_differ_in_their_loss_alone_count_each():
    (found,) = show(row("main", 0.1, 0.5), row("other", 0.2, 0.5, train__common__seed=1))
    assert found["runs"] == 2


def test_what_lies_in_the_workspace_is_not_an_experiment():
    (found,) = show(row("workspace", 0.2, 0.9), row("main", 0.1, 0.5))
    assert (found["runs"], found["val"]) == (1, "0.500")


def test_no_experiment_of_the_network_is_an_error():
    with pytest.raises(ValueError, match=r"experiments: expected some with metrics of alexnet, got none\."):
        experiments.run([row("main", 0.1, 0.5)], "alexnet", NETWORKS, with_test=False)
