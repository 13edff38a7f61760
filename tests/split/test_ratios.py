"""Ratios, folds, and dealing groups into parts: stages.split.ratios and stages.split.dealing."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.tables import SPLITS
from stages.split.dealing import assign, fill_up, quotas
from stages.split.grouping import ungroup
from stages.split.leaks import straddling
from stages.split.ratios import Ratios, name_parts, parse_ratios

SHARES = st.sampled_from([(70, 15, 15), (80, 10, 10), (34, 33, 33), (98, 1, 1), (1, 98, 1), (80, 20), (1,) * 5])
SEEDS = st.integers(0, 2**32)


def index_of(groups):
    """Return a table of images from rows of (group, class, number of images)."""
    rows = [(group, class_) for group, class_, size in groups for _ in range(size)]
    table = pd.DataFrame(rows, columns=["group", "class"], dtype=str)
    return table.assign(image_id=[f"{row:04}" for row in range(len(table))], given_split="")


def singles(class_, number):
    return [(f"{class_}{n}", class_, 1) for n in range(number)]


def own_groups(sizes):
    """Draw 2 to 4 classes with 5 or more groups of the sizes, none of them shared."""
    classes = st.lists(st.lists(sizes, min_size=5, max_size=25), min_size=2, max_size=4)
    return classes.map(
        lambda drawn: [
            (f"{label}-{n}", str(label), size) for label, groups in enumerate(drawn) for n, size in enumerate(groups)
        ]
    )


SHARED_GROUPS = st.lists(
    st.tuples(st.integers(0, 5).map("shared-{}".format), st.sampled_from("01"), st.integers(1, 6)), max_size=12
)
ANY_GROUPS = st.lists(
    st.tuples(st.integers(0, 9).map(str), st.sampled_from("aab"), st.integers(1, 4)), min_size=8, max_size=40
)


def assign_parts(index, shares, seed):
    """Return each row's part by a name of its own, so that folds that train can be told apart."""
    return assign(index, shares, tuple(f"part {n}" for n in range(len(shares))), seed)


def count_parts(index, shares, seed):
    return pd.crosstab(assign_parts(index, shares, seed), index["class"])


@settings(max_examples=9)
@given(own=own_groups(st.integers(1, 9)), shared=SHARED_GROUPS, shares=SHARES, seed=SEEDS)
def test_no_group_straddles_and_every_class_is_in_every_part(own, shared, shares, seed):
    index = index_of(own + shared)
    parts = assign_parts(index, shares, seed)
    assert index.assign(part=parts).groupby("group")["part"].nunique().max() == 1
    assert straddling(index, parts) == []
    counts = pd.crosstab(parts, index["class"])
    assert len(counts) == len(shares)
    assert counts.to_numpy().min() > 0


@settings(max_examples=12)
@given(groups=ANY_GROUPS, shares=SHARES, seed=SEEDS)
def test_any_groups_are_dealt_whole_or_refused(groups, shares, seed):
    index = index_of(groups)
    try:
        parts = assign_parts(index, shares, seed)
    except ValueError as error:
        assert str(error).startswith("split: expected ")
    else:
        assert straddling(index, parts) == []
        assert pd.crosstab(parts, index["class"]).to_numpy().min() > 0


@settings(max_examples=9)
@given(own=own_groups(st.just(1)), shares=SHARES, seed=SEEDS)
def test_single_images_meet_their_quotas(own, shares, seed):
    index = index_of(own)
    totals = index["class"].value_counts().sort_index().to_numpy()
    assert (count_parts(index, shares, seed).to_numpy() == quotas(totals, shares)).all()


@given(totals=st.lists(st.integers(5, 5000), min_size=1, max_size=5), shares=SHARES)
def test_quotas_add_up_and_leave_no_part_empty(totals, shares):
    wanted = quotas(np.array(totals), shares)
    assert wanted.sum(axis=0).tolist() == totals
    assert wanted.min() >= 1
    exact = np.outer(shares, totals) / sum(shares)
    is_free = (exact >= 1).all(axis=0)
    assert (np.abs(wanted - exact)[:, is_free] < 1).all()


@pytest.mark.parametrize(
    ("total", "shares", "wanted"),
    [
        (100, (70, 15, 15), [70, 15, 15]),
        (10, (70, 15, 15), [7, 2, 1]),
        (3, (70, 15, 15), [1, 1, 1]),
        (10, (98, 1, 1), [8, 1, 1]),
        (2, (99, 1), [1, 1]),
        (10, (1,) * 5, [2, 2, 2, 2, 2]),
        (7, (1,) * 5, [2, 2, 1, 1, 1]),
    ],
)
def test_quotas_are_the_shares_of_the_total(total, shares, wanted):
    assert quotas(np.array([total]), shares)[:, 0].tolist() == wanted


@given(totals=st.lists(st.integers(5, 40), min_size=1, max_size=30), k=st.integers(3, 5))
def test_folds_differ_by_at_most_one_image_however_many_classes_there_are(totals, k):
    wanted = quotas(np.array(totals), (1,) * k)
    assert np.ptp(wanted, axis=0).max() <= 1
    assert np.ptp(wanted.sum(axis=1)) <= 1


@settings(max_examples=8)
@given(own=own_groups(st.integers(1, 5)), shared=SHARED_GROUPS, seed=SEEDS, order=st.randoms(use_true_random=False))
def test_the_same_seed_gives_the_same_split_in_any_order_of_rows(own, shared, seed, order):
    index = index_of(own + shared)
    rows = list(range(len(index)))
    order.shuffle(rows)
    for table in (index, index.assign(group=ungroup(index))):
        split = assign_parts(table, (70, 15, 15), seed)
        assert assign_parts(table, (70, 15, 15), seed).tolist() == split.tolist()
        assert assign_parts(table.iloc[rows], (70, 15, 15), seed).tolist() == split[rows].tolist()


def test_another_seed_gives_another_split():
    index = index_of(singles("a", 20) + singles("b", 20))
    splits = {tuple(assign(index, (70, 15, 15), SPLITS, seed)) for seed in range(5)}
    assert len(splits) == 5


def test_groups_of_several_classes_are_dealt_until_every_class_is_everywhere():
    index = index_of(
        [("0", "a", 1), ("0", "b", 5), ("1", "a", 3), ("1", "b", 1), ("2", "a", 5), ("3", "a", 4), ("3", "b", 4)]
    )
    for seed in range(5):
        assert count_parts(index, (70, 15, 15), seed).to_numpy().min() > 0


@pytest.mark.slow
def test_over_seeds_every_large_group_is_in_every_split():
    groups = [(f"{class_}-large-{n}", class_, 12 + n) for class_ in "ab" for n in range(3)]
    index = index_of(groups + singles("a", 150) + singles("b", 150))
    where = {group: set() for group, _, _ in groups}
    for seed in range(40):
        split = assign(index, (70, 15, 15), SPLITS, seed)
        for group, found in where.items():
            found |= set(split[index["group"] == group])
    assert all(found == set(SPLITS) for found in where.values())


@pytest.mark.parametrize(
    "groups",
    [
        [(f"{class_}{n}", class_, 5) for class_ in "ab" for n in range(20)],
        [("giant", "a", 60), *((f"a{n}", "a", 5) for n in range(8)), *((f"b{n}", "b", 4) for n in range(25))],
        [(f"{n}", class_, 1 + n % 3) for n in range(60) for class_ in "abc"],
    ],
    ids=["fives", "a giant", "groups of three classes"],
)  # fmt: skip
@pytest.mark.parametrize("seed", range(3))
def test_groups_meet_the_quotas_where_they_can(groups, seed):
    index = index_of(groups)
    totals = index["class"].value_counts().sort_index().to_numpy()
    wanted = quotas(totals, (70, 15, 15))
    found = pd.crosstab(assign(index, (70, 15, 15), SPLITS, seed), index["class"]).loc[list(SPLITS)].to_numpy()
    largest = max(size for _, _, size in groups if size < 60)
    assert abs(found - wanted).max() <= largest // 2


@pytest.mark.parametrize(
    ("left", "wanted", "number", "gets"),
    [
        ([7, 2, 1], [7, 2, 1], 10, [7, 2, 1]),
        ([7, -2, 1], [7, 2, 1], 6, [5, 0, 1]),
        ([1, 1, 1], [7, 2, 1], 1, [0, 0, 1]),
    ],
)
def test_the_last_image_of_a_part_is_the_last_to_be_given_away(left, wanted, number, gets):
    assert fill_up(np.array(left), np.array(wanted), number).tolist() == gets


def test_groups_that_cannot_put_every_class_into_every_part_are_refused_with_counts():
    # Of three parts two get one of the four groups each, and only one group holds all classes.
    index = index_of([(group, class_, 2) for group in ("ab", "ac", "bc", "abc") for class_ in group])
    message = (
        r"^split: expected a way to put every class into train, val, test, got none in 20 tries for class [abc] "
        r"\(images: 6, groups: 3, groups with other classes: 3\)\. Fewer columns in split\.group_by, a "
    )
    with pytest.raises(ValueError, match=message):
        assign(index, (70, 15, 15), SPLITS, 0)


@pytest.mark.parametrize(
    ("text", "ratios"),
    [
        ("70/15/15", Ratios("drawn", (70, 15, 15))),
        ("given/1", Ratios("given", (99, 1))),
        ("given/99", Ratios("given", (1, 99))),
        ("kfold/3", Ratios("kfold", (1, 1, 1))),
        ("kfold/999", Ratios("kfold", (1,) * 999)),
    ],
)
def test_ratios_are_sizes_of_parts(text, ratios):
    assert parse_ratios(text) == ratios


FORM = r"train/val/test like 70/15/15, given/20 or kfold/5"
SUM = r"three positive shares that add up to 100"
GIVEN = r"a share of the given train rows from 1 to 99"
FOLDS = r"at least 3 folds, for train, val and test"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("70/15/16", rf"{SUM}, got 70/15/16 with sum 101\.$"),
        ("70/15/14", rf"{SUM}, got 70/15/14 with sum 99\.$"),
        ("0/50/50", rf"{SUM}, got 0/50/50 with sum 100\.$"),
        ("80/20", rf"{FORM}, got 80/20\.$"),
        ("", rf"{FORM}, got \.$"),
        ("70/15/-15", rf"{FORM}, got 70/15/-15\.$"),
        ("70/15/15\n", rf"{FORM}, got 70/15/15\n\.$"),
        ("7²/15/13", rf"{FORM}, got 7²/15/13\.$"),
        ("0.7/0.15/0.15", rf"{FORM}, got 0\.7/0\.15/0\.15\.$"),
        ("given/", rf"{FORM}, got given/\.$"),
        ("given/80/20", rf"{FORM}, got given/80/20\.$"),
        ("given/0", rf"{GIVEN}, got given/0\.$"),
        ("given/100", rf"{GIVEN}, got given/100\.$"),
        ("kfold/5/1", rf"{FORM}, got kfold/5/1\.$"),
        ("kfold/1000", rf"{FORM}, got kfold/1000\.$"),
        ("kfold/0", rf"{FOLDS}, got kfold/0\.$"),
        ("kfold/2", rf"{FOLDS}, got kfold/2\.$"),
    ],
)
def test_ratios_that_make_no_sense_are_refused(text, message):
    with pytest.raises(ValueError, match=r"^params\.yaml split\.ratios: expected " + message):
        parse_ratios(text)


@pytest.mark.parametrize(
    ("text", "fold", "names"),
    [
        ("kfold/5", 0, ("test", "val", "train", "train", "train")),
        ("kfold/5", 3, ("train", "train", "train", "test", "val")),
        ("kfold/5", 4, ("val", "train", "train", "train", "test")),
        ("kfold/3", 2, ("val", "train", "test")),
        ("70/15/15", 7, ("train", "val", "test")),
        ("given/20", 7, ("train", "val")),
    ],
)
def test_a_fold_tests_the_next_validates_and_the_rest_train(text, fold, names):
    assert name_parts(parse_ratios(text), fold) == names


@pytest.mark.parametrize(("k", "fold"), [(5, 5), (3, 3), (3, 100)])
def test_a_fold_that_there_is_not_is_refused(k, fold):
    message = rf"^params\.yaml split\.fold: expected a number from 0 to {k - 1} with kfold/{k}, got {fold}\.$"
    with pytest.raises(ValueError, match=message):
        name_parts(parse_ratios(f"kfold/{k}"), fold)


ADVICE = r"Collect more for such classes, leave them out, or deal into fewer folds\.$"


@pytest.mark.parametrize(
    ("groups", "text", "message"),
    [
        (singles("a", 9), "70/15/15", r"^split: expected at least 2 classes, got 1 \(a\)\.$"),
        (
            singles("a", 9) + singles("b", 1),
            "70/15/15",
            r"^split: expected at least 3 groups of images that stay together in every class, for train, val, test, "
            rf"got 1 of 2 classes with fewer, the smallest b \(images: 1, groups: 1\)\. {ADVICE}",
        ),
        (singles("a", 9) + singles("b", 2), "70/15/15", r"the smallest b \(images: 2, groups: 2\)\. "),
        ([*singles("a", 9), ("b0", "b", 8), ("b1", "b", 1)], "70/15/15", r"smallest b \(images: 9, groups: 2\)\. "),
        (singles("a", 9) + singles("b", 1), "given/20", r"at least 2 groups .*, for train, val, got 1 of 2 classes"),
        (
            singles("a", 9) + singles("b", 4) + singles("c", 3),
            "kfold/5",
            r"at least 5 groups .*, for 5 folds, got 2 of 3 classes with fewer, the smallest c \(images: 3, groups: 3",
        ),
    ],
)
def test_a_class_that_cannot_reach_every_part_is_refused(groups, text, message):
    ratios = parse_ratios(text)
    with pytest.raises(ValueError, match=message):
        assign(index_of(groups), ratios.shares, name_parts(ratios, 0), 0)


@pytest.mark.parametrize(("number", "shares"), [(3, (70, 15, 15)), (2, (80, 20)), (5, (1,) * 5)])
def test_a_class_with_one_group_for_each_part_is_enough(number, shares):
    index = index_of(singles("a", 9) + singles("b", number))
    assert count_parts(index, shares, 0)["b"].tolist() == [1] * number
