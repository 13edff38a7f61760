"""Folds for cross-validation: whole groups, every class, and the reasons why there are none."""

import numpy as np
import pandas as pd
import pytest

from stages.split.folds import CrossValidation, deal_folds, describe_folds

SETTINGS = CrossValidation(networks={}, folds=5, deals=3, choice_deals=2, seed=0, apart="author", shares=[])


def index_of(groups, authors, classes=("cat", "dog")):
    """Return a row for each image, of which every second one has the second class."""
    ids = [f"{i:04}" for i in range(len(groups))]
    index = pd.DataFrame({"image_id": ids, "class": [classes[i % 2] for i in range(len(ids))], "group": groups})
    return index.assign(author=authors, given_split="", source_id=ids)


def deal(index, settings=SETTINGS, group_by=("look-alikes",), split=None):
    split = np.full(len(index), "train") if split is None else split
    return deal_folds(settings, index, index["group"], list(group_by), split)


def drawings(n=120, authors=30):
    return index_of([f"g{i // 2}" for i in range(n)], [f"a{i % authors}" if i % authors else "" for i in range(n)])


def test_groups_and_authors_stay_together_and_each_deal_is_another_one():
    index = drawings()
    table, found = deal(index)
    assert found == {
        "folds": 5, "deals": 3, "largest_group": 2, "choice": {"folds": 5, "deals": 2, "largest_group": 2},
        "apart": {"column": "author", "folds": 5, "deals": 3, "largest_group": found["apart"]["largest_group"]},
    }  # fmt: skip
    named = [
        f"{kind}_{number}" for kind, deals in (("deal", 3), ("choice", 2), ("apart", 3)) for number in range(deals)
    ]
    assert list(table.columns) == ["image_id", "class", "group", "author", "author_group", *named]
    for column in named:
        assert sorted(table[column].unique()) == list("01234")
        assert (table.groupby("group")[column].nunique() == 1).all()
        assert (pd.crosstab(table[column], table["class"]) > 0).all(axis=None)
        if column.startswith("apart"):
            assert (table[table["author"] != ""].groupby("author")[column].nunique() == 1).all()
    assert not table["deal_0"].equals(table["deal_1"])


def test_a_class_of_few_groups_has_fewer_folds_and_of_two_none():
    four = index_of(["x", "a", "x", "b", "y", "c", "z", "d", "v", "e"], [""] * 10)
    _, found = deal(four)
    assert (found["folds"], found["apart"]) == (4, {"column": "author", "reason": "no image has one"})
    two = index_of(["x", "a", "x", "b", "y", "c"], [""] * 6)
    table, found = deal(two)
    assert list(table.columns) == ["image_id", "class", "group"]
    assert describe_folds(found) == [
        "split: no folds for cross-validation, because a class has fewer than 3 groups."
    ]  # fmt: skip


def test_too_few_authors_are_not_kept_apart_and_that_is_said():
    _, found = deal(drawings(authors=4))
    assert describe_folds(found) == [
        "split: no folds that keep apart every author, because a class has fewer than 3 groups."
    ]  # fmt: skip


def test_the_deals_that_may_choose_the_champion_leave_out_the_test_images_and_what_was_dropped():
    index = drawings()
    split = np.repeat(["train", "val", "test", "dropped"], 30)
    table, found = deal(index, split=split)
    assert found["choice"] == {"folds": 5, "deals": 2, "largest_group": 2}
    learned = np.isin(split, ("train", "val"))
    for deal_number in range(2):
        own = table[f"choice_{deal_number}"]
        assert own[~learned].isna().all() and sorted(own[learned].unique()) == list("01234")
        assert (table[learned].groupby("group")[own.name].nunique() == 1).all()
        assert (pd.crosstab(own[learned], table["class"][learned]) > 0).all(axis=None)
    # Their labels have no say in it either.
    moved = index.assign(**{"class": np.where(learned, index["class"], "cat")})
    assert deal(moved, split=split)[0].filter(like="choice").equals(table.filter(like="choice"))


def test_without_deals_for_the_choice_there_are_none():
    table, found = deal(drawings(), SETTINGS.model_copy(update={"choice_deals": 0}))
    assert "choice" not in found and not table.filter(like="choice").columns.size
    assert describe_folds(found) == []


def test_few_images_without_those_of_test_have_no_such_deals_and_that_is_said():
    index = drawings()
    split = np.where(np.arange(len(index)) < 4, "train", "test")
    table, found = deal(index, split=split)
    assert not table.filter(like="choice").columns.size and table.filter(like="deal").columns.size == 3
    assert describe_folds(found) == [
        "split: no folds of training and validation images alone, because a class has fewer than 3 groups."
    ]  # fmt: skip


@pytest.mark.parametrize(("apart", "group_by"), [(None, ["look-alikes"]), ("author", ["look-alikes", "author"])])
def test_what_is_not_asked_for_or_always_apart_has_no_deals_of_its_own(apart, group_by):
    table, found = deal(drawings(), SETTINGS.model_copy(update={"apart": apart}), group_by)
    assert "apart" not in found
    assert not [name for name in table if name.startswith("apart")]


@pytest.mark.parametrize("name", ["painter", "class"])
def test_a_column_that_there_is_not_is_named(name):
    with pytest.raises(ValueError, match=rf"cross_validation\.apart: expected one of author, .*, got {name}\.$"):
        deal(drawings(), SETTINGS.model_copy(update={"apart": name}))


def test_the_order_of_the_rows_changes_no_fold():
    index = drawings()
    shuffled = index.sample(frac=1, random_state=np.random.RandomState(0)).reset_index(drop=True)
    one, other = (deal(each)[0].set_index("image_id").sort_index() for each in (index, shuffled))
    assert one.filter(like="_").equals(other.filter(like="_"))
