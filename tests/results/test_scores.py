import json
import math
import warnings

import numpy as np
import pytest
from sklearn import metrics

from stages.core.files import read_json, write_json
from stages.results.scores import (
    losses,
    score,
    score_classes,
)

NAMES = list("abcdefgh")


@pytest.fixture
def answer():
    """Return labels and float32 probabilities of a model that is sometimes right; a seed always gives the same."""

    def make(n_classes, rows=80, seed=0, labels=None):
        random = np.random.default_rng([n_classes, seed])
        labels = random.integers(n_classes, size=rows) if labels is None else np.array(labels)
        logits = random.normal(size=(len(labels), n_classes)) + 1.5 * np.eye(n_classes)[labels]
        odds = np.exp(logits)
        return labels, (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)

    return make


@pytest.fixture
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("n_classes", [2, 3, 8])
def test_every_score_is_scikit_learns(answer, n_classes):
    labels, p = answer(n_classes)
    found = score(labels, p, NAMES[:n_classes])
    predicted, truth = p.argmax(axis=1), np.eye(n_classes)[labels]
    expected = {
        "accuracy": metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, predicted),
        "macro_f1": metrics.f1_score(labels, predicted, average="macro"),
        "roc_auc": metrics.roc_auc_score(truth, p, average="macro"),
        "average_precision": metrics.average_precision_score(truth, p, average="macro"),
        "log_loss": metrics.log_loss(labels, p),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=5.1e-5)
    assert found["count"] == 80
    report = metrics.classification_report(labels, predicted, target_names=NAMES[:n_classes], output_dict=True)
    for k, name in enumerate(NAMES[:n_classes]):
        row = found["classes"][name]
        assert row["precision"] == pytest.approx(report[name]["precision"], abs=5.1e-5)
        assert row["recall"] == pytest.approx(report[name]["recall"], abs=5.1e-5)
        assert row["f1"] == pytest.approx(report[name]["f1-score"], abs=5.1e-5)
        assert row["roc_auc"] == pytest.approx(metrics.roc_auc_score(labels == k, p[:, k]), abs=5.1e-5)
        area = metrics.average_precision_score(labels == k, p[:, k])
        assert row["average_precision"] == pytest.approx(area, abs=5.1e-5)
        assert row["count"] == report[name]["support"]


@pytest.mark.parametrize(
    ("n_classes", "tops"), [(2, []), (3, ["top_2"]), (4, ["top_2", "top_3"]), (6, ["top_2", "top_3", "top_5"])]
)
def test_top_k_counts_the_k_most_probable_where_there_are_more_classes(answer, n_classes, tops):
    labels, p = answer(n_classes)
    found = score(labels, p, NAMES[:n_classes])
    assert [name for name in found if name.startswith("top_")] == tops
    for name in tops:
        best = np.argsort(-p, axis=1)[:, : int(name[-1])]
        assert found[name] == round(float(np.mean([label in row for label, row in zip(labels, best, strict=True)])), 4)


def test_of_equal_probabilities_the_first_counts_in_all_scores():
    found = score(np.array([0, 0, 1, 3]), np.full((4, 4), 0.25, np.float32), list("abcd"))
    assert (found["accuracy"], found["top_2"], found["top_3"]) == (0.5, 0.75, 0.75)


def test_a_class_that_no_row_has_gets_none_and_leaves_the_means(answer, no_warnings, tmp_path):
    labels, p = answer(4, labels=[0, 1, 3] * 20)
    found = score(labels, p, list("abcd"))
    assert (p.argmax(axis=1) == 2).any()
    none = dict.fromkeys(["precision", "recall", "f1", "roc_auc", "average_precision"])
    assert found["classes"]["c"] == {**none, "count": 0}
    predicted, truth = p.argmax(axis=1), np.eye(4)[labels]
    there = [0, 1, 3]
    assert found["macro_f1"] == pytest.approx(
        metrics.f1_score(labels, predicted, labels=there, average="macro"), abs=5.1e-5
    )
    assert found["balanced_accuracy"] == pytest.approx(
        metrics.recall_score(labels, predicted, labels=there, average="macro"), abs=5.1e-5
    )
    assert found["roc_auc"] == pytest.approx(metrics.roc_auc_score(truth[:, there], p[:, there]), abs=5.1e-5)
    write_json(found, tmp_path / "scores.json")
    assert "NaN" not in (tmp_path / "scores.json").read_text()
    assert read_json(tmp_path / "scores.json")["classes"]["c"]["roc_auc"] is None


def test_rows_of_a_single_class_have_no_roc(answer, no_warnings):
    found = score(*answer(3, labels=[1] * 9), list("abc"))
    assert found["roc_auc"] is None
    assert found["classes"]["b"]["roc_auc"] is None
    assert found["average_precision"] == found["classes"]["b"]["average_precision"] == 1
    assert found["accuracy"] == found["balanced_accuracy"] == found["classes"]["b"]["recall"]


def test_the_precision_of_a_class_never_predicted_is_0(no_warnings):
    found = score(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]), ["a", "b"])
    row = found["classes"]["b"]
    assert (row["precision"], row["recall"], row["f1"], row["roc_auc"]) == (0, 0, 0, 1)


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match=r"score: expected at least one row, got none\."):
        score(np.array([], int), np.empty((0, 2)), ["a", "b"])


def test_rounded_and_single_precision_probabilities_score_without_a_warning(answer, no_warnings):
    labels, p = answer(5)
    rounded = p.astype(float).round(6)
    assert score(labels, rounded, NAMES[:5]) == score(labels, p, NAMES[:5]) == score(labels, p.astype(float), NAMES[:5])


def test_scores_are_numbers_that_json_knows(answer):
    found = score(*answer(3), list("abc"))
    assert json.loads(json.dumps(found)) == found
    assert {type(found["count"]), type(found["classes"]["a"]["count"])} == {int}
    assert type(found["accuracy"]) is float


def test_the_losses_are_those_whose_mean_is_the_log_loss(answer):
    labels, p = answer(3)
    each, doubles = losses(labels, p), p.astype(float)
    assert each.mean() == pytest.approx(metrics.log_loss(labels, doubles / doubles.sum(axis=1, keepdims=True)))
    assert each[7] == pytest.approx(-math.log(p[7, labels[7]]), rel=1e-5)


def test_the_loss_of_a_probability_of_0_is_large_but_finite():
    p = np.array([[1, 0], [1, 0]], np.float32)
    np.testing.assert_allclose(losses(np.array([0, 1]), p), [0, 52 * math.log(2)])
    assert score(np.array([0, 1]), p, ["a", "b"])["log_loss"] == round(26 * math.log(2), 4)


def test_scores_by_class_keep_all_their_digits(answer):
    labels, p = answer(3)
    assert score_classes(labels, p)[1]["roc_auc"] == metrics.roc_auc_score(labels == 1, p[:, 1])
