"""What must stay together: look-alikes, authors, any column, united."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.tables import SPLITS
from stages.split.folds import CrossValidation
from stages.split.grouping import ungroup, unite
from stages.split.run import Split, assign_splits, run

VALUES = st.lists(
    st.tuples(st.integers(0, 12).map("g{}".format), st.sampled_from(["", "ann", "bob", "cy", "dee"]),
              st.sampled_from(["", "p1", "p2", "p3", "p4", "p5"])),
    min_size=1, max_size=25,
)  # fmt: skip


def index_of(rows):
    table = pd.DataFrame(rows, columns=["group", "author", "page_url"], dtype=str)
    ids = [f"{row:04}" for row in range(len(table))]
    return table.assign(image_id=ids, source_id=[f"{i}.png" for i in ids], original=ids, given_split="")


def merge_naively(index, columns):
    """Return sets of rows: two sets are merged as long as they share a value that is not empty."""
    sets = [{row} for row in range(len(index))]

    def shares(one, other):
        return any(
            {index[column].iloc[row] for row in one} & {index[column].iloc[row] for row in other} - {""}
            for column in columns
        )

    while True:
        pair = next(((a, b) for a in sets for b in sets if a is not b and shares(a, b)), None)
        if pair is None:
            return sorted(map(sorted, sets))
        sets = [each for each in sets if each not in pair] + [pair[0] | pair[1]]


@settings(max_examples=40)
@given(rows=VALUES, columns=st.sets(st.sampled_from(["look-alikes", "author", "page_url"]), min_size=1))
def test_rows_are_united_as_long_as_they_share_a_value(rows, columns):
    index = index_of(rows)
    united = unite(index, sorted(columns))
    found = sorted(sorted(rows) for rows in index.groupby(united).indices.values())
    named = ["group" if name == "look-alikes" else name for name in columns]
    assert found == merge_naively(index, named)
    assert all(name.split("/")[0] in set(index["group"][united == name]) for name in united)


def test_groups_that_share_look_alikes_stay_apart_where_look_alikes_are_not_asked_for():
    index = index_of([("a", "ann", ""), ("b", "ann", ""), ("a", "bob", ""), ("c", "bob", "")])
    index.loc[2, "image_id"] = "0000"  # the same bytes as the first, of another author
    for column, groups in (("author", [0, 0, 1, 1]), ("page_url", [0, 1, 2, 3])):
        united = unite(index, [column])
        assert pd.factorize(united)[0].tolist() == groups
        assert united.str.split("/").str[0].isin(["a", "b", "c"]).all()
    assert unite(index, ["look-alikes", "author"]).nunique() == 1


def test_the_order_of_rows_does_not_matter():
    index = index_of([("a", "ann", ""), ("b", "", "p"), ("c", "ann", "p"), ("d", "bob", "")])
    turned = index.iloc[::-1]
    columns = ["look-alikes", "author", "page_url"]
    assert unite(turned, columns).tolist() == unite(index, columns).tolist()[::-1] == ["d", "a", "a", "a"]


def test_without_groups_every_row_is_alone_even_copies_of_the_same_bytes():
    index = pd.DataFrame({"image_id": ["a", "a", "b"], "given_split": ["train", "test", "train"], "group": "a"})
    assert ungroup(index).nunique() == 3


def split_by(*group_by):
    return Split(ratios="70/15/15", fold=0, group_by=[*group_by], seed=0, on_leak="error", leaks=["identical"])


def photographs():
    """Return 120 photographs of two classes by 24 authors, of which one is unknown, and no look-alikes."""
    rows = [(f"g{n}", "" if n % 24 == 0 else f"author {n % 24}", "") for n in range(120)]
    return index_of(rows).assign(**{"class": ["cat", "dog"] * 60})


def test_authors_are_kept_apart():
    index = photographs()
    split = assign_splits(split_by("look-alikes", "author"), index)
    per_author = pd.Series(split).groupby(index["author"].to_numpy()).nunique()
    assert (per_author.drop("") == 1).all()
    assert per_author[""] > 1
    assert set(split) == set(SPLITS)


def test_the_table_has_what_stays_together_and_the_largest_group_is_counted(tmp_path):
    index = photographs()
    index.to_csv(tmp_path / "index.csv", index=False)
    paths = [tmp_path / f"{name}.csv" for name in ("index", "split", "leaks", "folds")]
    folds = CrossValidation(networks={}, folds=5, deals=1, choice_deals=0, seed=0, apart=None, shares=[])
    assert run(split_by("author"), folds, *paths)["largest_group"] == 5
    table = pd.read_csv(tmp_path / "split.csv")
    assert table["group"].nunique() == 23 + 5
    assert table.groupby("group")["split"].nunique().max() == 1
    assert run(split_by(), folds, *paths)["largest_group"] == 1


def test_a_column_that_there_is_not_is_named():
    message = r"^params\.yaml split\.group_by: expected some of look-alikes, author, page_url, .*, got photographer\.$"
    with pytest.raises(ValueError, match=message):
        assign_splits(split_by("look-alikes", "photographer"), photographs())
