import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import StandardScaler

from stages import suggest as stage
from stages.core.tables import read_table
from stages.networks.inputs import Inputs
from stages.suggest import Suggest, find_mislabelled, pool, pool_opinions, run

SETTINGS = Suggest(network="xception", folds=4, seed=0, mislabelled_share=0.05, outlier_share=0.02)


def two_clouds(n=100):
    """Return activations of two well separated classes, and their index."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 2
    array = rng.normal(size=(n, 2, 2, 8)).astype(np.float32)
    array += 3  # activations point the same way, roughly
    array[:, :, :, :3] += 8 * labels[:, None, None, None]
    ids = [f"{number:064x}" for number in range(n)]
    index = pd.DataFrame({"image_id": ids, "class": np.where(labels == 1, "dog", "cat"), "group": ids, "texture": 1})
    return array, index


def shuffled_clouds():
    """Return the clouds in an order that has nothing to do with the classes, as that of images has not."""
    array, index = two_clouds()
    order = np.random.default_rng(1).permutation(len(index))
    ids = index["image_id"]
    return array[order], index.iloc[order].reset_index(drop=True).assign(image_id=ids, group=ids)


def suggest(array, index, tmp_path, settings=SETTINGS):
    counts = run(settings, Inputs(array, list(index["image_id"])), index, tmp_path / "suggestions.csv")
    return counts, read_table(tmp_path / "suggestions.csv")


def test_images_in_the_wrong_class_are_suggested_with_the_right_one(tmp_path):
    array, index = two_clouds()
    index.loc[[3, 11], "class"] = "cat"
    counts, table = suggest(array, index, tmp_path)
    found = table[table["kind"] == "mislabelled"].set_index("image_id")
    assert set(found.index) == {index["image_id"][3], index["image_id"][11]}
    assert found.loc[index["image_id"][3], ["class", "suggested"]].tolist() == ["cat", "dog"]
    assert found["score"].astype(float).between(0.5, 1).all()
    assert counts["suggested"] == {"mislabelled": 2, "outlier": 2}


def test_of_right_classes_none_is_suggested(tmp_path):
    counts, table = suggest(*two_clouds(), tmp_path)
    assert counts == {"listed": 100, "suggested": {"outlier": 2}, "out_of_fold_accuracy": 1.0}
    assert set(table["kind"]) == {"outlier"}


def test_an_image_unlike_all_others_is_the_first_outlier(tmp_path):
    array, index = two_clouds()
    array[7] = 0
    array[7, :, :, 5] = 30
    _, table = suggest(array, index, tmp_path)
    assert table[table["kind"] == "outlier"]["image_id"].iloc[0] == index["image_id"][7]


def test_of_very_many_images_some_are_enough_to_find_the_wrong_class_and_the_outlier(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "MOST_NEIGHBOURS", 30)
    array, index = shuffled_clouds()
    wrong_rows, odd = index.index[index["class"] == "dog"][:2], index.index[index["class"] == "cat"][0]
    index.loc[wrong_rows, "class"] = "cat"
    array[odd] = 0
    array[odd, :, :, 5] = 30
    _, table = suggest(array, index, tmp_path)
    wrong = table[table["kind"] == "mislabelled"]
    assert set(wrong["image_id"]) == set(index["image_id"][wrong_rows])
    assert table[table["kind"] == "outlier"]["image_id"].iloc[0] == index["image_id"][odd]


def test_measured_in_blocks_rows_are_scaled_as_at_once(monkeypatch):
    rows = pool(two_clouds()[0])
    at_once = StandardScaler().fit_transform(rows)
    np.testing.assert_array_equal(stage.BlockScaler(copy=True).fit_transform(rows), at_once)
    monkeypatch.setattr(stage, "MOST_NEIGHBOURS", 33)
    np.testing.assert_allclose(stage.BlockScaler(copy=True).fit_transform(rows), at_once, rtol=1e-4, atol=1e-5)


def test_no_image_is_its_own_neighbour(monkeypatch):
    features = pool(shuffled_clouds()[0])
    every = stage.rate_typical(features)
    monkeypatch.setattr(stage, "MOST_NEIGHBOURS", 50)
    halves = stage.rate_typical(features)
    assert halves.max() < 1  # which the distance 0 to itself would give
    assert np.corrcoef(every, halves)[0, 1] > 0.7


def test_a_flat_image_among_photographs_comes_first_and_among_drawings_not_at_all(tmp_path):
    array, index = two_clouds()
    index["texture"] = index["texture"].astype(float)
    index.loc[42, "texture"] = 0.13
    index.loc[3, "class"] = "cat"
    counts, table = suggest(array, index, tmp_path)
    assert counts["suggested"] == {"mislabelled": 1, "outlier": 2, "placeholder": 1}
    first = table.iloc[0]
    assert first[["image_id", "kind", "suggested", "score"]].tolist() == [
        index["image_id"][42],
        "placeholder",
        "",
        "0.87",
    ]
    index.loc[:20, "texture"] = 0.5
    assert "placeholder" not in suggest(array, index, tmp_path)[0]["suggested"]


def test_look_alikes_do_not_vouch_for_each_other(tmp_path):
    array, index = two_clouds()
    array[60:100] = np.random.default_rng(1).normal(size=(40, 1, 1, 8)).repeat(2, 1).repeat(2, 2)
    array[61:100:2] = array[60:100:2]  # the same images, in both classes
    index.loc[61:100:2, "group"] = index.loc[60:99:2, "group"].to_numpy()
    counts, _ = suggest(array, index, tmp_path)
    assert counts["out_of_fold_accuracy"] <= 0.85


def test_no_more_than_the_share_is_suggested_and_the_clearest_first(tmp_path):
    array, index = two_clouds()
    index.loc[[3, 11, 21], "class"] = "cat"
    named = {}
    for share in (0.05, 0.02, 0):
        settings = SETTINGS.model_copy(update={"mislabelled_share": share})
        table = suggest(array, index, tmp_path, settings)[1].query("kind == 'mislabelled'")
        assert table["score"].astype(float).is_monotonic_decreasing
        named[share] = table["image_id"].tolist()
    assert set(named[0.05]) == set(index["image_id"][[3, 11, 21]])
    assert named[0.02] == named[0.05][:2]
    assert named[0] == []


def test_what_only_one_kind_of_model_contradicts_is_not_suggested():
    index = pd.DataFrame({"image_id": list("abc"), "class": ["cat", "cat", "cat"]})
    opinions = np.array([[[0.1, 0.9], [0.1, 0.9], [0.3, 0.7]], [[0.6, 0.4], [0.1, 0.9], [0.4, 0.6]]])
    found = find_mislabelled(index, np.array(["cat", "dog"]), np.zeros(3, int), opinions, 1.0)
    assert found[["image_id", "suggested", "score"]].values.tolist() == [["b", "dog", 0.9], ["c", "dog", 0.6517]]


def test_kinds_that_contradict_the_class_for_different_others_do_not_agree():
    index = pd.DataFrame({"image_id": ["a"], "class": ["cat"]})
    opinions = np.array([[[0.4, 0.6, 0.0]], [[0.4, 0.0, 0.6]]])
    assert find_mislabelled(index, np.array(["cat", "dog", "owl"]), np.zeros(1, int), opinions, 1.0).empty


def test_the_opinions_of_kinds_are_pooled_by_their_geometric_mean():
    pooled = pool_opinions(np.array([[[0.9, 0.1, 0.0]], [[0.4, 0.4, 0.2]]]))
    np.testing.assert_allclose(pooled, [[0.6, 0.2, np.sqrt(0.0002)]])


def test_a_set_smaller_than_the_neighbours_is_judged_all_the_same(tmp_path):
    array, index = two_clouds(12)
    assert suggest(array, index, tmp_path)[0]["listed"] == 12


def test_a_second_run_writes_the_same(tmp_path):
    suggest(*two_clouds(), tmp_path)
    before = (tmp_path / "suggestions.csv").read_bytes()
    suggest(*two_clouds(), tmp_path)
    assert (tmp_path / "suggestions.csv").read_bytes() == before


def test_no_outlier_share_gives_no_outlier(tmp_path):
    _, table = suggest(*two_clouds(), tmp_path, SETTINGS.model_copy(update={"outlier_share": 0}))
    assert table.empty
    assert table.columns.tolist() == ["image_id", "class", "kind", "suggested", "score"]


def test_other_images_than_the_index_are_an_error(tmp_path):
    array, index = two_clouds()
    with pytest.raises(ValueError, match=r"^suggest: expected the 99 images of the index, got 100 others\.$"):
        run(SETTINGS, Inputs(array, list(index["image_id"])), index[1:], tmp_path / "suggestions.csv")


def test_a_class_of_one_group_is_an_error(tmp_path):
    array, index = two_clouds()
    index.loc[index["class"] == "dog", "group"] = "one"
    with pytest.raises(ValueError, match=r"at least 2 groups of look-alikes in every class, got one with 1\.$"):
        suggest(array, index, tmp_path)


def test_pooling_is_the_mean_over_places():
    assert pool(np.arange(16).reshape(1, 2, 2, 4)).tolist() == [[6, 7, 8, 9]]
    assert pool(np.ones((3, 5))).shape == (3, 5)
