"""The step: its folds, its trainings, and what it says of values that a network knows and does not know."""

import tempfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from stages import models
from stages.core.files import read_json, write_json
from stages.core.tables import read_table
from stages.cross_validate import run as stage
from stages.cross_validate.head_trainings import HeadTrainer
from stages.cross_validate.learning_curve import expect_from_twice
from stages.cross_validate.trainings import ALL, CHOICE, KNOWN, SHARE, UNKNOWN, is_known, plan_trainings
from stages.cross_validate.whole_trainings import WholeTrainer
from stages.networks.inputs import pool, read_inputs
from stages.split.folds import CrossValidation, deal_folds
from stages.train import run as train
from stages.training.hyperparams import read_settings
from stages.transforms.affine import Augmentation
from tests.catalog import TINY

pytestmark = pytest.mark.usefixtures("tensors", "tiny_networks")

AUTHORS, EACH = 24, 5
QUICK = {"epochs": 6, "batch_size": 16, "threads": 1, "dropout": 0.2, "learning_rate": 3e-2, "patience": 3}
NO_CHANGE = Augmentation()


def write_inputs(folder, array, name):
    """Write rows of images whose authors draw one class each."""
    folder.mkdir()
    np.save(folder / name, array)
    author = np.repeat(np.arange(AUTHORS), EACH)
    ids = [f"{i:064x}" for i in range(len(author))]
    index = pd.DataFrame({"image_id": ids, "class": np.where(author % 2, "dog", "cat"), "group": ids})
    index = index.assign(author=[f"author {n}" for n in author], given_split="", source_id=ids)
    index.to_csv(folder / "index.csv", index=False)
    write_json({"size": [8, 8], "crop": "none"}, folder / "preprocessing.json")
    return folder, index


def write_folds(path, index, deals=1, folds=3, apart="author"):
    settings = CrossValidation(
        networks={}, folds=folds, deals=deals, choice_deals=deals, seed=0, apart=apart, shares=[]
    )
    split = np.where(np.arange(len(index)) % 6 == 5, "test", "train")
    table, _ = deal_folds(settings, index, index["group"], ["look-alikes"], split)
    table.to_csv(path, index=False)
    return path


def write_activations(parent):
    """Write activations that show the author of an image, and nothing else about its class."""
    random = np.random.default_rng(0)
    style = np.repeat(random.normal(size=(AUTHORS, 1, 1, 48)), EACH, axis=0)
    array = (style + 0.3 * random.normal(size=(AUTHORS * EACH, 2, 2, 48))).astype(np.float32)
    folder, index = write_inputs(parent / "features", array, "features.npy")
    facts = {"network": "tiny_transfer", "trainable_layers": 0, "image_shape": [8, 8, 3], "pretrained": True, **TINY}
    write_json(facts, folder / "backbone.json")
    return folder, write_folds(parent / "folds.csv", index)


@pytest.fixture
def activations(tmp_path):
    return write_activations(tmp_path)


@pytest.fixture
def settings(project):
    return read_quick_settings()


def read_quick_settings():
    # The section of a network with published weights; the tiny one has none of its own in params.yaml.
    return read_settings("xception", models.load("tiny_transfer")).model_copy(update=QUICK)


def plan(folds):
    table = read_table(folds)
    labels = (table["class"] == "dog").to_numpy(dtype=np.int64)
    return table, plan_trainings(table, labels, seed=7)


def test_each_image_is_tested_once_in_each_deal_and_never_with_its_group_in_training(activations, tmp_path):
    folds = write_folds(tmp_path / "more.csv", read_table(activations[0] / "index.csv"), deals=2, folds=4)
    table, trainings = plan(folds)
    assert len(trainings) == 2 * 4 * 4
    assert len({training.name for training in trainings}) == len(trainings)
    for series, column in ((ALL, "group"), (KNOWN, "group"), (UNKNOWN, "author_group")):
        for deal in range(2):
            own = [one for one in trainings if (one.series, one.deal) == (series, deal)]
            tested = np.concatenate([one.splits["test"].rows for one in own])
            assert sorted(tested) == list(range(len(table)))
            groups = table[column].to_numpy()
            for one in own:
                parts = [set(groups[one.splits[name].rows]) for name in ("train", "val", "test")]
                assert sum(map(len, parts)) == len(set.union(*parts))
    assert len({training.seed for training in trainings if training.series == ALL}) == 2 * 4
    authors = table["author"].to_numpy()
    assert not any(is_known(authors, one).any() for one in trainings if one.series == UNKNOWN)


def test_the_trainings_that_may_choose_the_champion_never_see_an_image_of_the_test_split(activations):
    _, trainings = plan(activations[1])
    own = [one for one in trainings if one.series == CHOICE]
    assert [(one.deal, one.fold) for one in own] == [(0, 0), (0, 1), (0, 2)]
    learned = [row for row in range(AUTHORS * EACH) if row % 6 != 5]
    for one in own:
        assert sorted(np.concatenate([part.rows for part in one.splits.values()])) == learned
    assert sorted(np.concatenate([one.splits["test"].rows for one in own])) == learned


def test_what_is_known_and_unknown_is_compared_with_equal_numbers_of_images(activations):
    _, trainings = plan(activations[1])
    sizes = {
        series: [len(one.splits["train"].rows) for one in trainings if one.series == series]
        for series in (ALL, KNOWN, UNKNOWN)
    }
    assert sizes[KNOWN] == sizes[UNKNOWN]
    assert all(known <= full for known, full in zip(sizes[KNOWN], sizes[ALL], strict=True))


def test_fewer_training_images_are_whole_groups_and_all_else_stays(tmp_path):
    random = np.random.default_rng(3)
    groups = pd.Series(random.integers(0, 40, 300).astype(str))
    table = pd.DataFrame(
        {"image_id": np.arange(300), "class": "cat", "group": groups, "deal_0": groups.astype(int) % 5}
    )
    trainings = plan_trainings(table, np.zeros(300, np.int64), 7, [0.25, 0.5])
    largest = groups.value_counts().iloc[0]
    for fold in range(5):
        quarter, half, whole = (
            next(one for one in trainings if (one.series, one.fold) == (series, fold))
            for series in (f"{SHARE}0.25", f"{SHARE}0.5", ALL)
        )
        rows = [set(one.splits["train"].rows) for one in (quarter, half, whole)]
        assert rows[0] < rows[1] < rows[2]
        for share, own in ((0.25, rows[0]), (0.5, rows[1])):
            assert abs(len(own) - share * len(rows[2])) <= largest / 2
            assert not set(groups[list(own)]) & set(groups[list(rows[2] - own)])
        for name in ("val", "test"):
            np.testing.assert_array_equal(half.splits[name].rows, whole.splits[name].rows)
        assert half.seed == whole.seed


def test_a_share_has_at_least_one_group_also_if_that_is_large(tmp_path):
    groups = pd.Series(["a"] * 6 + ["b", "c", "d", "e"] + ["v", "t"])
    deal = [2] * 10 + [1, 0]
    table = pd.DataFrame({"image_id": range(12), "class": "cat", "group": groups, "deal_0": deal})
    sizes = set()
    for seed in range(40):
        [cut] = [one for one in plan_trainings(table, np.zeros(12, np.int64), seed, [0.25])
                 if one.series != ALL and one.fold == 0]  # fmt: skip
        sizes.add(len(cut.splits["train"].rows))
    assert min(sizes) >= 1
    assert 6 in sizes


def test_trainings_that_may_be_equal_follow_each_other(activations):
    table = read_table(activations[1])
    labels = (table["class"] == "dog").to_numpy(dtype=np.int64)
    series = [one.series for one in plan_trainings(table, labels, 7, [0.5])]
    assert series[:4] == [ALL, KNOWN, UNKNOWN, f"{SHARE}0.5"]


@pytest.mark.parametrize(("mistakes", "gain", "twice"), [(0.1, 0.1, 0.05), (0.3, 0.1, 0.075), (0.2, -0.1, -0.1)])
def test_mistakes_become_fewer_by_the_same_factor_again(mistakes, gain, twice):
    points = [{"share": 0.25, "gain": {}}, {"share": 0.5, "gain": {"difference": gain, "low": gain, "high": gain}}]
    found = expect_from_twice(mistakes, points)["twice"]
    assert found == pytest.approx({"difference": twice, "low": twice, "high": twice})


def test_nothing_is_expected_where_nothing_can_be_told():
    wide = [{"share": 0.5, "gain": {"difference": 0.1, "low": -1.0, "high": 1.0}}]
    some = [{"share": 0.5, "gain": {"difference": 0.1, "low": 0.0, "high": 0.2}}]
    assert expect_from_twice(0.2, wide) == expect_from_twice(0.0, some) == expect_from_twice(0.2, []) == {}


@pytest.fixture(scope="module")
def tested(tmp_path_factory, root, tensors, tiny_networks):
    """Cross-validate once, with a learning curve, and return the path of the folds, the metrics and the predictions."""
    folder = tmp_path_factory.mktemp("tested")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        settings = read_quick_settings()
    source, folds = write_activations(folder)
    target = folder / "out"
    metrics = stage.run("tiny_transfer", "tiny_transfer", settings, NO_CHANGE, source, folds, target, [0.2, 0.5])
    assert read_json(target / "metrics.json") == metrics
    return folds, metrics, read_table(target / "predictions.csv")


@pytest.mark.slow
def test_a_network_that_knows_authors_learns_more_from_more_of_them(tested):
    folds, metrics, table = tested
    few, half = metrics["learning_curve"]["points"]
    assert (few["share"], half["share"]) == (0.2, 0.5)
    assert few["training_images"] < half["training_images"] < metrics["training_images"]
    assert few["accuracy"] < metrics["accuracy"]
    for point in (few, half):
        assert point["low"] <= point["accuracy"] <= point["high"]
        assert point["gain"]["difference"] == pytest.approx(metrics["accuracy"] - point["accuracy"], abs=2e-4)
        assert point["gain"]["low"] <= point["gain"]["difference"] <= point["gain"]["high"]
    own = table[table["series"] == f"{SHARE}0.5"]
    assert (own["class"] == own["predicted"]).mean() == pytest.approx(half["accuracy"], abs=1e-4)
    author_group = read_table(folds).set_index("image_id")["author_group"]
    assert (table["apart_group"] == table["image_id"].map(author_group)).all()


@pytest.mark.slow
def test_a_network_that_knows_authors_alone_is_right_about_those_alone(tested):
    _, metrics, table = tested
    assert (metrics["deals"], metrics["folds"], metrics["images"]) == (1, 3, AUTHORS * EACH)
    assert metrics["low"] <= metrics["accuracy"] <= metrics["high"]
    single = metrics["single_trainings"]
    assert single["lowest"] <= metrics["accuracy"] <= single["highest"]
    apart = metrics["apart"]
    assert apart["column"] == "author"
    assert apart["known"]["accuracy"] > 0.9
    assert apart["unknown"]["accuracy"] < 0.75
    assert apart["low"] > 0
    assert apart["difference"] == pytest.approx(apart["known"]["accuracy"] - apart["unknown"]["accuracy"], abs=2e-4)
    for series, found, tested_images in (
        (ALL, metrics, AUTHORS * EACH), (CHOICE, metrics["choice"], AUTHORS * EACH * 5 // 6),
    ):  # fmt: skip
        own = table[table["series"] == series]
        assert (own["class"] == own["predicted"]).mean() == pytest.approx(found["accuracy"], abs=1e-4)
        assert own["image_id"].nunique() == len(own) == found["images"] == tested_images
        assert found["low"] <= found["accuracy"] <= found["high"]


RECIPES = [
    {},
    {"optimizer": "sgd", "schedule": "cosine", "warmup_epochs": 1, "label_smoothing": 0.1},
    {"optimizer": "nadam", "schedule": "plateau", "schedule_epochs": 1, "class_weights": False, "clip_norm": 0.5},
    {"monitor": "val_accuracy", "schedule": "step", "schedule_epochs": 2, "head": "dense", "width": 0.01},
]


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_head_is_trained_as_the_step_train_would(activations, settings, tmp_path, recipe):
    source, folds = activations
    settings = settings.model_copy(update=recipe)
    inputs, network = read_inputs(source), models.load("tiny_transfer")
    training = plan(folds)[1][1]
    array = pool(inputs.array) if settings.head == "linear" else inputs.array
    quick = HeadTrainer(keras.ops.convert_to_tensor(array), 2, settings)
    quick.train(plan(folds)[1][0])  # a training before leaves nothing behind
    whole = WholeTrainer("tiny_transfer", network, inputs, source, 2, settings, NO_CHANGE, tmp_path)
    assert quick.train(training) == pytest.approx(whole.train(training), abs=1e-4)


def test_a_head_fitted_at_once_is_that_of_the_step_train(activations, settings, tmp_path):
    source, folds = activations
    settings = settings.model_copy(update={"head": "logistic", "label_smoothing": 0.1})
    table, trainings = plan(folds)
    training = trainings[1]
    split = pd.Series("test", table.index)
    for name in ("train", "val"):
        split.iloc[training.splits[name].rows] = name
    table.assign(split=split).to_csv(tmp_path / "split.csv", index=False)
    train.run(
        "tiny_transfer",
        "tiny_transfer",
        settings,
        NO_CHANGE,
        source,
        tmp_path / "split.csv",
        tmp_path / "out",
        tmp_path / "live",
    )
    model = keras.models.load_model(tmp_path / "out" / "model.keras", compile=False)
    (trainer,) = stage.make_trainers(
        "tiny_transfer", models.load("tiny_transfer"), settings, NO_CHANGE, read_inputs(source), source, 2, tmp_path
    )
    rows = training.splits["test"].rows
    said = model.predict_on_batch(read_inputs(source).array[rows])
    assert trainer.train(training) == pytest.approx(said, abs=1e-5)
    assert read_json(tmp_path / "out" / "network.json")["kept_epoch"] == 1
    assert (said.argmax(axis=1) == training.splits["test"].labels).mean() > 0.8


def test_a_loss_that_is_not_finite_is_named(activations, settings):
    array = read_inputs(activations[0]).array
    trainer = HeadTrainer(keras.ops.full_like(array, np.inf), 2, settings)
    with pytest.raises(
        ValueError, match=r"expected a learning_rate .* got a loss of nan in epoch 1 of training all-0-0"
    ):
        trainer.train(plan(activations[1])[1][0])


def test_a_training_that_is_stopped_ends_before_its_next_epoch(activations, settings):
    trainer = HeadTrainer(keras.ops.convert_to_tensor(read_inputs(activations[0]).array), 2, settings)
    trainer.is_stopped = True
    with pytest.raises(InterruptedError, match=r"^training all-0-0: stopped\.$"):
        trainer.train(plan(activations[1])[1][0])


def test_an_interrupt_stops_the_trainings_in_all_threads(activations, settings, tmp_path, monkeypatch):
    trainings = plan(activations[1])[1]
    tensor = keras.ops.convert_to_tensor(read_inputs(activations[0]).array)
    trainers = [HeadTrainer(tensor, 2, settings) for _ in range(2)]

    def interrupted(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(stage, "progress", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stage.test_all(trainings, trainers, tmp_path, "")
    assert [trainer.is_stopped for trainer in trainers] == [True, True]


@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_interrupted_run_goes_on(activations, settings, tmp_path, monkeypatch, n_threads):
    trained, most = [], [None]

    class Quick:
        """A trainer that guesses, and is stopped after some trainings."""

        def train(self, training):
            if len(trained) == most[0]:
                raise MemoryError
            trained.append(training.name)
            n = len(training.splits["test"].rows)
            return np.random.default_rng(training.seed).dirichlet(np.ones(2), n).astype(np.float32)

    monkeypatch.setattr(stage, "make_trainers", lambda *_: [Quick() for _ in range(n_threads)])
    metrics = stage.run("tiny_transfer", "tiny_transfer", settings, NO_CHANGE, *activations, tmp_path / "whole")
    assert "learning_curve" not in metrics
    whole, most[0] = len(trained), len(trained) + 3
    with pytest.raises(MemoryError):
        stage.run("tiny_transfer", "tiny_transfer", settings, NO_CHANGE, *activations, tmp_path / "again")
    assert not (tmp_path / "again").exists()
    most[0] = None
    stage.run("tiny_transfer", "tiny_transfer", settings, NO_CHANGE, *activations, tmp_path / "again")
    assert sorted(trained[whole:]) == sorted(trained[:whole])
    for name in ("predictions.csv", "metrics.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.slow
def test_heads_that_are_trained_side_by_side_are_those_trained_one_after_the_other(activations, settings, tmp_path):
    array = keras.ops.convert_to_tensor(pool(read_inputs(activations[0]).array))
    one, two = (HeadTrainer(array, 2, settings) for _ in range(2))
    trainings = plan(activations[1])[1][:4]
    outcomes = [
        stage.test_all(trainings, trainers, Path(tempfile.mkdtemp(dir=tmp_path)), name)
        for trainers, name in [([one], "alone"), ([one, two], "together")]
    ]
    for alone, together in zip(*outcomes, strict=True):
        assert alone.training.name == together.training.name
        assert (alone.probabilities == together.probabilities).all()


@pytest.mark.slow
def test_a_network_that_is_fed_pixels_is_trained_whole(project, tmp_path):
    light = 120 * (np.repeat(np.arange(AUTHORS), EACH) % 2)[:, None, None, None]
    pixels = (np.random.default_rng(0).integers(0, 100, (AUTHORS * EACH, 8, 8, 3)) + light).astype(np.uint8)
    source, index = write_inputs(tmp_path / "pixels", pixels, "images.npy")
    folds = write_folds(tmp_path / "folds.csv", index, apart=None)
    settings = read_settings("vgg", models.load("tiny")).model_copy(update=QUICK | {"epochs": 3})
    metrics = stage.run("tiny", "tiny", settings, NO_CHANGE, source, folds, tmp_path / "out")
    assert metrics["accuracy"] > 0.8
    assert "apart" not in metrics


def test_without_folds_nothing_is_trained_and_nothing_said(activations, settings, tmp_path):
    source, folds = activations
    read_table(folds)[["image_id", "class", "group"]].to_csv(folds, index=False)
    metrics = stage.run("tiny_transfer", "tiny_transfer", settings, NO_CHANGE, source, folds, tmp_path / "out")
    assert metrics == {"deals": 0, "images": AUTHORS * EACH}
    assert read_table(tmp_path / "out" / "predictions.csv").empty


def test_folds_of_other_images_are_refused(activations, settings, tmp_path):
    source, folds = activations
    read_table(folds).head(10).to_csv(folds, index=False)
    with pytest.raises(ValueError, match=r"folds\.csv: expected the 120 images of .*features, got 10 others\.$"):
        stage.run("tiny_transfer", "tiny_transfer", settings, NO_CHANGE, source, folds, tmp_path / "out")
