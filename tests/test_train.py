import numpy as np
import pandas as pd
import pytest

from stages import evaluate, train
from stages.core import params
from stages.core.augmentation import Augmentation
from stages.core.files import read_json, read_table, sha256
from stages.models import alexnet, vgg, xception

pytestmark = pytest.mark.usefixtures("tensors")


@pytest.fixture
def settings(project):
    quick = {"width": 0.02, "epochs": 4, "batch_size": 8, "threads": 1, "dropout": 0.1, "learning_rate": 3e-3}
    return params.read(vgg.Params, "train.common", "train.vgg").model_copy(update=quick)


@pytest.fixture
def data(tmp_path):
    """Images of two classes that a glance tells apart, dark and light, and their split."""
    random = np.random.default_rng(0)
    pixels = tmp_path / "pixels"
    pixels.mkdir()
    labels = np.arange(40) % 2
    images = (random.integers(0, 100, (40, 16, 16, 3)) + 150 * labels[:, None, None, None]).astype(np.uint8)
    np.save(pixels / "images.npy", images)
    table = pd.DataFrame({"image_id": [f"{i:064x}" for i in range(40)]})
    table["class"] = np.where(labels == 1, "light", "dark")
    table["group"] = table["image_id"]
    table["split"] = ["train"] * 24 + ["val"] * 8 + ["test"] * 8
    table.to_csv(pixels / "index.csv", index=False)
    table.to_csv(tmp_path / "split.csv", index=False)
    return pixels, tmp_path / "split.csv"


def test_learns_what_can_be_learned_and_writes_what_it_did(settings, data, tmp_path):
    settings = settings.model_copy(update={"width": 0.1, "epochs": 8})
    timing = train.run("vgg", settings, Augmentation(), *data, tmp_path / "vgg")
    history = read_table(tmp_path / "vgg" / "history.csv")
    assert list(history.columns) == ["epoch", "split", "loss", "accuracy"]
    assert history["split"].tolist() == ["train", "val"] * 8
    assert float(history["accuracy"].iloc[-1]) > 0.9
    network = read_json(tmp_path / "vgg" / "network.json")
    assert network["classes"] == ["dark", "light"]
    assert network["image_shape"] == [16, 16, 3]
    assert network["pretrained"] is False
    assert timing["model_sha256"] == sha256(tmp_path / "vgg" / "model.keras")
    assert timing["train_seconds"] > 0


def test_the_same_seed_gives_the_same_model_and_another_seed_another(settings, data, tmp_path):
    amounts = Augmentation(rotation=10, brightness=0.1)
    hashes = [
        train.run("vgg", settings.model_copy(update={"seed": seed, "epochs": 2}), amounts, *data, tmp_path / name)[
            "model_sha256"
        ]
        for name, seed in (("first", 0), ("again", 0), ("other", 1))
    ]
    assert hashes[0] == hashes[1]
    assert hashes[0] != hashes[2]
    assert sha256(tmp_path / "first" / "history.csv") == sha256(tmp_path / "again" / "history.csv")


def test_keeps_the_weights_of_the_best_epoch(settings, data, tmp_path):
    # Validation images with their classes swapped: what is learned on train makes them worse.
    pixels, split = data
    table = read_table(split)
    is_val = table["split"] == "val"
    table.loc[is_val, "class"] = table.loc[is_val, "class"].map({"dark": "light", "light": "dark"})
    table.to_csv(split, index=False)
    learning = settings.model_copy(update={"width": 0.1, "epochs": 8, "monitor": "val_loss"})
    train.run("vgg", learning, Augmentation(), pixels, split, tmp_path / "vgg")
    history = read_table(tmp_path / "vgg" / "history.csv").set_index("split").loc["val"].astype(float)
    best, last = history.iloc[history["loss"].argmin()], history.iloc[-1]
    assert last["accuracy"] < best["accuracy"]
    metrics = evaluate.run(evaluate.Evaluate(batch_size=8, threads=1), pixels, split, tmp_path / "vgg", tmp_path / "e")
    assert metrics["val"]["accuracy"] == pytest.approx(best["accuracy"], abs=1e-4)


def test_neither_validation_nor_evaluation_is_augmented(settings, data, tmp_path):
    # At this rate nothing is learned: the loss on validation is that of the model as it is saved.
    still = settings.model_copy(update={"learning_rate": 1e-12, "epochs": 1})
    train.run("vgg", still, Augmentation(brightness=1, rotation=90), *data, tmp_path / "augmented")
    train.run("vgg", still, Augmentation(), *data, tmp_path / "plain")
    first, second = (read_table(tmp_path / name / "history.csv").set_index("split") for name in ("augmented", "plain"))
    assert first.loc["val", "loss"] == second.loc["val", "loss"]
    assert first.loc["train", "loss"] != second.loc["train", "loss"]
    predictions = [
        evaluate.run(evaluate.Evaluate(batch_size=8, threads=1), *data, tmp_path / name, tmp_path / f"e_{name}")
        for name in ("augmented", "plain")
    ]
    assert predictions[0] == predictions[1]


@pytest.mark.parametrize(
    "change",
    [{"class_weights": False}, {"learning_rate": 2e-3}, {"dropout": 0.2}, {"batch_size": 6}, {"scaling": "signed"}],
)
def test_every_param_reaches_the_training(settings, data, tmp_path, change):
    pixels, split = data
    table = read_table(split)
    table.loc[:7, "split"] = ["train", "test"] * 4  # so that the classes differ in number
    table.to_csv(split, index=False)
    brief = settings.model_copy(update={"epochs": 1})
    train.run("vgg", brief, Augmentation(), pixels, split, tmp_path / "as_it_is")
    train.run("vgg", brief.model_copy(update=change), Augmentation(), pixels, split, tmp_path / "changed")
    assert sha256(tmp_path / "as_it_is" / "model.keras") != sha256(tmp_path / "changed" / "model.keras")


def test_stops_when_patience_is_over(settings, data, tmp_path):
    still = settings.model_copy(update={"learning_rate": 1e-12, "epochs": 9, "patience": 2})
    train.run("vgg", still, Augmentation(), *data, tmp_path / "vgg")
    assert len(read_table(tmp_path / "vgg" / "history.csv")) == 2 * 3


def test_a_loss_that_runs_away_is_one_line_and_leaves_no_model(settings, data, tmp_path):
    wild = settings.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(ValueError, match=r"train.vgg.learning_rate: expected .* stays finite, got a loss of (nan|inf)"):
        train.run("vgg", wild, Augmentation(), *data, tmp_path / "vgg")
    assert not (tmp_path / "vgg").exists()


def test_images_too_small_for_the_network_are_refused(settings, data, tmp_path):
    with pytest.raises(ValueError, match=r"preprocess.size: expected at least 67 for alexnet, got 16x16\."):
        train.run("alexnet", alexnet.Params(**settings.model_dump()), Augmentation(), *data, tmp_path / "alexnet")


def test_activations_cannot_be_augmented(project, data, tmp_path):
    pixels, split = data
    (pixels / "images.npy").unlink()
    np.save(pixels / "features.npy", np.zeros((40, 1, 1, 4), np.float32))
    (pixels / "backbone.json").write_text('{"image_shape": [96, 96, 3], "pretrained": true}')
    settings = params.read(xception.Params, "train.common", "train.xception")
    with pytest.raises(ValueError, match=r"train.xception.augmentation: expected one without changes, .* got none\."):
        train.run("xception", settings, Augmentation(rotation=5), pixels, split, tmp_path / "xception")


def test_a_split_of_other_images_is_refused(settings, data, tmp_path):
    pixels, split = data
    read_table(split).head(39).to_csv(split, index=False)
    with pytest.raises(ValueError, match=r"split: expected the 40 images of the inputs, got 39 others\."):
        train.run("vgg", settings, Augmentation(), pixels, split, tmp_path / "vgg")
