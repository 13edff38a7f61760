import json
import math
import warnings

import numpy as np
import pytest
from sklearn import metrics

from stages.core.files import read_json, write_json
from stages.results.scores import (
    bin_confidence,
    calibration_error,
    losses,
    precision_recall_at,
    score,
    score_classes,
    threshold_for,
    wilson_interval,
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


def test_the_calibration_error_is_that_of_a_loop_over_the_bins(answer):
    labels, p = answer(3, rows=300)
    confidence, right = p.max(axis=1).astype(float), labels == p.argmax(axis=1)
    expected, counts = 0.0, []
    for m in range(15):  # Guo et al. 2017, equations 1 to 3
        rows = [i for i in range(300) if m / 15 < confidence[i] <= (m + 1) / 15]
        if rows:
            expected += len(rows) / 300 * abs(right[rows].mean() - confidence[rows].mean())
            counts.append(len(rows))
    assert calibration_error(labels, p) == pytest.approx(expected)
    assert bin_confidence(labels, p)[2].tolist() == counts


@pytest.mark.parametrize("edge", [8, 14, 15])
def test_a_bin_includes_its_upper_bound(edge):
    at, above = edge / 15, np.nextafter(edge / 15, 1)
    p = np.array([[each, 1 - each] for each in ((edge - 0.5) / 15, at, above)])
    _, _, count = bin_confidence(np.zeros(3, int), p)
    assert count.tolist() == ([2, 1] if edge < 15 else [3])


def test_a_network_as_often_right_as_it_says_is_calibrated():
    p = np.array([[0.75, 0.25]] * 4)
    assert calibration_error(np.array([0, 0, 0, 1]), p) == pytest.approx(0)
    assert calibration_error(np.array([0, 0, 0, 0]), p) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("wanted", "threshold"),
    [(0.5, 0.1), (0.6, 0.1), (0.61, 0.3), (0.75, 0.3), (0.76, 0.9), (1, 0.9)],
)  # precision from 0.1 on: 3/5; from 0.3 on: 3/4; from 0.5 on: 2/3; from 0.7 on: 1/2; from 0.9 on: 1
def test_the_threshold_is_the_lowest_that_reaches_the_wanted_precision(wanted, threshold):
    labels = np.array([False, True, True, False, True])
    assert threshold_for(labels, np.array([0.1, 0.3, 0.5, 0.7, 0.9]), wanted) == threshold


def test_no_threshold_reaches_what_the_highest_score_spoils(no_warnings):
    labels, scores = np.array([True, True, False]), np.array([0.1, 0.5, 0.5])
    assert threshold_for(labels, scores, 0.9) is None
    assert threshold_for(labels, scores, 2 / 3) == 0.1
    assert threshold_for(np.array([False, False]), np.array([0.1, 0.2]), 0.1) is None
    assert threshold_for(np.array([True, True]), np.array([0.1, 0.2]), 1) == 0.1


@pytest.mark.parametrize("seed", range(8))
def test_the_threshold_is_that_of_trying_every_score(seed):
    random = np.random.default_rng(seed)
    scores = random.integers(0, 12, 30).astype(np.float32) / 7
    labels = random.random(30) < 0.2 + 0.05 * scores * 7
    wanted = random.uniform(0.3, 1)
    reached = [each for each in scores if labels[scores >= each].mean() >= wanted]
    assert threshold_for(labels, scores, wanted) == (min(reached) if reached else None)


def test_a_threshold_that_went_through_json_tags_the_same_rows():
    random = np.random.default_rng(0)
    scores, labels = random.random(200).astype(np.float32), random.random(200) < 0.7
    threshold = threshold_for(labels, scores, 0.75)
    found = precision_recall_at(labels, scores, json.loads(json.dumps(threshold)))
    tagged = scores >= np.float32(threshold)
    assert np.float32(threshold) in scores
    assert found["count"] == tagged.sum()
    assert found["precision"] == round(metrics.precision_score(labels, tagged), 4)
    assert found["precision"] >= 0.75
    assert found["recall"] == round(metrics.recall_score(labels, tagged), 4)


def test_precision_and_recall_at_a_threshold_include_it():
    labels, scores = np.array([True, False, True, True]), np.array([0.9, 0.5, 0.5, 0.1])
    found = precision_recall_at(labels, scores, 0.5)
    assert found == {"precision": 0.6667, "recall": 0.6667, "count": 3, "low": 0.2077, "high": 0.9385}
    above = precision_recall_at(labels, scores, 0.50001)
    assert (above["precision"], above["recall"], above["count"]) == (1, 0.3333, 1)


def test_what_no_row_reaches_has_no_precision():
    nothing = {"precision": None, "count": 0, "low": None, "high": None}
    assert precision_recall_at(np.array([True]), np.array([0.5]), 0.6) == {**nothing, "recall": 0}
    assert precision_recall_at(np.array([False]), np.array([0.5]), 0.6) == {**nothing, "recall": None}


def test_the_interval_holds_the_accuracy_and_narrows_with_more_images():
    low, high = wilson_interval(0.7, 100)
    assert (low, high) == (0.6042, 0.7811)  # https://en.wikipedia.org/wiki/Binomial_proportion_confidence_interval
    wide, narrow = wilson_interval(0.7, 10), wilson_interval(0.7, 1000)
    assert wide[0] < low < narrow[0] < 0.7 < narrow[1] < high < wide[1]


def test_scores_by_class_keep_all_their_digits(answer):
    labels, p = answer(3)
    assert score_classes(labels, p)[1]["roc_auc"] == metrics.roc_auc_score(labels == 1, p[:, 1])
