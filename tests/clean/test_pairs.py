import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.clean.pairs import find_pairs, find_repeats, in_form, name_groups, nearest_of_another_class


def pairs_of(*pairs):
    table = pd.DataFrame(pairs, columns=["first", "second", "distance"])
    return table.astype("int64")


def smooth(seed):
    rng = np.random.default_rng(seed)
    return np.kron(rng.integers(0, 256, (8, 8)), np.ones((4, 4))).astype(np.uint8)


@pytest.mark.parametrize(
    ("mirrored", "rotated", "forms"),
    [
        (False, False, {}),
        (True, False, {1: "mirror"}),
        (False, True, {2: "270"}),
        (True, True, {1: "mirror", 2: "270", 3: "mirror 180"}),
    ],
)
def test_a_pair_is_found_in_the_form_that_makes_it_near(mirrored, rotated, forms):
    one = smooth(0)
    others = [np.fliplr(one), np.rot90(one), np.flipud(one)]
    found = find_pairs(np.stack([one, *others]), 8, mirrored, rotated)
    with_first = found[found["first"] == 0]
    assert dict(zip(with_first["second"], with_first["form"], strict=True)) == forms
    for second, form in forms.items():
        assert (in_form(others[second - 1], form) == one).all()


def test_a_plain_pair_is_plain_and_comes_once():
    found = find_pairs(np.stack([smooth(0), smooth(0), smooth(1)]), 8, mirrored=True, rotated=True)
    assert found.to_numpy().tolist() == [[0, 1, 0, "plain"]]


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_images_have_no_pair(n):
    assert find_pairs(np.zeros((n, 32, 32), dtype=np.uint8), 12, mirrored=True, rotated=False).empty


def test_a_form_turns_an_image_in_colour_too():
    image = np.arange(4 * 4 * 3).reshape(4, 4, 3).astype(np.uint8)
    assert (in_form(image, "mirror 90") == np.rot90(image[:, ::-1])).all()


def test_a_group_is_named_after_its_smallest_id():
    ids = pd.Series(["c", "a", "b", "d"])
    assert name_groups(ids, pairs_of((0, 1, 0), (1, 2, 0))) == ["a", "a", "a", "d"]


def test_a_chain_over_two_classes_is_a_conflict_of_all():
    classes = pd.Series(["cat", "cat", "dog", "cat"])
    rivals = nearest_of_another_class(classes, pairs_of((0, 1, 4), (1, 2, 6)))
    assert rivals == {0: (2, None), 1: (2, 6), 2: (1, 6)}


def test_of_a_chain_the_best_and_what_is_not_the_same_as_it_stay():
    chain = pairs_of((0, 1, 3), (1, 2, 3))
    nothing = np.zeros(3, dtype=bool)
    assert find_repeats(np.array([0, 1, 2]), chain, nothing) == {1: (0, 3)}
    assert find_repeats(np.array([1, 0, 2]), chain, nothing) == {0: (1, 3), 2: (1, 3)}


def test_a_pinned_row_stays_beside_a_better_one():
    assert find_repeats(np.array([0, 1]), pairs_of((0, 1, 3)), np.array([False, True])) == {}


PAIRS = st.sets(st.tuples(st.integers(0, 11), st.integers(0, 11)).filter(lambda pair: pair[0] < pair[1]), max_size=30)


@given(pairs=PAIRS, seed=st.integers(0, 1000))
def test_no_two_that_stay_are_the_same_and_all_others_repeat_one_that_stays(pairs, seed):
    rank = np.random.default_rng(seed).permutation(12)
    dropped = find_repeats(rank, pairs_of(*((*pair, 1) for pair in sorted(pairs))), np.zeros(12, dtype=bool))
    staying = set(range(12)) - set(dropped)
    assert not any(first in staying and second in staying for first, second in pairs)
    for row, (twin, _) in dropped.items():
        assert twin in staying
        assert rank[twin] < rank[row]
        assert (min(row, twin), max(row, twin)) in pairs
