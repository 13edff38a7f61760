"""Intervals and tests of accuracies of images in groups."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from benchmarks import coverage, rounds
from stages.results.grouped_accuracy import accuracy_difference, accuracy_interval, count_groups


def singles(n):
    return np.arange(n).astype(str)


def first(n_right, n):
    return np.arange(n) < n_right


@pytest.mark.parametrize(("n_right", "n"), [(700, 1000), (970, 1000), (1000, 1000), (0, 1000)])
def test_many_single_images_have_wilsons_interval(n_right, n):
    wilson = binomtest(n_right, n).proportion_ci(method="wilson")
    assert accuracy_interval(first(n_right, n), singles(n)) == pytest.approx(wilson, abs=2e-4)


def test_with_every_image_right_the_interval_still_has_a_width():
    low, high = accuracy_interval(first(30, 30), singles(30))
    assert 0.85 < low < 0.90
    assert high == 1
    low, high, p = accuracy_difference(first(30, 30), first(30, 30), singles(30))
    assert -0.15 < low < 0 < high == pytest.approx(-low)
    assert p == 1


def test_copies_of_images_say_hardly_more_than_the_images():
    right, other = first(70, 100), first(55, 100)
    copied = [np.repeat(each, 4) for each in (right, other, singles(100))]
    width, four = (np.ptp(accuracy_interval(*each)) for each in ((right, singles(100)), (copied[0], copied[2])))
    assert 0.95 * width < four < 1.1 * width
    p, of_four = (accuracy_difference(*each).p for each in ((right, other, singles(100)), copied))
    assert p < 0.01
    assert of_four == pytest.approx(p, rel=0.5)
    assert accuracy_difference(*copied[:2], singles(400)).p < p / 1000


def test_images_of_a_group_that_are_right_independently_say_nearly_as_much_as_single_ones():
    right = np.random.default_rng(0).random(900) < 0.7
    groups = np.repeat(np.arange(300), 3).astype(str)
    width, of_singles = (np.ptp(accuracy_interval(right, each)) for each in (groups, singles(900)))
    assert width == pytest.approx(of_singles, rel=0.1)


def test_too_few_groups_say_nothing():
    groups = np.repeat(np.arange(9), 20).astype(str)
    assert count_groups(groups) == pytest.approx(9)
    assert accuracy_interval(first(170, 180), groups) == (0, 1)
    assert accuracy_difference(first(170, 180), first(0, 180), groups) == (-1, 1, 1)
    giant = np.array(["giant"] * 70 + [str(n) for n in range(30)])
    assert count_groups(giant) == pytest.approx(100**2 / (70**2 + 30))
    assert accuracy_interval(first(90, 100), giant) == (0, 1)


@pytest.mark.slow
@settings(max_examples=120)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=10, max_size=60),
    chances=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    seed=st.integers(0, 2**32),
)
def test_interval_and_p_agree_and_the_order_of_networks_and_rows_does_not_matter(sizes, chances, seed):
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(len(sizes)), sizes).astype(str)
    right, other = (rng.random(len(groups)) < chance for chance in chances)
    low, high, p = accuracy_difference(right, other, groups)
    assert (low > 0 or high < 0) == (p < 0.05)
    assert -1 <= low <= high <= 1
    assert 0 <= p <= 1
    assert accuracy_difference(other, right, groups) == pytest.approx((-high, -low, p))
    order = rng.permutation(len(groups))
    assert accuracy_difference(right[order], other[order], groups[order]) == pytest.approx((low, high, p))
    ends = accuracy_interval(right, groups)
    assert 0 <= ends[0] <= right.mean() <= ends[1] <= 1
    assert accuracy_interval(right[order], groups[order]) == pytest.approx(ends)


@pytest.mark.slow
@pytest.mark.parametrize(("count", "accuracy", "correlation"), [(30, 0.97, 0.0), (100, 0.8, 0.8), (300, 0.97, 0.3)])
def test_the_interval_covers_the_true_accuracy(count, accuracy, correlation):
    share, width = coverage.cover("as the drawings", count, accuracy, correlation, 200)
    assert share >= 0.91
    assert width < 1.3


@pytest.mark.slow
def test_equally_good_networks_are_seldom_told_apart():
    share, contradictions = coverage.differ("as the drawings", 300, 1.5, (2.0, 2.0), 300)
    assert share <= 0.07
    assert contradictions == 0


def test_a_real_difference_is_found():
    rng = np.random.default_rng(0)
    groups = coverage.draw_groups("as the drawings", 300, rng)
    lows = []
    for _ in range(20):
        right, other = (rng.random(len(groups)) < chance for chance in (0.9, 0.7))
        lows.append(accuracy_difference(right, other, groups).low)
    assert sum(low > 0 for low in lows) >= 18


def test_the_benchmark_writes_a_row_for_each_kind_of_groups_and_number(tmp_path, monkeypatch):
    monkeypatch.setattr(rounds, "RESULTS", tmp_path)
    monkeypatch.setattr(coverage, "COUNTS", (30,))
    monkeypatch.setattr("sys.argv", ["coverage", "--trials", "2"])
    monkeypatch.setattr(coverage, "TRAININGS", (3,))
    coverage.main()
    assert (tmp_path / "coverage.md").read_text().count("| 30 |") == 4


def test_one_training_as_a_column_says_what_it_says_as_a_row():
    right, other = first(70, 100), first(55, 100)
    assert accuracy_interval(right[:, None], singles(100)) == accuracy_interval(right, singles(100))
    as_columns = accuracy_difference(right[:, None], other[:, None], singles(100))
    assert as_columns == accuracy_difference(right, other, singles(100))


@pytest.mark.slow
def test_several_trainings_stand_for_all_that_there_could_be():
    covered, _, told_apart, averaged = coverage.repeat(trainings=4, noise=0.05, count=300, trials=100)
    assert covered >= 0.93
    assert told_apart <= 0.06 < averaged


def test_images_that_a_training_did_not_test_do_not_count():
    right = np.where(np.arange(40)[:, None] % 2 == np.arange(2), np.nan, first(30, 40)[:, None])
    assert accuracy_interval(right, singles(40)) == pytest.approx(
        accuracy_interval(first(30, 40), singles(40)), abs=0.02
    )
