"""The step: folds, given splits, leaks and the measures of a split."""

import hashlib
import json
import sys

import imagehash
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from PIL import Image

from stages.core.tables import SPLITS, read_table
from stages.images.hamming_search import components, near_pairs
from stages.split.__main__ import main
from stages.split.folds import CrossValidation
from stages.split.leaks import LEAK_COLUMNS, SHARED, count_leaks, drop_leaks, find_leaks, straddling
from stages.split.ratios import describe_given
from stages.split.run import Split, assign_splits, run

FOLDS = CrossValidation(networks={}, folds=5, deals=2, choice_deals=2, seed=0, apart=None, shares=[])
NONE = dict.fromkeys(SHARED, 0)
NO_LEAKS = {"groups": 0, "like_test": NONE, "like_val": NONE}
DEFAULT = ["identical", "changed"]
SEEDS = st.integers(0, 2**32)


def settings(ratios="70/15/15", fold=0, grouped=True, seed=0, on_leak="error", leaks=DEFAULT):
    group_by = ["look-alikes"] if grouped else []
    return Split(ratios=ratios, fold=fold, group_by=group_by, seed=seed, on_leak=on_leak, leaks=leaks)


def index_of(groups, given_split=""):
    """Return an index from rows of (group, class, number of images); the images of a group show the same."""
    rows = [(group, class_) for group, class_, size in groups for _ in range(size)]
    table = pd.DataFrame(rows, columns=["group", "class"], dtype=str)
    return number(table.assign(given_split=given_split))


def number(table):
    ids = [f"{row:04}" for row in range(len(table))]
    return table.assign(image_id=ids, source_id=[f"{i}.png" for i in ids], original=table["group"])


def singles(class_, number):
    return [(f"{class_}{n}", class_, 1) for n in range(number)]


def given_index(*leaks, names=("train", "test")):
    """Return two classes of ten images in each given split, and groups of (group, class, splits of its images)."""
    frames = [index_of([(f"{c}{n}{name}", c, 1) for c in "ab" for n in range(10)], name) for name in names]
    frames += [index_of([(group, class_, 1)], name) for group, class_, names_ in leaks for name in names_]
    return number(pd.concat(frames, ignore_index=True))


def split_given(index, on_leak="error", ratios="given/20", seed=0, grouped=True, leaks=DEFAULT):
    return assign_splits(settings(ratios, seed=seed, on_leak=on_leak, grouped=grouped, leaks=leaks), index)


# Groups of one or several classes beside enough groups of each class alone, so that every split can be filled.
GROUPS = st.lists(st.tuples(st.integers(0, 30).map(str), st.sampled_from("abc"), st.integers(1, 4)), max_size=50).map(
    lambda groups: groups + [group for class_ in "abc" for group in singles(class_, 6)]
)
RATIOS = st.sampled_from(["70/15/15", "34/33/33", "1/1/98", "kfold/3", "kfold/5"])


@limits(max_examples=15)
@given(groups=GROUPS, ratios=RATIOS, fold=st.integers(0, 2), seed=SEEDS)
def test_no_group_straddles_and_each_image_is_in_one_split(groups, ratios, fold, seed):
    index = index_of(groups)
    split = assign_splits(settings(ratios, fold=fold, seed=seed), index)
    assert straddling(index, split) == []
    assert len(split) == len(index)
    assert set(split) == set(SPLITS)


@pytest.mark.slow
@limits(max_examples=12)
@given(groups=GROUPS, k=st.integers(3, 6), seed=SEEDS, grouped=st.booleans())
def test_over_all_folds_each_image_is_test_once_and_val_once(groups, k, seed, grouped):
    index = index_of(groups)
    splits = np.array([assign_splits(settings(f"kfold/{k}", i, grouped, seed), index) for i in range(k)])
    assert ((splits == "test").sum(axis=0) == 1).all()
    assert ((splits == "val").sum(axis=0) == 1).all()
    assert ((splits == "test") == np.roll(splits == "val", 1, axis=0)).all()


def test_folds_are_stratified():
    index = index_of(singles("a", 50) + singles("b", 10))
    for fold in range(5):
        counts = pd.crosstab(assign_splits(settings("kfold/5", fold), index), index["class"])
        assert counts.loc[list(SPLITS)].to_numpy().tolist() == [[30, 6], [10, 2], [10, 2]]


def test_another_seed_deals_other_folds():
    index = index_of(singles("a", 50) + singles("b", 10))
    assert len({tuple(assign_splits(settings("kfold/5", seed=seed), index)) for seed in range(5)}) == 5


def test_a_fold_that_there_is_not_is_refused_before_anything_is_dealt():
    with pytest.raises(
        ValueError, match=r"^params\.yaml split\.fold: expected a number from 0 to 4 with kfold/5, got 5"
    ):
        assign_splits(settings("kfold/5", fold=5), index_of(singles("a", 1)))


def test_the_fold_of_other_ratios_does_not_matter():
    index = index_of(singles("a", 20) + singles("b", 20))
    assert assign_splits(settings(fold=9), index).tolist() == assign_splits(settings(), index).tolist()


@limits(max_examples=12)
@given(groups=GROUPS, seed=SEEDS, order=st.randoms(use_true_random=False), grouped=st.booleans())
def test_the_order_of_rows_does_not_matter(groups, seed, order, grouped):
    index = index_of(groups)
    rows = list(range(len(index)))
    order.shuffle(rows)
    for ratios in ("70/15/15", "kfold/3"):
        split = assign_splits(settings(ratios, seed=seed, grouped=grouped), index)
        assert (
            assign_splits(settings(ratios, seed=seed, grouped=grouped), index.iloc[rows]).tolist()
            == split[rows].tolist()
        )


def test_without_groups_look_alikes_straddle_and_classes_keep_their_shares():
    index = index_of([(f"{class_}{n}", class_, 5) for class_ in "ab" for n in range(20)])
    split = assign_splits(settings(grouped=False), index)
    assert len(straddling(index, split)) > 20
    assert pd.crosstab(split, index["class"]).loc[list(SPLITS)].to_numpy().tolist() == [[70, 70], [15, 15], [15, 15]]


def test_without_groups_a_class_that_is_one_group_can_be_split():
    index = index_of([*singles("a", 9), ("b", "b", 9)])
    with pytest.raises(ValueError, match=r"the smallest b \(images: 9, groups: 1\)"):
        assign_splits(settings(), index)
    assert pd.crosstab(assign_splits(settings(grouped=False), index), index["class"]).to_numpy().min() > 0


def test_the_sources_test_rows_stay_test_and_val_comes_from_train():
    index = given_index()
    split = split_given(index)
    assert ((split == "test") == (index["given_split"] == "test")).all()
    counts = pd.crosstab(split, index["class"])
    assert counts.loc["train"].tolist() == [8, 8]
    assert counts.loc["val"].tolist() == [2, 2]


@pytest.mark.parametrize("on_leak", ["error", "report", "drop_from_train"])
def test_the_sources_val_rows_stay_as_they_are(on_leak):
    index = given_index(names=SPLITS)
    assert split_given(index, on_leak).tolist() == index["given_split"].tolist()


def test_val_is_drawn_by_the_seed():
    index = given_index()
    assert split_given(index, seed=1).tolist() == split_given(index, seed=1).tolist()
    assert split_given(index, seed=1).tolist() != split_given(index, seed=2).tolist()


def test_no_group_of_train_is_divided_by_drawing_val():
    index = given_index(*((f"t{n}", "a", ("train",) * 3) for n in range(6)))
    assert straddling(index, split_given(index)) == []
    assert straddling(index, split_given(index, grouped=False)) != []


def test_a_leak_is_an_error_that_counts_and_shows_it():
    index = given_index(
        ("leak2", "b", ("test", "train", "val")), ("leak1", "a", ("train", "test")), ("v", "a", ("val", "train")),
        names=SPLITS,
    )  # fmt: skip
    message = (
        r"^params\.yaml split\.on_leak: expected no identical or changed images across the given splits, got train and "
        r"val rows like test rows: 0 identical, 3 changed, 0 look-alike; other train rows like val rows: 0 identical, "
        r"1 changed, 0 look-alike; the first "
        r"0061\.png \(train\) and 0060\.png \(test\)\. Set report or drop_from_train to go on\.$"
    )
    with pytest.raises(ValueError, match=message):
        split_given(index)


def test_identical_images_are_the_example_where_there_are_any():
    index = given_index(("leak1", "a", ("train", "test")), ("leak2", "b", ("train", "test", "train")))
    index.loc[index.index[-2:], "image_id"] = index["image_id"].iloc[-3]
    index.loc[index.index[-1], "image_id"] = "0099"
    message = r"test rows: 1 identical, 2 changed, .*; the first 0042\.png \(train\) and 0043\.png \(test\)\."
    with pytest.raises(ValueError, match=message):
        split_given(index)


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


@pytest.mark.parametrize(
    ("given_splits", "left"),
    [
        (("val", "test"), ["dropped", "test"]),
        (("train", "val", "test"), ["dropped", "dropped", "test"]),
        (("train", "val"), ["dropped", "val"]),
        (("train", "train", "val", "val"), ["dropped", "dropped", "val", "val"]),
        (("train", "train"), ["train", "train"]),
    ],
)
def test_train_gives_way_to_val_and_both_to_test(given_splits, left):
    index = given_index(("leak", "a", given_splits), names=SPLITS)
    split = split_given(index, "drop_from_train")
    assert split[index["group"] == "leak"].tolist() == left
    assert (split[index["group"] != "leak"] == index["given_split"][index["group"] != "leak"]).all()


GIVEN_ROWS = st.lists(
    st.tuples(st.integers(0, 9).map(str), st.sampled_from(SPLITS), st.integers(0, 9).map(str)),
    max_size=30,
    unique_by=lambda row: row[1:],
)


@limits(max_examples=15)
@given(rows=GIVEN_ROWS, kinds=st.sets(st.sampled_from([*SHARED])))
def test_the_rows_that_spoil_are_those_counted_and_dropped(rows, kinds):
    # An image_id lies in one group, however often it occurs; of each group, the even images show the same.
    table = pd.DataFrame([(image, group, name) for group, name, image in rows], columns=["image_id", "group", "side"])
    table["group"] = table.groupby("image_id")["group"].transform("first")
    table["original"] = [
        f"{g}e" if int(i) % 2 == 0 else i for g, i in zip(table["group"], table["image_id"], strict=True)
    ]
    index = table.assign(given_split=table["side"], source_id="x", **{"class": "a"})
    given_names = index["given_split"].to_numpy(dtype=str)

    def kind_towards(row, side):
        others = table[table["side"] == side]
        return next((kind for kind, column in SHARED.items() if row[column] in set(others[column])), "")

    towards = [
        (row["side"], "" if row["side"] == "test" else kind_towards(row, "test"),
         kind_towards(row, "val") if row["side"] == "train" else "")
        for _, row in table.iterrows()
    ]  # fmt: skip
    split = drop_leaks(index, given_names, sorted(kinds))
    assert (split == "dropped").tolist() == [bool({test, val} & kinds) for _, test, val in towards]
    leaks = find_leaks(index, split)
    sides = table.groupby("group")["side"].nunique()
    assert sorted(set(leaks["group"])) == sorted(sides[sides > 1].index)
    counts = count_leaks(leaks)
    assert counts["like_test"] == {kind: sum(test == kind for _, test, _ in towards) for kind in SHARED}
    assert counts["like_val"] == {kind: sum(test == "" and val == kind for _, test, val in towards) for kind in SHARED}
    assert counts == count_leaks(find_leaks(index, given_names))
    if kinds == {*SHARED}:
        assert straddling(index, split) == []


def test_an_image_twice_on_one_side_is_identical_to_nothing_on_the_other():
    index = pd.DataFrame({"image_id": ["a", "a", "b", "c", "c"], "group": "a", "given_split": "", "class": "c"})
    index["original"] = ["a", "a", "a", "c", "c"]
    split = np.array(["train", "train", "val", "val", "test"])
    leaks = find_leaks(index.assign(source_id="x"), split)
    assert leaks["kind"].tolist() == ["changed", "changed", "changed", "identical", "identical"]


def test_look_alikes_are_counted_and_neither_refused_nor_dropped_unless_named():
    index = given_index(("leak", "a", ("train", "test")), ("copy", "b", ("train", "test")))
    index["original"] = index["original"].where(index["group"] != "leak", index["image_id"])
    assert (split_given(index, "drop_from_train") == "dropped").sum() == 1
    assert (split_given(index, "drop_from_train", leaks=["look-alike"]) == "dropped").sum() == 1
    assert (split_given(index, "drop_from_train", leaks=[*DEFAULT, "look-alike"]) == "dropped").sum() == 2
    with pytest.raises(ValueError, match=r"0 identical, 1 changed, 1 look-alike; other .*; the first 0042\.png "):
        split_given(index)
    with pytest.raises(ValueError, match=r"expected no look-alike images across .*; the first 0040\.png "):
        split_given(index, leaks=["look-alike"])
    split_given(index[index["group"] != "copy"].reset_index(drop=True))


def test_a_row_that_leaks_by_one_kind_towards_one_side_and_by_another_towards_the_other_is_shown():
    index = given_index(("x", "a", ("train", "train", "test", "val")), names=SPLITS)
    index.loc[index.index[-2], "image_id"] = index["image_id"].iloc[-4]  # the test row is the first train row's copy
    index.loc[index.index[-1], "image_id"] = index["image_id"].iloc[-3]
    with pytest.raises(ValueError, match=r"the first 006\d\.png \(train\) and 006\d\.png \((test|val)\)\. Set report"):
        split_given(index, leaks=["changed"])


def test_of_a_source_without_test_images_val_is_for_testing_and_val_is_drawn_from_train(capsys):
    index = given_index(names=("train", "val"))
    split = split_given(index)
    assert ((split == "test") == (index["given_split"] == "val")).all()
    assert pd.Series(split).value_counts().to_dict() == {"test": 20, "train": 16, "val": 4}
    assert describe_given("given/20", index) == [
        "split: the source has no test images, so its val images are for testing, and val is drawn from train."
    ]


def test_a_share_that_is_not_used_is_said():
    assert describe_given("given/20", given_index(names=SPLITS)) == [
        "split: the source has val images of its own, so the share in given/20 is not used.",
    ]
    assert describe_given("given/20", given_index()) == describe_given("70/15/15", given_index(names=SPLITS)) == []


def test_a_class_that_the_source_only_tests_is_refused():
    index = given_index(names=("train", "test"))
    extra = index[index["given_split"] == "test"].assign(**{"class": "unseen"})
    extra["group"] = extra["image_id"] = [f"unseen{i}" for i in range(len(extra))]
    message = (
        r"^params\.yaml split\.ratios: expected every class in each of the source's splits, got 0 train, 20 test of "
        r"class unseen\. Give it images there, "
    )
    with pytest.raises(ValueError, match=message):
        split_given(pd.concat([index, extra], ignore_index=True))


def test_a_class_that_dropping_leaves_without_training_images_is_refused_with_the_number_dropped():
    index = given_index(*((f"leak{n}", "c", ("train", "test")) for n in range(3)), names=SPLITS)
    index = pd.concat([index, index_of([("c", "c", 1)], "val")], ignore_index=True)
    with pytest.raises(ValueError, match=r"got 0 train, 1 val, 3 test, 3 dropped of class c\. "):
        split_given(index, "drop_from_train")
    assert "dropped" not in split_given(index, "report")


def test_a_class_with_one_given_training_group_cannot_give_to_val():
    index = given_index(("c", "c", ("train", "train")), ("d", "c", ("test",)))
    with pytest.raises(ValueError, match=r"for train, val, got 1 of 3 .*, the smallest c \(images: 2, groups: 1\)"):
        split_given(index)


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
    message = rf"^params\.yaml split\.ratios: expected a source with given splits, got {counts}\. A ratio "
    with pytest.raises(ValueError, match=message):
        split_given(given_index(*leaks, names=names))


def write(path, index):
    index.assign(file="ignored").to_csv(path, index=False)
    return path


def run_in(folder, settings, index):
    """Return the counts, the split table and the leaks of a run in the folder."""
    source = write(folder / "index.csv", index)
    counts = run(settings, FOLDS, source, folder / "split.csv", folder / "leaks.csv", folder / "folds.csv")
    return counts, read_table(folder / "split.csv"), read_table(folder / "leaks.csv")


def test_the_table_lists_every_image_with_its_split(tmp_path):
    index = index_of(singles("007", 20) + singles("NA", 20))
    counts, table, _ = run_in(tmp_path, settings(), index)
    assert table.columns.tolist() == ["image_id", "class", "group", "split"]
    assert table[["image_id", "class", "group"]].equals(index[["image_id", "class", "group"]])
    assert (tmp_path / "leaks.csv").read_text() == ",".join(LEAK_COLUMNS) + "\n"
    dealt = {"folds": 5, "deals": 2, "largest_group": 1}
    assert counts == {
        "listed": 40,
        "largest_group": 1,
        "groups_straddling": 0,
        "leaks": NO_LEAKS,
        "cross_validation": dealt | {"choice": dealt},
        "largest_imbalance": 0.0,
        "balance": {name: {"007": 0.5, "NA": 0.5} for name in SPLITS},
        "classes": {name: {"007": n, "NA": n} for name, n in zip(SPLITS, (14, 3, 3), strict=True)},
    }
    json.dumps(counts)


def test_rows_dropped_do_not_count_for_the_balance(tmp_path):
    leaks = [(f"leak{n}", "a", ("train", "train", "test")) for n in range(3)]
    counts, _, _ = run_in(tmp_path, settings("given/20", on_leak="drop_from_train"), given_index(*leaks))
    assert counts["classes"]["dropped"] == {"a": 6, "b": 0}
    assert counts["balance"]["test"] == {"a": 0.5652, "b": 0.4348}
    assert counts["largest_imbalance"] == round(23 / 43 - 1 / 2, 4)  # of train and val


def test_balance_is_each_classs_share_of_a_split(tmp_path):
    index = index_of([*singles("a", 3), ("a3", "a", 4), *singles("b", 3)])
    counts, _, _ = run_in(tmp_path, settings(), index)
    assert counts["classes"] == {"train": {"a": 5, "b": 1}, "val": {"a": 1, "b": 1}, "test": {"a": 1, "b": 1}}
    assert counts["balance"] == {
        "train": {"a": 0.8333, "b": 0.1667}, "val": {"a": 0.5, "b": 0.5}, "test": {"a": 0.5, "b": 0.5}
    }  # fmt: skip
    assert counts["largest_imbalance"] == 0.2


@pytest.mark.parametrize(
    "changed",
    [settings(), settings(grouped=False), settings("kfold/3", fold=2), settings("given/20", on_leak="drop_from_train")],
)
def test_a_second_run_changes_no_byte(tmp_path, changed):
    index = given_index(("leak", "a", ("train", "test")), ("pair", "b", ("train", "train")))
    first, *_ = run_in(tmp_path, changed, index)
    before = [(tmp_path / name).read_bytes() for name in ("split.csv", "leaks.csv")]
    second, *_ = run_in(tmp_path, changed, index)
    assert [(tmp_path / name).read_bytes() for name in ("split.csv", "leaks.csv")] == before
    assert json.dumps(first) == json.dumps(second)


def test_an_error_leaves_the_tables_of_the_run_before(tmp_path):
    run_in(tmp_path, settings("given/20"), given_index())
    before = [(tmp_path / name).read_bytes() for name in ("split.csv", "leaks.csv")]
    with pytest.raises(ValueError, match="on_leak"):
        run_in(tmp_path, settings("given/20"), given_index(("leak", "a", ("train", "test"))))
    assert [(tmp_path / name).read_bytes() for name in ("split.csv", "leaks.csv")] == before
    assert not list(tmp_path.glob(".*.part"))


def test_the_counts_tell_of_leaks_and_dropped_rows(tmp_path):
    index = given_index(("leak", "a", ("train", "test")))
    counts, _, reported = run_in(tmp_path, settings("given/20", on_leak="report"), index)
    assert (counts["groups_straddling"], "dropped" in counts["classes"]) == (1, False)
    assert counts["leaks"] == NO_LEAKS | {"groups": 1, "like_test": NONE | {"changed": 1}}
    counts, _, dropped = run_in(tmp_path, settings("given/20", on_leak="drop_from_train"), index)
    assert (counts["groups_straddling"], counts["classes"]["dropped"]) == (0, {"a": 1, "b": 0})
    assert counts["leaks"] == NO_LEAKS | {"groups": 1, "like_test": NONE | {"changed": 1}}
    assert sum(sum(classes.values()) for classes in counts["classes"].values()) == counts["listed"] == 42
    assert set(counts["balance"]) == set(SPLITS)
    assert dropped["image_id"].tolist() == reported["image_id"].tolist() == ["0040", "0041"]
    assert dropped["split"].tolist() == ["dropped", "test"]
    assert reported["split"].isin(["train", "val"]).tolist() == [True, False]


def test_the_leaks_of_a_split_without_groups_are_listed(tmp_path):
    index = index_of([(f"{class_}{n}", class_, 5) for class_ in "ab" for n in range(20)])
    counts, table, leaks = run_in(tmp_path, settings(grouped=False), index)
    straddled = straddling(index, table["split"].to_numpy(dtype=str))
    assert set(leaks["image_id"]) == set(index["image_id"][index["group"].isin(straddled)])
    assert leaks["group"].is_monotonic_increasing
    assert counts["leaks"]["groups"] == counts["groups_straddling"] == len(straddled)
    assert set(leaks["kind"]) == {"changed"}


def test_a_missing_index_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"index\.csv: expected a table, got no such file\.$"):
        run(
            settings(),
            FOLDS,
            tmp_path / "index.csv",
            *(tmp_path / f"{name}.csv" for name in ("split", "leaks", "folds")),
        )


def test_the_command_says_its_counts(project, tmp_path, monkeypatch, capsys):
    write(tmp_path / "index.csv", given_index(names=SPLITS).assign(author=""))
    project("split.ratios", "given/20")
    monkeypatch.setattr(sys, "argv", ["split", "index.csv", "split.csv", "leaks.csv", "folds.csv", "metrics.json"])
    main()
    assert json.loads((tmp_path / "metrics.json").read_text())["leaks"] == NO_LEAKS
    assert capsys.readouterr().out.splitlines() == [
        "split: 60 images listed = 20 train + 20 val + 20 test",
        "split: no folds that keep apart every author, because no image has one.",
        "split: the source has val images of its own, so the share in given/20 is not used.",
    ]


# The whole chain for a given split: 40 train and 20 test files; of the test files 4 are byte for byte train files, 4
# others train files at another size, and one train file is a test file and at another size a second train file.
def write_image(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


@pytest.fixture(scope="module")
def leaking_index(draw, tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    for seed in range(40):
        write_image(folder / "train" / "ab"[seed % 2] / f"{seed:02}.png", draw(seed, (96, 72)))
    for seed in range(36, 56):
        small = draw(seed, (96, 72)).resize((64, 48), Image.Resampling.LANCZOS)
        write_image(folder / "test" / "ab"[seed % 2] / f"{seed:02}.png", draw(seed, (96, 72)) if seed > 39 else small)
    for seed in range(4):
        (folder / "test" / "ab"[seed % 2] / f"{52 + seed}.png").write_bytes(
            (folder / "train" / "ab"[seed % 2] / f"{seed:02}.png").read_bytes()
        )
    write_image(folder / "train" / "a" / "39.png", draw(0, (96, 72)).resize((80, 60), Image.Resampling.LANCZOS))
    (folder / "train" / "b" / "39.png").unlink()
    return read_index(folder)


def read_index(folder):
    """Return the index that collect, clean and preprocess make of the folder, with all images kept."""
    rows = []
    for path in sorted(folder.rglob("*.png")):
        given_split, class_, _ = path.relative_to(folder).parts
        with Image.open(path) as image:
            digits = str(imagehash.phash(image))
        image_id = hashlib.sha256(path.read_bytes()).hexdigest()
        rows.append((image_id, class_, str(path.relative_to(folder)), given_split, digits))
    index = pd.DataFrame(rows, columns=["image_id", "class", "source_id", "given_split", "phash"])
    first, second, _ = near_pairs(np.array([int(d, 16) for d in index["phash"]], dtype=np.uint64), 12)
    labels = components(len(index), first, second)
    smallest = index["image_id"].groupby(labels).transform("min")
    return index.assign(original=smallest, group=smallest)


IDENTICAL = {("train/a/00.png", "test/a/52.png"), ("train/b/01.png", "test/b/53.png"),
             ("train/a/02.png", "test/a/54.png"), ("train/b/03.png", "test/b/55.png")}  # fmt: skip
RESIZED = {("train/a/36.png", "test/a/36.png"), ("train/b/37.png", "test/b/37.png"),
           ("train/a/38.png", "test/a/38.png")}  # fmt: skip
BOTH_SIDES = {name for pair in IDENTICAL | RESIZED for name in pair} | {"train/a/39.png"}
TRAIN_SIDE = {name for name in BOTH_SIDES if name.startswith("train")}


def test_a_leaking_source_is_refused_with_its_counts(leaking_index, tmp_path):
    assert leaking_index["given_split"].value_counts().to_dict() == {"train": 40, "test": 20}
    message = (
        r"train and val rows like test rows: 4 identical, 4 changed, 0 look-alike; "
        r"other train rows like val rows: 0 identical, 0 changed, 0 look-alike; the first "
        r"train/[ab]/0[0-3]\.png \(train\) and test/[ab]/5[2-5]\.png \(test\)\. Set "
    )
    with pytest.raises(ValueError, match=message):
        run_in(tmp_path, settings("given/20"), leaking_index)
    assert not (tmp_path / "split.csv").exists()


def test_all_leaks_of_a_source_are_reported(leaking_index, tmp_path):
    counts, table, leaks = run_in(tmp_path, settings("given/20", on_leak="report"), leaking_index)
    assert set(leaks["source_id"]) == BOTH_SIDES
    kinds = leaks.set_index("source_id")["kind"]
    assert {name for name in BOTH_SIDES if kinds[name] == "identical"} == {name for pair in IDENTICAL for name in pair}
    assert (leaks["given_split"] == leaks["source_id"].str.split("/").str[0]).all()
    for train, test in IDENTICAL | RESIZED:
        assert leaks[leaks["source_id"].isin([train, test])]["group"].nunique() == 1
    assert counts["leaks"] == {"groups": 7, "like_test": NONE | {"identical": 4, "changed": 4}, "like_val": NONE}
    assert counts["groups_straddling"] == 7
    assert table["split"].value_counts().to_dict() == {"train": 32, "test": 20, "val": 8}


def test_exactly_the_training_images_that_leak_are_dropped(leaking_index, tmp_path):
    counts, table, leaks = run_in(tmp_path, settings("given/20", on_leak="drop_from_train"), leaking_index)
    is_dropped = (table["split"] == "dropped").to_numpy()
    assert set(leaking_index["source_id"][is_dropped]) == TRAIN_SIDE
    assert (table["image_id"] == leaking_index["image_id"]).all()
    assert ((table["split"] == "test") == (leaking_index["given_split"] == "test")).all()
    assert set(leaks["source_id"]) == BOTH_SIDES
    assert counts["groups_straddling"] == 0
    assert counts["leaks"] == {"groups": 7, "like_test": NONE | {"identical": 4, "changed": 4}, "like_val": NONE}


def test_an_image_in_train_and_test_of_the_source_may_still_be_split_anew(leaking_index, tmp_path):
    for ratios in ("70/15/15", "kfold/5"):
        counts, table, _ = run_in(tmp_path, settings(ratios), leaking_index)
        assert table["image_id"].tolist() == leaking_index["image_id"].tolist()
        assert counts["groups_straddling"] == 0
        assert table.groupby("image_id")["split"].nunique().max() == 1


@pytest.mark.parametrize(
    ("on_leak", "changed"),
    [
        ("report", {"ratios": "given/20"}),
        ("drop_from_train", {"ratios": "given/20"}),
        ("report", {"grouped": False}),
        ("report", {"ratios": "kfold/3", "fold": 1}),
    ],
)
def test_the_order_of_a_leaking_source_does_not_matter(leaking_index, tmp_path, on_leak, changed):
    rows = np.random.default_rng(0).permutation(len(leaking_index))
    counts, table, _ = run_in(tmp_path, settings(on_leak=on_leak, **changed), leaking_index)
    leaks = (tmp_path / "leaks.csv").read_bytes()
    shuffled_counts, shuffled, _ = run_in(tmp_path, settings(on_leak=on_leak, **changed), leaking_index.iloc[rows])
    assert shuffled["split"].tolist() == table["split"].iloc[rows].tolist()
    assert (tmp_path / "leaks.csv").read_bytes() == leaks
    assert shuffled_counts == counts
