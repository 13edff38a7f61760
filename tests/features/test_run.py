import hashlib

import keras
import numpy as np
import pandas as pd
import pytest

from stages.backbones.onnx_costs import count_multiply_adds
from stages.backbones.onnx_file import open_network
from stages.core.files import read_json, write_json
from stages.core.tables import read_table
from stages.features import run as features
from stages.features.activations import Boundary, Features, Job
from stages.models import xception
from stages.networks.inputs import read_inputs
from stages.networks.layers import scaling_layer
from stages.pretrained import run as pretrained
from stages.train import run as train
from stages.train.timing import speeds
from stages.training.hyperparams import read_settings
from stages.transforms.affine import Augmentation, augment
from tests.catalog import PADDLE, make, make_whole, row_of

pytestmark = pytest.mark.usefixtures("tensors", "tiny_networks")

NAME, SIDE = "tiny_transfer", 8

FEATURES = Features(batch_size=5, threads=1, views=0, augmentation="none", seed=0)


def write_weights(name, folder):
    """Write random weights as the step `pretrained` does."""
    source = pretrained.Source(credit="by somebody", sha256="0" * 64, mirrors=["random"], **row_of(name))
    pretrained.run(name, pretrained.Pretrained(allow_random=True, seed=0, networks={name: source}), folder)
    return folder


def load_backbone(weights, name=NAME, side=SIDE):
    backbone = make(name, (side, side, 3))
    backbone.load_weights(weights / "backbone.weights.h5")
    return backbone


@pytest.fixture
def weights(tmp_path, tiny_networks):
    return write_weights(NAME, tmp_path / "weights")


def random_images(side):
    return np.random.default_rng(0).integers(0, 256, (12, side, side, 3), dtype=np.uint8)


@pytest.fixture
def pixels(tmp_path):
    folder = tmp_path / "pixels"
    folder.mkdir()
    np.save(folder / "images.npy", random_images(SIDE))
    table = pd.DataFrame({"image_id": [f"{i:064x}" for i in range(12)], "class": ["a", "b"] * 6})
    table.to_csv(folder / "index.csv", index=False)
    write_json({"size": [SIDE, SIDE], "crop": "none"}, folder / "preprocessing.json")
    table.assign(split=["train"] * 6 + ["val"] * 3 + ["test"] * 3).to_csv(tmp_path / "split.csv", index=False)
    return folder


@pytest.fixture
def training(project):
    return read_settings("xception", xception)


@pytest.fixture
def job(pixels, weights):
    boundary = Boundary(scaling="signed", trainable_layers=0)
    return Job(NAME, FEATURES, boundary, Augmentation(), pixels, weights)


def with_tail(job):
    return job._replace(boundary=Boundary(scaling="signed", trainable_layers=3))


@pytest.mark.parametrize(
    ("name", "side", "parameters"),
    [(NAME, SIDE, 512), pytest.param("xception", 71, 20_861_480, marks=pytest.mark.slow)],
)
def test_activations_are_those_of_the_whole_model(pixels, job, tmp_path, name, side, parameters):
    np.save(pixels / "images.npy", random_images(side))
    weights = write_weights(name, tmp_path / "its_weights")
    features.run(job._replace(network=name, weights=weights), tmp_path / "out")
    expected = load_backbone(weights, name, side)(scaling_layer("signed")(random_images(side)), training=False)
    np.testing.assert_allclose(np.load(tmp_path / "out" / "features.npy"), expected, rtol=1e-4, atol=1e-5)
    facts = read_json(tmp_path / "out" / "backbone.json")
    assert facts["frozen_parameters"] == parameters
    assert facts["pretrained"] is False
    assert (tmp_path / "out" / "index.csv").read_bytes() == (pixels / "index.csv").read_bytes()


def test_activations_and_head_are_the_whole_network(pixels, weights, job, training, tmp_path):
    features.run(job, tmp_path / "out")
    whole = make_whole(NAME, (SIDE, SIDE, 3), 2, training)
    whole.get_layer(NAME).load_weights(weights / "backbone.weights.h5")
    probabilities = whole.get_layer("linear_head")(np.load(tmp_path / "out" / "features.npy"), training=False)
    expected = np.asarray(whole(np.load(pixels / "images.npy"), training=False))
    assert expected.std(axis=0).min() > 0  # if not, any activations would pass
    np.testing.assert_allclose(probabilities, expected, rtol=0, atol=1e-5)


# The head `dense` flattens (2, 2, 16), normalises the batch, and has two dense layers of 2 % of 1024 units.
@pytest.mark.parametrize(
    ("head", "head_parameters"),
    [
        pytest.param("linear", 2 * 16 + 2, marks=pytest.mark.slow),
        pytest.param("dense", 4 * 64 + (64 + 1) * 20 + (20 + 1) * 20 + (20 + 1) * 2, marks=pytest.mark.slow),
    ],
)
def test_a_tail_goes_on_from_the_pretrained_weights(weights, job, training, tmp_path, head, head_parameters):
    partly = training.model_copy(
        update={"trainable_layers": 3, "epochs": 1, "threads": 1, "learning_rate": 1e-12, "head": head, "width": 0.02}
    )
    features.run(with_tail(job), tmp_path / "out")
    train.run(
        NAME,
        NAME,
        partly,
        Augmentation(),
        tmp_path / "out",
        tmp_path / "split.csv",
        tmp_path / "model",
        tmp_path / "live",
    )
    model = keras.models.load_model(tmp_path / "model" / "model.keras", compile=False)
    tail = model.get_layer(f"{NAME}_tail")
    kernel = load_backbone(weights).get_layer("last_conv").get_weights()[0]
    np.testing.assert_allclose(tail.get_layer("last_conv").get_weights()[0], kernel, atol=1e-8)
    parameters = read_json(tmp_path / "model" / "network.json")["parameters"]
    assert parameters == 512 + head_parameters


def test_a_backbone_in_an_onnx_file_gives_activations_like_any_other(pixels, job, tmp_path):
    np.save(pixels / "images.npy", random_images(32))
    content = PADDLE.read_bytes()
    row = {"library": "onnx", "architecture": "Paddle", "options": {}, "min_side": 32}
    sha256 = hashlib.sha256(content).hexdigest()
    source = pretrained.Source(credit="by somebody", sha256=sha256, mirrors=[f"file:{PADDLE}"], **row)
    settings = pretrained.Pretrained(allow_random=False, seed=0, networks={NAME: source})
    pretrained.run(NAME, settings, tmp_path / "onnx")
    features.run(job._replace(weights=tmp_path / "onnx"), tmp_path / "out")
    network = open_network(content, {}, (32, 32, 3), 1, "")
    expected = network.features(random_images(32) / 127.5 - 1)
    np.testing.assert_allclose(np.load(tmp_path / "out" / "features.npy"), expected, atol=1e-4)
    facts = read_json(tmp_path / "out" / "backbone.json")
    assert (facts["library"], facts["sha256"], facts["pretrained"]) == ("onnx", sha256, True)
    assert (facts["frozen_parameters"], facts["frozen_multiply_adds"]) == (1190, count_multiply_adds(network))
    assert np.load(tmp_path / "out" / "filters.npy").shape == (3, 3, 3, 8)
    model = keras.Sequential([keras.Input(expected.shape[1:]), keras.layers.GlobalAveragePooling2D()])
    assert speeds({"backbone": facts, "image_shape": [32, 32, 3]}, model, tmp_path / "out")["1"] > 0


def test_images_too_small_for_the_backbone_are_refused(pixels, job, tmp_path):
    np.save(pixels / "images.npy", np.zeros((12, 70, 80, 3), np.uint8))
    facts = job.weights / "weights.json"
    write_json(read_json(facts) | {"min_side": 71}, facts)
    with pytest.raises(ValueError, match=rf"preprocess.size: expected at least 71 for {NAME}, got 70x80\."):
        features.run(job, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_views_are_the_activations_of_augmented_images(pixels, job, tmp_path):
    seen = FEATURES.model_copy(update={"views": 2})
    amounts = Augmentation(rotation=30)
    features.run(job._replace(settings=seen, amounts=amounts), tmp_path / "out")
    views = np.load(tmp_path / "out" / "views.npy")
    assert views.shape == (2, *np.load(tmp_path / "out" / "features.npy").shape)
    changed = np.stack([
        augment(image, amounts, np.random.default_rng([0, 1, row]))
        for row, image in enumerate(np.load(pixels / "images.npy"))
    ])  # fmt: skip
    np.save(pixels / "images.npy", changed)
    features.run(job, tmp_path / "second")
    np.testing.assert_allclose(views[1], np.load(tmp_path / "second" / "features.npy"), rtol=1e-4, atol=1e-6)
    assert read_inputs(tmp_path / "out").views.shape == views.shape


def test_views_of_mixed_images_are_refused(job, tmp_path):
    with pytest.raises(ValueError, match=r"features.augmentation: expected one that mixes no images, got none\."):
        features.run(job._replace(amounts=Augmentation(mixup=0.2)), tmp_path / "out")


def test_views_that_would_all_be_the_same_are_refused(job, tmp_path):
    seen = FEATURES.model_copy(update={"views": 2})
    with pytest.raises(ValueError, match=r"features.augmentation: expected one that changes the 2 views, got none\."):
        features.run(job._replace(settings=seen), tmp_path / "out")


@pytest.mark.slow
def test_fine_tuning_leaves_the_tail_alone_first_and_its_batch_statistics_always(weights, job, training, tmp_path):
    features.run(with_tail(job), tmp_path / "out")
    changes = {"trainable_layers": 3, "threads": 1, "epochs": 1, "learning_rate": 1e-2, "monitor": "val_loss"}
    tails = {}
    for epochs, rate in ((0, 1e-2), (1, 1e-12), (1, 1e-2)):
        tuned = training.model_copy(update=changes | {"fine_tuning_epochs": epochs, "fine_tuning_rate": rate})
        folder = tmp_path / f"{epochs}-{rate}"
        train.run(
            NAME, NAME, tuned, Augmentation(), tmp_path / "out", tmp_path / "split.csv", folder, tmp_path / "live"
        )
        history = read_table(folder / "history.csv")
        assert history["epoch"].astype(int).max() == 1 + epochs
        model = keras.models.load_model(folder / "model.keras", compile=False)
        tails[epochs, rate] = model.get_layer(f"{NAME}_tail")
        if epochs:
            assert history["learning_rate"].astype(float).tolist() == [1e-2, 1e-2, rate, rate]
    original = load_backbone(weights)

    def kernel(model):
        return model.get_layer("last_conv").get_weights()[0]

    def statistics(model):
        return [model.get_layer("last_bn").get_weights()[i] for i in (2, 3)]

    assert abs(kernel(tails[0, 1e-2]) - kernel(original)).max() > 1e-3
    np.testing.assert_allclose(kernel(tails[1, 1e-12]), kernel(original), atol=1e-8)
    for tail in tails.values():
        for ours, theirs in zip(statistics(tail), statistics(original), strict=True):
            np.testing.assert_array_equal(ours, theirs)
