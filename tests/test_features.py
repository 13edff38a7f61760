import keras
import numpy as np
import pandas as pd
import pytest

from stages import features, pretrained, train
from stages.core import params
from stages.core.augmentation import Augmentation
from stages.core.files import read_json
from stages.core.layers import scaling_layer
from stages.models import xception

pytestmark = pytest.mark.usefixtures("tensors")

FEATURES = features.Features(batch_size=4, threads=1)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Random weights, as the stage `pretrained` leaves them."""
    source = pretrained.Source(sha256="0" * 64, mirrors=["random"])
    settings = pretrained.Pretrained(allow_random=True, seed=0, networks={"xception": source})
    folder = tmp_path_factory.mktemp("pretrained") / "xception"
    pretrained.run("xception", settings, folder)
    return folder


@pytest.fixture
def pixels(tmp_path):
    folder = tmp_path / "pixels"
    folder.mkdir()
    np.save(folder / "images.npy", np.random.default_rng(0).integers(0, 256, (12, 71, 71, 3), dtype=np.uint8))
    table = pd.DataFrame({"image_id": [f"{i:064x}" for i in range(12)], "class": ["a", "b"] * 6})
    table.to_csv(folder / "index.csv", index=False)
    table.assign(split=["train"] * 6 + ["val"] * 3 + ["test"] * 3).to_csv(tmp_path / "split.csv", index=False)
    return folder


@pytest.fixture
def training(project):
    return params.read(xception.Params, "train.common", "train.xception")


def test_activations_are_those_of_the_whole_model(pixels, weights, training, tmp_path):
    features.run("xception", FEATURES, training, pixels, weights, tmp_path / "out")
    backbone = xception.make_backbone((71, 71, 3))
    backbone.load_weights(weights / "backbone.weights.h5")
    images = np.load(pixels / "images.npy")
    expected = backbone.predict(np.asarray(scaling_layer("signed")(images)), verbose=0)
    np.testing.assert_allclose(np.load(tmp_path / "out" / "features.npy"), expected, rtol=1e-4, atol=1e-5)
    facts = read_json(tmp_path / "out" / "backbone.json")
    assert facts["frozen_parameters"] == 20_861_480
    assert facts["pretrained"] is False
    assert (tmp_path / "out" / "index.csv").read_bytes() == (pixels / "index.csv").read_bytes()


@pytest.mark.parametrize(("head", "head_parameters"), [("linear", 2 * 2048 + 2), ("dense", None)])
def test_a_tail_goes_on_from_the_pretrained_weights(pixels, weights, training, tmp_path, head, head_parameters):
    partly = training.model_copy(
        update={"trainable_layers": 6, "epochs": 1, "threads": 1, "learning_rate": 1e-12, "head": head, "width": 0.02}
    )
    features.run("xception", FEATURES, partly, pixels, weights, tmp_path / "out")
    train.run("xception", partly, Augmentation(), tmp_path / "out", tmp_path / "split.csv", tmp_path / "model")
    model = keras.models.load_model(tmp_path / "model" / "model.keras", compile=False)
    tail = model.get_layer("xception_tail")
    backbone = xception.make_backbone((71, 71, 3))
    backbone.load_weights(weights / "backbone.weights.h5")
    kernel = backbone.get_layer("block14_sepconv2").get_weights()[0]
    np.testing.assert_allclose(tail.get_layer("block14_sepconv2").get_weights()[0], kernel, atol=1e-8)
    parameters = read_json(tmp_path / "model" / "network.json")["parameters"]
    if head_parameters is None:  # flatten 3x3x2048, batch norm, two dense layers of 2 % of 1024 units
        head_parameters = 4 * 18432 + (18432 + 1) * 20 + (20 + 1) * 20 + (20 + 1) * 2
    assert parameters == 20_861_480 + head_parameters


def test_images_too_small_for_the_backbone_are_refused(pixels, weights, training, tmp_path):
    np.save(pixels / "images.npy", np.zeros((12, 70, 80, 3), np.uint8))
    with pytest.raises(ValueError, match=r"preprocess.size: expected at least 71 for xception, got 70x80\."):
        features.run("xception", FEATURES, training, pixels, weights, tmp_path / "out")
    assert not (tmp_path / "out").exists()
