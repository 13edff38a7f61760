import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.calibration import calibration_curve

from stages.evaluate.curves import per_class_bars, precision_recall_points, reliability, roc_points
from stages.results.scores import score

CLASSES = ["cat", "dog", "owl"]


@pytest.fixture
def answer():
    def make(rows, digits=6, n_classes=3):
        random = np.random.default_rng(rows)
        labels = random.integers(n_classes, size=rows)
        odds = np.exp(random.normal(size=(rows, n_classes)) + np.eye(n_classes)[labels])
        return labels, (odds / odds.sum(axis=1, keepdims=True)).round(digits)

    return make


def of(points, name):
    rows = points[points["class"] == name]
    return rows.iloc[:, 1].to_numpy(), rows.iloc[:, 2].to_numpy()


def test_roc_points_of_a_few_rows_are_scikit_learns(answer):
    labels, p = answer(60)
    points = roc_points(labels, p, CLASSES)
    assert list(points) == ["class", "false_positive_rate", "true_positive_rate"]
    for k, name in enumerate(CLASSES):
        expected = metrics.roc_curve(labels == k, p[:, k])
        np.testing.assert_allclose(of(points, name), expected[:2], atol=5.1e-5)


def test_precision_recall_points_of_a_few_rows_are_scikit_learns(answer):
    labels, p = answer(60)
    points = precision_recall_points(labels, p, CLASSES)
    assert list(points) == ["class", "recall", "precision"]
    for k, name in enumerate(CLASSES):
        precision, recall, _ = metrics.precision_recall_curve(labels == k, p[:, k], drop_intermediate=True)
        np.testing.assert_allclose(of(points, name), [recall[::-1], precision[::-1]], atol=5.1e-5)


def distance(x, y, kept_x, kept_y):
    """Return how far the farthest point of a curve is from the line through the kept points."""
    starts = np.stack([kept_x[:-1], kept_y[:-1]], axis=1)
    steps = np.stack([np.diff(kept_x), np.diff(kept_y)], axis=1)
    farthest = 0
    for points in np.array_split(np.stack([x, y], axis=1), 10):
        offsets = points[:, None] - starts
        along = (offsets * steps).sum(axis=2) / np.maximum((steps**2).sum(axis=1), 1e-12)
        misses = offsets - along.clip(0, 1)[..., None] * steps
        farthest = max(farthest, np.hypot(*misses.transpose(2, 0, 1)).min(axis=1).max())
    return farthest


@pytest.mark.slow
@pytest.mark.parametrize("digits", [6, 2])
def test_thinned_curves_keep_their_shape(answer, digits):
    labels, p = answer(9000, digits)
    roc, pr = roc_points(labels, p, CLASSES), precision_recall_points(labels, p, CLASSES)
    for k, name in enumerate(CLASSES):
        full = metrics.roc_curve(labels == k, p[:, k])[:2]
        kept = of(roc, name)
        assert len(kept[0]) <= 200 < len(full[0]) or digits == 2
        assert distance(*full, *kept) < 0.005
        assert metrics.auc(*kept) == pytest.approx(metrics.roc_auc_score(labels == k, p[:, k]), abs=1e-3)
        assert [(x[0], x[-1]) for x in kept] == [(0, 1), (0, 1)]
        precision, recall, _ = metrics.precision_recall_curve(labels == k, p[:, k])
        kept = of(pr, name)
        assert len(kept[0]) <= 200
        assert distance(recall, precision, *kept) < 0.01
        assert metrics.auc(*kept) == pytest.approx(metrics.auc(recall, precision), abs=1e-3)
        assert kept[0][0] == 0
        assert kept[0][-1] == 1


def test_curves_go_from_left_to_right(answer):
    labels, p = answer(9000)
    for points in (roc_points(labels, p, CLASSES), precision_recall_points(labels, p, CLASSES)):
        assert set(points["class"]) == set(CLASSES)
        assert all(each.iloc[:, 1].is_monotonic_increasing for _, each in points.groupby("class"))


def test_a_class_that_no_row_or_every_row_has_gets_no_curve(answer, recwarn):
    _, p = answer(60)
    labels = np.repeat([0, 1], 30)
    for make in (roc_points, precision_recall_points):
        assert make(labels, p, CLASSES)["class"].unique().tolist() == ["cat", "dog"]
        assert make(np.zeros(60, int), p, CLASSES).empty
        assert list(make(np.zeros(60, int), p, CLASSES)) == list(make(labels, p, CLASSES))
    assert not recwarn.list


def test_reliability_has_all_rows_in_bins_of_rising_probability(answer):
    table = reliability(*answer(500))
    assert list(table) == ["confidence", "accuracy", "count"]
    assert table["count"].sum() == 500
    assert table["confidence"].is_monotonic_increasing


def test_reliability_is_scikit_learns_calibration_curve(answer):
    labels, p = answer(500)
    right = labels == p.argmax(axis=1)
    accuracy, confidence = calibration_curve(right, p.max(axis=1), n_bins=15, strategy="quantile")
    table = reliability(labels, p)
    np.testing.assert_allclose(table[["accuracy", "confidence"]].T, [accuracy, confidence], atol=5.1e-5)


def test_bars_are_the_scores_of_each_class(answer):
    labels, p = answer(60)
    bars = per_class_bars(labels, p, CLASSES)
    assert list(bars) == ["class", "metric", "value"]
    table = bars.pivot(index="class", columns="metric", values="value")
    expected = pd.DataFrame(score(labels, p, CLASSES)["classes"]).T.drop(columns="count")
    pd.testing.assert_frame_equal(table, expected[table.columns], check_names=False, check_dtype=False)


def test_bars_leave_out_what_is_undefined(answer):
    _, p = answer(60)
    bars = per_class_bars(np.repeat([0, 1], 30), p, CLASSES)
    assert set(bars["class"]) == {"cat", "dog"}
    only = per_class_bars(np.zeros(60, int), p, CLASSES)
    assert set(only["metric"]) == {"precision", "recall", "f1", "average_precision"}
