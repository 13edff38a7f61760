import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.files import read_table
from stages.core.splits import NAMES, Ratios, assign, keep_given, parse_ratios, quotas, straddling
from stages.split import Split, run

SHARES = st.sampled_from([(70, 15, 15), (80, 10, 10), (34, 33, 33), (98, 1, 1), (1, 98, 1), (80, 20)])
SEEDS = st.integers(0, 2**32)


def index_of(groups, given_split=""):
    """A table of images from rows of (group, class, number of images)."""
    rows = [(group, class_) for group, class_, size in groups for _ in range(size)]
    table = pd.DataFrame(rows, columns=["group", "class"], dtype=str)
    return table.assign(image_id=[f"{row:04}" for row in range(len(table))], given_split=given_split)


def tables(sizes):
    """Tables of 2 to 4 classes with 3 or more groups of the sizes."""
    classes = st.lists(st.lists(sizes, min_size=3, max_size=25), min_size=2, max_size=4)
    return classes.map(
        lambda drawn: index_of(
            [(f"{label}-{n}", str(label), size) for label, groups in enumerate(drawn) for n, size in enumerate(groups)]
        )
    )


@given(index=tables(st.integers(1, 9)), shares=SHARES, seed=SEEDS)
def test_no_group_straddles(index, shares, seed):
    split = assign(index, shares, seed)
    assert index.assign(split=split).groupby("group")["split"].nunique().max() == 1
    assert straddling(index, split) == []


@given(index=tables(st.integers(1, 9)), shares=SHARES, seed=SEEDS)
def test_every_class_is_in_every_split(index, shares, seed):
    counts = pd.crosstab(assign(index, shares, seed), index["class"])
    assert sorted(counts.index) == sorted(NAMES[: len(shares)])
    assert (counts.to_numpy() > 0).all()


@given(index=tables(st.just(1)), shares=SHARES, seed=SEEDS)
def test_single_images_meet_their_quotas_within_one_a_class(index, shares, seed):
    counts = pd.crosstab(assign(index, shares, seed), index["class"]).reindex(list(NAMES[: len(shares)]))
    totals = index["class"].value_counts().sort_index().to_numpy()
    assert np.abs(counts.to_numpy() - quotas(totals, shares)).max() <= 1


@given(totals=st.lists(st.integers(3, 5000), min_size=1, max_size=5), shares=SHARES)
def test_quotas_add_up_and_leave_no_split_empty(totals, shares):
    wanted = quotas(np.array(totals), shares)
    assert wanted.sum(axis=0).tolist() == totals
    assert wanted.min() >= 1
    exact = np.outer(shares, totals) / 100
    is_free = (exact >= 1).all(axis=0)
    assert (np.abs(wanted - exact)[:, is_free] < 1).all()


@pytest.mark.parametrize(
    ("total", "shares", "wanted"),
    [
        (100, (70, 15, 15), [70, 15, 15]),
        (20, (70, 15, 15), [14, 3, 3]),
        (10, (70, 15, 15), [7, 2, 1]),
        (3, (70, 15, 15), [1, 1, 1]),
        (3, (98, 1, 1), [1, 1, 1]),
        (10, (98, 1, 1), [8, 1, 1]),
        (10, (80, 20), [8, 2]),
        (2, (99, 1), [1, 1]),
    ],
)
def test_quotas_are_the_shares_of_the_total(total, shares, wanted):
    assert quotas(np.array([total]), shares)[:, 0].tolist() == wanted


@given(index=tables(st.integers(1, 5)), seed=SEEDS, order=st.randoms(use_true_random=False))
def test_the_same_seed_gives_the_same_split_in_any_order_of_rows(index, seed, order):
    rows = list(range(len(index)))
    order.shuffle(rows)
    split = assign(index, (70, 15, 15), seed)
    assert assign(index, (70, 15, 15), seed).tolist() == split.tolist()
    assert assign(index.iloc[rows], (70, 15, 15), seed).tolist() == split[rows].tolist()


def test_another_seed_gives_another_split():
    index = index_of([(f"{class_}{n}", class_, 1) for class_ in "ab" for n in range(20)])
    splits = {tuple(assign(index, (70, 15, 15), seed)) for seed in range(5)}
    assert len(splits) == 5


def test_a_group_of_several_classes_does_not_leave_a_class_out_of_a_split():
    large = [(f"b{n}", "b", 10) for n in range(4)]
    mixed = [(f"m{n}", class_, size) for n in range(4) for class_, size in (("a", 1), ("b", 5))]
    index = index_of([*large, *mixed])
    try:
        split = assign(index, (70, 15, 15), 0)
    except ValueError:
        return
    assert (pd.crosstab(split, index["class"]).reindex(list(NAMES), fill_value=0).to_numpy() > 0).all()


@pytest.mark.parametrize(
    ("text", "ratios"),
    [
        ("70/15/15", Ratios((70, 15, 15))),
        ("98/1/1", Ratios((98, 1, 1))),
        ("given/20", Ratios((80, 20), is_given=True)),
        ("given/1", Ratios((99, 1), is_given=True)),
        ("given/99", Ratios((1, 99), is_given=True)),
    ],
)
def test_ratios_are_shares_of_100(text, ratios):
    assert parse_ratios(text) == ratios


FORM = r"train/val/test like 70/15/15, or given/20"
SUM = r"three positive shares that add up to 100"
GIVEN = r"a share of the given train rows from 1 to 99"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("70/15/16", rf"{SUM}, got 70/15/16 with sum 101\.$"),
        ("70/15/14", rf"{SUM}, got 70/15/14 with sum 99\.$"),
        ("0/50/50", rf"{SUM}, got 0/50/50 with sum 100\.$"),
        ("85/15/0", rf"{SUM}, got 85/15/0 with sum 100\.$"),
        ("80/20", rf"{FORM}, got 80/20\.$"),
        ("40/30/20/10", rf"{FORM}, got 40/30/20/10\.$"),
        ("", rf"{FORM}, got \.$"),
        ("70/15/-15", rf"{FORM}, got 70/15/-15\.$"),
        ("0.7/0.15/0.15", rf"{FORM}, got 0\.7/0\.15/0\.15\.$"),
        ("given", rf"{FORM}, got given\.$"),
        ("given/", rf"{FORM}, got given/\.$"),
        ("given/80/20", rf"{FORM}, got given/80/20\.$"),
        ("given/0", rf"{GIVEN}, got given/0\.$"),
        ("given/100", rf"{GIVEN}, got given/100\.$"),
    ],
)
def test_ratios_that_make_no_sense_are_refused(text, message):
    with pytest.raises(ValueError, match=r"^params\.yaml split\.ratios: expected " + message):
        parse_ratios(text)


def singles(class_, number):
    return [(f"{class_}{n}", class_, 1) for n in range(number)]


@pytest.mark.parametrize(
    ("groups", "shares", "message"),
    [
        (singles("a", 9), (70, 15, 15), r"^split: expected at least 2 classes, got 1 \(a\)\.$"),
        (
            singles("a", 9) + singles("b", 1),
            (70, 15, 15),
            r"^split: expected every class to fill train, val, test with at least 3 .*, got class b with 1 images in ",
        ),
        (singles("a", 9) + singles("b", 2), (70, 15, 15), r"got class b with 2 images in 2 groups\.$"),
        ([*singles("a", 9), ("b0", "b", 8), ("b1", "b", 1)], (70, 15, 15), r"got class b with 9 images in 2 groups\.$"),
        (
            singles("a", 9) + singles("b", 1),
            (80, 20),
            r"to fill train, val with at least 2 .*got class b with 1 images",
        ),
    ],
)
def test_a_class_that_cannot_reach_every_split_is_refused(groups, shares, message):
    with pytest.raises(ValueError, match=message):
        assign(index_of(groups), shares, 0)


@pytest.mark.parametrize(("number", "shares"), [(3, (70, 15, 15)), (2, (80, 20))])
def test_a_class_with_one_group_for_each_split_is_enough(number, shares):
    index = index_of(singles("a", 9) + singles("b", number))
    counts = pd.crosstab(assign(index, shares, 0), index["class"])
    assert counts["b"].tolist() == [1] * number


def given_index(*leaks, names=("train", "test")):
    """Two classes with ten images in each given split, and groups of (group, class, splits of its images)."""
    frames = [index_of([(f"{c}{n}{name}", c, 1) for c in "ab" for n in range(10)], name) for name in names]
    frames += [index_of([(group, class_, 1)], name) for group, class_, names_ in leaks for name in names_]
    table = pd.concat(frames, ignore_index=True)
    return table.assign(image_id=[f"{row:04}" for row in range(len(table))])


def split_given(index, on_leak="error", ratios="given/20", seed=0):
    return keep_given(index, parse_ratios(ratios), seed, on_leak)


def test_the_sources_test_rows_stay_test_and_val_comes_from_train():
    index = given_index()
    split = split_given(index)
    assert ((split == "test") == (index["given_split"] == "test")).all()
    counts = pd.crosstab(split, index["class"])
    assert counts.loc["train"].tolist() == [8, 8]
    assert counts.loc["val"].tolist() == [2, 2]


def test_the_sources_val_rows_stay_as_they_are():
    index = given_index(names=NAMES)
    assert split_given(index).tolist() == index["given_split"].tolist()


def test_val_is_drawn_by_the_seed():
    index = given_index()
    assert split_given(index, seed=1).tolist() == split_given(index, seed=1).tolist()
    assert split_given(index, seed=1).tolist() != split_given(index, seed=2).tolist()


def test_no_group_of_train_is_divided_by_drawing_val():
    index = given_index(*((f"t{n}", "a", ("train",) * 3) for n in range(6)))
    assert straddling(index, split_given(index)) == []


def test_a_leak_is_an_error():
    message = r"^params\.yaml split\.on_leak: expected no duplicates .*, got 2 groups of them, the first leak1\. Set "
    with pytest.raises(ValueError, match=message):
        split_given(given_index(("leak2", "b", ("test", "train")), ("leak1", "a", ("train", "test"))))


@pytest.mark.parametrize("on_leak", ["error", "report", "drop_from_train"])
def test_without_a_leak_all_settings_agree(on_leak):
    index = given_index(("twins", "a", ("test", "test")), ("pair", "a", ("train", "train")))
    assert split_given(index, on_leak).tolist() == split_given(index, "report").tolist()


def test_a_reported_leak_stays():
    index = given_index(("leak", "a", ("train", "test")))
    split = split_given(index, "report")
    assert straddling(index, split) == ["leak"]
    assert ((split == "test") == (index["given_split"] == "test")).all()
    assert "dropped" not in split


def test_a_leak_is_dropped_from_train_and_nothing_else():
    index = given_index(("leak", "a", ("train", "train", "test")))
    split = split_given(index, "drop_from_train")
    assert ((split == "dropped") == ((index["group"] == "leak") & (index["given_split"] == "train"))).all()
    assert ((split == "test") == (index["given_split"] == "test")).all()
    assert straddling(index, split) == []


@pytest.mark.parametrize("splits", [("val", "test"), ("train", "val", "test"), ("train", "val")])
def test_no_leak_is_left_after_dropping_where_the_source_has_val_rows(splits):
    index = given_index(("leak", "a", splits), names=NAMES)
    assert straddling(index, split_given(index, "drop_from_train")) == []


def test_a_class_that_the_source_only_tests_is_refused():
    index = given_index(names=("train", "test"))
    extra = index[index["given_split"] == "test"].assign(**{"class": "unseen"})
    extra["group"] = extra["image_id"] = [f"unseen{i}" for i in range(len(extra))]
    with pytest.raises(
        ValueError, match=r"expected images of every class in every split, got 0 train, .* class unseen"
    ):
        split_given(pd.concat([index, extra], ignore_index=True))


@pytest.mark.parametrize(
    ("names", "extra", "counts"),
    [
        (("train",), "", "20 train, 0 val, 0 test, 0 none"),
        (("test",), "", "0 train, 0 val, 20 test, 0 none"),
        (("train", "test"), "c", "20 train, 0 val, 20 test, 1 none"),
    ],
)
def test_a_source_without_given_splits_is_refused(names, extra, counts):
    leaks = [("c", "a", ("",))] if extra else []
    message = rf"^params\.yaml split\.ratios: expected a source with given splits, got {counts}\.$"
    with pytest.raises(ValueError, match=message):
        split_given(given_index(*leaks, names=names))


def write(path, index):
    index.assign(file="ignored").to_csv(path, index=False)
    return path


def settings(ratios="70/15/15", seed=0, on_leak="error"):
    return Split(ratios=ratios, seed=seed, on_leak=on_leak)


def test_the_table_lists_every_image_with_its_split(tmp_path):
    index = index_of(singles("007", 20) + singles("NA", 20))
    counts = run(settings(), write(tmp_path / "index.csv", index), tmp_path / "split.csv")
    table = read_table(tmp_path / "split.csv")
    assert table.columns.tolist() == ["image_id", "class", "group", "split"]
    assert table[["image_id", "class", "group"]].equals(index[["image_id", "class", "group"]])
    assert counts == {
        "listed": 40,
        "groups_straddling": 0,
        "classes": {name: {"007": n, "NA": n} for name, n in zip(NAMES, (14, 3, 3), strict=True)},
    }


def test_a_second_run_writes_the_same(tmp_path):
    source = write(tmp_path / "index.csv", index_of(singles("a", 20) + singles("b", 20)))
    for name in ("first", "second"):
        run(settings(), source, tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_the_counts_tell_of_leaks_and_dropped_rows(tmp_path):
    source = write(tmp_path / "index.csv", given_index(("leak", "a", ("train", "test"))))
    counts = run(settings("given/20", on_leak="report"), source, tmp_path / "split.csv")
    assert (counts["groups_straddling"], "dropped" in counts["classes"]) == (1, False)
    counts = run(settings("given/20", on_leak="drop_from_train"), source, tmp_path / "split.csv")
    assert (counts["groups_straddling"], counts["classes"]["dropped"]) == (0, {"a": 1, "b": 0})
    assert sum(sum(classes.values()) for classes in counts["classes"].values()) == counts["listed"] == 42


def test_a_missing_index_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"index\.csv: expected a table, got no such file\.$"):
        run(settings(), tmp_path / "index.csv", tmp_path / "split.csv")
