from itertools import combinations

import numpy as np
import pytest

from stages.compare.significance import holm


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
