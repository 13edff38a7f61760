import json

import numpy as np
import pytest
from scipy.stats import binom
from sklearn import metrics

from stages.evaluate.thresholds import (
    chance_of,
    choose_threshold,
    images_needed,
    lowest_threshold,
    precision_recall_at,
    sure_threshold,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("wanted", "threshold"),
    [(0.5, 0.1), (0.6, 0.1), (0.61, 0.3), (0.75, 0.3), (0.76, 0.9), (1, 0.9)],
)  # precision from 0.1 on: 3/5; from 0.3 on: 3/4; from 0.5 on: 2/3; from 0.7 on: 1/2; from 0.9 on: 1
def test_the_threshold_is_the_lowest_that_reaches_the_wanted_precision(wanted, threshold):
    labels = np.array([False, True, True, False, True])
    assert lowest_threshold(labels, np.array([0.1, 0.3, 0.5, 0.7, 0.9]), wanted) == threshold


def test_no_threshold_reaches_what_the_highest_score_spoils():
    labels, scores = np.array([True, True, False]), np.array([0.1, 0.5, 0.5])
    assert lowest_threshold(labels, scores, 0.9) is None
    assert lowest_threshold(labels, scores, 2 / 3) == 0.1
    assert lowest_threshold(np.array([False, False]), np.array([0.1, 0.2]), 0.1) is None
    assert lowest_threshold(np.array([True, True]), np.array([0.1, 0.2]), 1) == 0.1


@pytest.mark.parametrize("seed", range(8))
def test_the_threshold_is_that_of_trying_every_score(seed):
    random = np.random.default_rng(seed)
    scores = random.integers(0, 12, 30).astype(np.float32) / 7
    labels = random.random(30) < 0.2 + 0.05 * scores * 7
    wanted = random.uniform(0.3, 1)
    reached = [each for each in scores if labels[scores >= each].mean() >= wanted]
    assert lowest_threshold(labels, scores, wanted) == (min(reached) if reached else None)


def test_a_threshold_that_went_through_json_tags_the_same_rows():
    random = np.random.default_rng(0)
    scores, labels = random.random(200).astype(np.float32), random.random(200) < 0.7
    threshold = lowest_threshold(labels, scores, 0.75)
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


# --- thresholds that are sure


def draw_scores(random, n_groups, in_a_group):
    """Return labels, calibrated scores and groups; images of a group are alike."""
    z = (1.6 * random.normal(size=n_groups)).repeat(in_a_group) + 0.8 * random.normal(size=n_groups * in_a_group)
    scores = 1 / (1 + np.exp(-1.5 * z))
    labels = random.random(n_groups).repeat(in_a_group) < scores
    return labels, scores, np.arange(n_groups).repeat(in_a_group).astype(str)


def true_precision():
    """Return a function from a threshold to the precision that it has on very many images."""
    scores = np.sort(draw_scores(np.random.default_rng(99), 200_000, 1)[1])[::-1]
    precisions = np.cumsum(scores) / np.arange(1, len(scores) + 1)
    return lambda threshold: precisions[np.searchsorted(-scores, -threshold, side="right") - 1]


@pytest.mark.slow
@pytest.mark.parametrize(("n_groups", "in_a_group"), [(500, 1), (150, 3)])
def test_a_sure_threshold_seldom_has_too_low_a_precision_and_one_picked_often_has(n_groups, in_a_group):
    precision, random = true_precision(), np.random.default_rng(0)
    sure, picked = [], []
    for _ in range(100):
        labels, scores, groups = draw_scores(random, n_groups, in_a_group)
        sure.append(sure_threshold(labels, scores, groups, 0.85))
        picked.append(lowest_threshold(labels, scores, 0.85))
    found = [precision(each) for each in sure if each is not None]
    assert len(found) > 40
    assert np.mean(np.array(found) < 0.85) <= 0.06
    assert np.mean([precision(each) < 0.85 for each in picked]) > 0.3


def test_too_few_images_make_no_threshold_sure():
    needed = images_needed(0.9)
    assert needed == 36  # 0.9 ** 36 < 0.025
    for count, expected in ((needed - 1, None), (needed, 0.5)):
        labels, scores = np.full(count, True), np.full(count, 0.5)
        own = np.arange(count).astype(str)
        assert sure_threshold(labels, scores, own, 0.9) == expected
        assert sure_threshold(labels, scores, np.full(count, "one"), 0.9) is None
        found = choose_threshold(labels, scores, own, 0.9)
        assert found == (0.5, expected is not None)


def test_no_number_of_images_makes_every_call_sure():
    assert images_needed(1.0) is None
    labels, scores = np.full(500, True), np.linspace(0.1, 1, 500)
    assert choose_threshold(labels, scores, np.arange(500).astype(str), 1.0) == (pytest.approx(0.1), False)
    assert choose_threshold(~labels, scores, np.arange(500).astype(str), 0.9) is None


def test_images_of_one_group_count_as_one():
    right = np.array([True] * 45 + [False] * 3)
    alone = chance_of(right, np.arange(48).astype(str), 0.8)
    assert alone == pytest.approx(binom.sf(44, 48, 0.8))
    twice = chance_of(right.repeat(2), np.arange(48).repeat(2).astype(str), 0.8)
    assert twice == pytest.approx(alone)


@pytest.mark.parametrize("sizes", [[1, 1, 1, 10], [10] * 6, [1] * 30 + [20]])
def test_unlike_groups_make_no_threshold_sure_too_often(sizes):
    """All images of a group are right or none is, in a share of cases just below what is wanted."""
    random, groups = np.random.default_rng(0), np.arange(len(sizes)).repeat(sizes).astype(str)
    chances = [chance_of((random.random(len(sizes)) < 0.8).repeat(sizes), groups, 0.801) for _ in range(2000)]
    assert np.mean(np.array(chances) <= 0.025) <= 0.03
