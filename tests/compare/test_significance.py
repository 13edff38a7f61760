from itertools import combinations
from math import comb

import numpy as np
import pytest
from scipy.stats import binomtest

from stages.compare.significance import holm, mcnemar


def answers(both, only_a, only_b, neither):
    """Return which images two networks get right, given the count of images of each kind."""
    right_a = np.repeat([True, True, False, False], [both, only_a, only_b, neither])
    return right_a, np.repeat([True, False, True, False], [both, only_a, only_b, neither])


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 1), (1, 1), (10, 3), (40, 61)])
def test_p_is_the_sum_of_the_binomials_no_more_probable_than_what_was_seen(only_a, only_b):
    n = only_a + only_b
    seen = comb(n, only_a)
    by_hand = sum(comb(n, k) for k in range(n + 1) if comb(n, k) <= seen) / 2**n
    found = mcnemar(*answers(50, only_a, only_b, 20))
    assert (found["only_a"], found["only_b"]) == (only_a, only_b)
    assert found["p"] == pytest.approx(by_hand, rel=1e-12)


def test_p_is_scipys_on_many_tables():
    random = np.random.default_rng(0)
    for both, only_a, only_b, neither in random.integers(1, 80, (15, 4)):
        right_a, right_b = answers(both, only_a, only_b, neither)
        shuffled = random.permutation(len(right_a))
        expected = binomtest(int(min(only_a, only_b)), int(only_a + only_b), 0.5).pvalue
        assert mcnemar(right_a[shuffled], right_b[shuffled])["p"] == pytest.approx(expected, rel=1e-12)


def test_images_that_both_have_right_or_wrong_change_nothing():
    assert mcnemar(*answers(0, 9, 2, 0)) == mcnemar(*answers(500, 9, 2, 300))


def test_equal_networks_are_not_told_apart():
    assert mcnemar(*answers(5, 0, 0, 3)) == {"only_a": 0, "only_b": 0, "p": 1.0}


def test_duplicates_make_p_smaller_as_the_docstring_says():
    right_a, right_b = answers(20, 6, 2, 5)
    assert mcnemar(np.repeat(right_a, 3), np.repeat(right_b, 3))["p"] < mcnemar(right_a, right_b)["p"]


def test_holm_gives_the_worked_example():
    # https://en.wikipedia.org/wiki/Holm-Bonferroni_method: p of 0.01, 0.04, 0.03, 0.005 at level 0.05 reject H1, H4.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@pytest.mark.parametrize("seed", range(4))
def test_holm_is_the_closure_of_bonferroni(seed):
    """Check that a pair is called different only if Bonferroni's test rejects every set of pairs with it."""
    p = np.random.default_rng(seed).beta(0.4, 2, 5).round(2)
    sets = [each for size in range(1, 6) for each in combinations(range(5), size)]
    closed = [max(min(1, len(each) * min(p[list(each)])) for each in sets if i in each) for i in range(5)]
    assert holm(p) == pytest.approx(closed)


def test_holm_of_one_or_none_changes_nothing():
    assert holm([0.2]) == [0.2]
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1, 1]
