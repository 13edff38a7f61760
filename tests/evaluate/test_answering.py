import math

import numpy as np
import pytest
from scipy.special import softmax

from stages.evaluate.answering import conformal_limit, score_answers, set_limits
from stages.evaluate.predictions import Predictions
from stages.networks.answer_limits import AnswerLimits


@pytest.mark.parametrize(
    ("number", "share", "place"), [(19, 0.95, 19), (18, 0.95, None), (99, 0.95, 95), (100, 0.5, 51), (4, 0.2, 1)]
)
def test_the_limit_is_the_score_at_the_rank_that_one_score_more_gives(number, share, place):
    scores = np.random.default_rng(0).permutation(number) + 1
    assert conformal_limit(scores, share) == (math.inf if place is None else place)


def draw(number, random):
    """Predictions of a network that is right more often than not, and the images' novelty."""
    labels = random.integers(0, 3, number)
    scores = random.normal(size=(number, 3)) + 1.5 * np.eye(3)[labels]
    groups = np.arange(number).astype(str)
    return Predictions(softmax(scores, axis=1), labels, groups, ["a", "b", "c"]), random.gamma(2, size=number)


@pytest.mark.parametrize("number", [30, 140])
def test_over_many_choices_of_validation_images_the_stated_shares_hold(number):
    random, found = np.random.default_rng(0), []
    for _ in range(300):
        limits = set_limits(*draw(number, random), 0.1, 0.8)
        scores = score_answers(limits, *draw(200, random))
        found.append((scores["refused"], scores["covered"]))
    refused, covered = np.mean(found, axis=0)
    error = 0.01  # of the mean of 300 draws: three times its standard deviation
    assert 0.1 - 1 / number - error < refused < 0.1 + error
    assert 0.8 - error < covered < 0.8 + 1 / number + error


def test_too_few_images_refuse_none_and_make_all_likely():
    few = draw(8, np.random.default_rng(0))
    assert set_limits(*few, 0.1, 0.9) == AnswerLimits(novelty=None, least_probability=0)


def test_the_test_images_are_counted():
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.45, 0.55]])
    test = Predictions(probabilities, np.array([0, 1, 0, 1]), np.array(list("abcd")), ["x", "y"])
    scores = score_answers(AnswerLimits(novelty=1, least_probability=0.4), test, np.array([0.5, 1.0, 1.1, 0.2]))
    assert (scores["refused"], scores["covered"], scores["likely_classes"]) == (0.25, 0.75, 1.5)
    assert scores["intervals"] == {"refused": [0, 1], "covered": [0, 1]}  # of four groups nothing can be said


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_at_least_the_stated_share_of_the_validation_images_themselves_is_covered(dtype):
    for seed in range(100):
        val, novelty = draw(99, np.random.default_rng(seed))
        val = Predictions(val.probabilities.astype(dtype), val.labels, val.groups, val.classes)
        scores = score_answers(set_limits(val, novelty, 0.1, 0.9), val, novelty)
        assert scores["covered"] == round(90 / 99, 4)  # the 90 most probable of 99, none lost by rounding
        assert scores["refused"] == round(9 / 99, 4)


def test_a_true_class_that_is_next_to_impossible_does_not_make_all_likely():
    probabilities = np.tile(np.array([1 - 1e-9, 1e-9, 1e-20], np.float32), (20, 1))
    val = Predictions(probabilities, np.repeat([0, 1], [10, 10]), np.arange(20).astype(str), ["a", "b", "c"])
    limits = set_limits(val, np.arange(20), 0.1, 0.9)
    assert limits.find_likely(probabilities[:1]).tolist() == [[True, True, False]]
