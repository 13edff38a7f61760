import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from stages.clean.groups import (
    LOOK_ALIKE,
    SAME,
    describe_groups,
    find_repeats,
    name_groups,
    name_originals,
    nearest_of_another_class,
)  # fmt: skip


def pairs_of(*pairs, relation=SAME):
    table = pd.DataFrame(pairs, columns=["first", "second", "distance"])
    return table.astype("int64").assign(relation=relation)


def test_a_group_is_named_after_its_smallest_id():
    ids = pd.Series(["c", "a", "b", "d"])
    assert name_groups(ids, pairs_of((0, 1, 0), (1, 2, 0))) == ["a", "a", "a", "d"]


def test_an_original_has_the_smallest_id_of_the_same_images_only():
    ids = pd.Series(["c", "a", "b", "d"])
    assert name_originals(ids, pairs_of((0, 2, 0))) == ["b", "a", "b", "d"]


def ring(start, number):
    """All pairs of the rows from start on: a group in which every image is like each other one."""
    return [(one, two, 1) for one in range(start, start + number) for two in range(one + 1, start + number)]


def test_two_large_groups_that_one_pair_of_look_alikes_connects_stay_two():
    ids = pd.Series([f"{number:02d}" for number in range(20)])
    bridged = pairs_of(*ring(0, 10), *ring(10, 10), (9, 10, 1), relation=LOOK_ALIKE)
    assert name_groups(ids, bridged) == ["00"] * 10 + ["10"] * 10


def test_a_bridge_of_the_same_image_is_never_cut():
    ids = pd.Series([f"{number:02d}" for number in range(20)])
    bridged = pairs_of(*ring(0, 10), *ring(10, 10), (9, 10, 1), relation=LOOK_ALIKE)
    bridged.loc[len(bridged) - 1, "relation"] = SAME
    assert name_groups(ids, bridged) == ["00"] * 20


def test_a_chain_of_chance_does_not_grow_into_one_group():
    ids = pd.Series([f"{number:03d}" for number in range(200)])
    chain = pairs_of(*((row, row + 1, 1) for row in range(199)), relation=LOOK_ALIKE)
    assert pd.Series(name_groups(ids, chain)).value_counts().max() <= 20


def test_a_family_of_which_a_tenth_is_alike_stays_one_group():
    ids = pd.Series([f"{number:02d}" for number in range(30)])
    star = pairs_of(*((one, two, 1) for one, two, _ in ring(0, 30) if (two - one) % 4 == 1), relation=LOOK_ALIKE)
    assert set(name_groups(ids, star)) == {"00"}


def test_exactly_a_tenth_is_enough():
    ids = pd.Series([f"{number:02d}" for number in range(19)])
    ties = [(one, 5 + (3 * one + two) % 14, 1) for one in range(5) for two in range(2)][:7]
    assert set(name_groups(ids, pairs_of(*ring(0, 5), *ring(5, 14), *ties, relation=LOOK_ALIKE))) == {"00"}
    assert len(set(name_groups(ids, pairs_of(*ring(0, 5), *ring(5, 14), *ties[:6], relation=LOOK_ALIKE)))) == 2


def test_ten_groups_are_named_and_the_others_counted():
    kept = pd.DataFrame({"class": ["cat", "dog"] * 12, "group": [f"{n // 2:064d}" for n in range(24)]})
    lines = describe_groups(kept)
    assert len(lines) == 11
    assert lines[-1] == "clean: and 2 more such groups."


def test_large_groups_and_groups_of_several_classes_are_said():
    kept = pd.DataFrame({
        "class": ["cat"] * 100 + ["dog"] * 50,
        "group": ["a" * 64] * 13 + [f"{n:064d}" for n in range(86)] + ["b" * 64] * 2
        + [f"{n:064d}" for n in range(100, 149)],
    })  # fmt: skip
    assert describe_groups(kept) == [
        "clean: look-alikes aaaaaaaaaaaa: 13 of 100 in cat; the contact sheet of groups shows them.",
        "clean: look-alikes bbbbbbbbbbbb: 1 of 100 in cat, 1 of 50 in dog; the contact sheet of groups shows them.",
    ]


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
