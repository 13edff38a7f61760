import dataclasses
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from itertools import product
from types import SimpleNamespace

import keras
import numpy as np
import onnx
import pandas as pd
import pytest
from onnx.reference import ReferenceEvaluator

from stages.backbones.libraries import LIBRARIES, Architecture, make_backbone
from stages.backbones.onnx_file import open_network
from stages.backbones.weights import sha256_of
from stages.classifier import frozen_part
from stages.classifier import open_classifier as classifiers
from stages.core import params
from stages.core.files import sha256, write_json
from stages.core.terminal import command
from stages.export import __main__ as export_command
from stages.export import formats as exporting
from stages.export import onnx_join
from stages.export import run as export
from stages.export.novelty import with_novelty
from stages.networks.answer_limits import LIMITS, REFERENCES
from stages.networks.layer_graph import last_features
from stages.networks.layers import probabilities as last_layer
from stages.networks.layers import scaling_layer
from stages.networks.novelty import make_references, measure_novelty
from stages.networks.operations import leaves
from stages.training.hyperparams import read_settings
from stages.training.saving import save
from tests.catalog import NETWORKS, PADDLE, network_of
from tests.repositories import warm_environment

pytestmark = pytest.mark.usefixtures("tensors", "project")

CLASSES = ["cat", "dog", "owl"]
SHAPE = (16, 24, 3)
FACTS = {"network": "tiny", "classes": CLASSES}


def draw_images(draw, shape, number=12):
    return np.stack([np.asarray(draw(seed, (shape[1], shape[0]))) for seed in range(number)])


def decide(model, images):
    """The model, with random weights as it is, gives some image each class: its last layer is scaled and shifted."""
    layer = next(layer for layer in leaves(model) if layer.name == "probabilities")
    layer.activation = keras.activations.linear
    logits = np.asarray(model(images, training=False))
    layer.activation = keras.activations.softmax
    scale = 1 / (logits - logits.mean(axis=0)).std()
    layer.kernel.assign(layer.kernel * scale)
    layer.bias.assign(-scale * logits.mean(axis=0))
    return model


def tiny(shape=SHAPE, scaling="unit"):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(shape), scaling_layer(scaling)])
    model.add(keras.layers.Conv2D(4, 3, activation="relu"))
    model.add(keras.layers.Flatten())
    model.add(last_layer(3))
    return model


@pytest.fixture
def images(draw):
    return draw_images(draw, SHAPE)


@pytest.fixture
def data(tmp_path, images):
    """Folder of pixels and table of splits: 12 images, of which the last 7 are for testing."""
    return write_data(tmp_path, images)


def write_data(folder, images):
    pixels, split = folder / "pixels", folder / "split.csv"
    pixels.mkdir()
    np.save(pixels / "images.npy", images)
    table = pd.DataFrame({"image_id": [f"{i:064x}" for i in range(12)], "class": CLASSES * 4})
    table.to_csv(pixels / "index.csv", index=False)
    write_json({"size": list(images.shape[1:3]), "crop": "letterbox"}, pixels / "preprocessing.json")
    table.assign(split=["train"] * 3 + ["val"] * 2 + ["test"] * 7).to_csv(split, index=False)
    return pixels, split


def write_model(folder, model, name="vgg", shape=SHAPE, backbone=None):
    folder.mkdir(parents=True)
    save(model, folder / "model.keras")
    preprocessing = {"size": list(shape[:2]), "crop": "letterbox"}
    facts = {"network": name, "classes": CLASSES, "image_shape": list(shape), "preprocessing": preprocessing}
    write_json({**facts, "backbone": backbone or {}}, folder / "network.json")
    return folder


def open_model(folder):
    use = params.read(classifiers.Use, *classifiers.SECTIONS).model_copy(update={"threads": 1, "batch_size": 3})
    return classifiers.open_classifier(folder, folder.parent / "pretrained", use)


@pytest.fixture
def classifier(tmp_path, images):
    return open_model(write_model(tmp_path / "models" / "vgg", decide(tiny(), images)))


@pytest.fixture(scope="module")
def exported(tmp_path_factory, root, draw, tensors):
    """A classifier, images, and its file of each format."""
    folder, images = tmp_path_factory.mktemp("exported"), draw_images(draw, SHAPE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        classifier = open_model(write_model(folder / "models" / "vgg", decide(tiny(), images)))
    data = write_data(folder, images)
    for kind in exporting.FORMATS:
        export.run(kind, classifier, *data, folder / f"out.{kind}")
    files = {kind: (folder / f"out.{kind}").read_bytes() for kind in exporting.FORMATS}
    return SimpleNamespace(classifier=classifier, images=images, files=files)


def run_file(kind, content, images):
    return exporting.FORMATS[kind].open(content)(images.astype("float32"))["probabilities"]


# ------------------------------------------------------------------------------------------------- every network


def settings_of(name):
    settings = read_settings(name, network_of(name))
    return settings.model_copy(update={"width": 0.05})


# The others take up to a minute to convert, and consist of nothing but what these and `block` have.
CONVERTED = ("alexnet", "convnet", "peetznet", "vgg")
CASES = [
    pytest.param(name, kind, marks=pytest.mark.slow if (name, kind) != ("vgg", "onnx") else ())
    for name, kind in product(CONVERTED, exporting.FORMATS)
]


def block(shape):
    """A network with each kind of layer that the deep networks have, and their poolings."""

    def convolve(x, kernel):
        x = keras.layers.Conv2D(4, kernel, padding="same", use_bias=False)(x)
        return keras.layers.Activation("relu")(keras.layers.BatchNormalization(scale=False)(x))

    pixels = keras.Input(shape)
    x = convolve(scaling_layer("signed")(pixels), 3)
    pooled = keras.layers.AveragePooling2D(3, strides=1, padding="same")(x)
    x = keras.layers.Concatenate()([convolve(x, (1, 7)), convolve(x, (7, 1)), convolve(pooled, 1)])
    x = keras.layers.Add()([x, keras.layers.SeparableConv2D(12, 3, padding="same", use_bias=False)(x)])
    x = keras.layers.DepthwiseConv2D(3, strides=2, use_bias=False)(keras.layers.ZeroPadding2D(((0, 1), (0, 1)))(x))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.MaxPooling2D(3, strides=2)(x))
    return keras.Model(pixels, last_layer(3)(keras.layers.Dropout(0.3)(x)))


def kinds_of_layer(model):
    return {type(layer).__name__ for layer in leaves(model)}


@pytest.fixture(scope="module")
def network(request, root, draw):
    """A network, images that are not square, and what it says of them: each class of some."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        settings = settings_of(request.param)
    side = network_of(request.param).MIN_SIDE
    images = draw_images(draw, (side + 8, side, 3))
    keras.utils.set_random_seed(0)
    model = decide(network_of(request.param).build(images.shape[1:], 3, settings), images)
    return model, images, np.asarray(model(images, training=False))


@pytest.mark.parametrize(("network", "kind"), CASES, indirect=["network"])
def test_every_network_says_the_same_as_a_file(network, kind):
    model, images, expected = network
    _, predict = exporting.convert(exporting.in_32_bits(model), FACTS, kind)
    found = predict(images.astype("float32"))["probabilities"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=export.TOLERANCE)
    np.testing.assert_array_equal(found.argmax(axis=1), expected.argmax(axis=1))
    assert set(expected.argmax(axis=1)) == {0, 1, 2}


@pytest.mark.slow
@pytest.mark.parametrize("kind", exporting.FORMATS)
def test_a_block_of_deep_networks_says_the_same_as_a_file(kind, images):
    model = decide(block(SHAPE), images)
    _, predict = exporting.convert(model, FACTS, kind)
    np.testing.assert_allclose(
        predict(images.astype("float32"))["probabilities"],
        model(images, training=False),
        rtol=0,
        atol=export.TOLERANCE,
    )


@pytest.mark.slow
def test_all_other_networks_consist_of_what_is_converted():
    with keras.StatelessScope(initialize_variables=False):
        kinds = {name: kinds_of_layer(network_of(name).build((75, 75, 3), 3, settings_of(name))) for name in NETWORKS}
        converted = kinds_of_layer(block(SHAPE)).union(*(kinds[name] for name in CONVERTED))
    assert {name for name in kinds if kinds[name] - converted} == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scaling", "kind"),
    [("efficientnet_lite", "onnx"), ("imagenet_bgr", "onnx"), ("imagenet_bgr", "tflite")],
)
def test_the_scaling_of_pixels_is_in_the_file(scaling, kind, images):
    model = decide(tiny(scaling=scaling), images)
    _, predict = exporting.convert(model, FACTS, kind)
    found = predict(images.astype("float32"))["probabilities"]
    np.testing.assert_allclose(found, model(images, training=False), rtol=0, atol=export.TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize("kind", exporting.FORMATS)
def test_a_network_on_activations_is_exported_with_its_backbone(kind, images, data, tmp_path, monkeypatch):
    def make_mine(_, shape, __):
        pixels = keras.Input(shape)
        x = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3, activation="relu")(pixels))
        return keras.Model(pixels, keras.layers.MaxPooling2D()(x), name="mine")

    keras.utils.set_random_seed(0)
    monkeypatch.setitem(LIBRARIES, "mine", make_mine)
    row = Architecture(library="mine", architecture="mine", options={}, min_side=8)
    backbone = make_backbone("mine", row, SHAPE)
    (tmp_path / "pretrained" / "mine").mkdir(parents=True)
    backbone.save_weights(tmp_path / "pretrained" / "mine" / "backbone.weights.h5")
    facts = {"scaling": "signed", "trainable_layers": 0, "batch_size": 5, "sha256": sha256_of(backbone)}
    head = keras.Sequential([keras.Input(backbone.output_shape[1:]), keras.layers.Flatten(), last_layer(3)])
    decide(keras.Model(backbone.input, head(backbone(backbone.input))), images / 127.5 - 1)
    folder = write_model(tmp_path / "model", head, "mine", backbone=facts)
    monkeypatch.setattr(frozen_part, "read_architecture", {"mine": row}.__getitem__)
    classifier = open_model(folder)
    parity, _ = export.run(kind, classifier, *data, tmp_path / f"out.{kind}")
    found = run_file(kind, (tmp_path / f"out.{kind}").read_bytes(), images)
    expected = head.predict(backbone.predict(images / 127.5 - 1, verbose=0), verbose=0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=export.TOLERANCE)
    assert not parity.relabelled


@pytest.fixture
def on_a_file(tmp_path, draw, project):
    """A classifier of a head on an ONNX file, which params.yaml has, its images and its data."""
    shape, content = (32, 48, 3), PADDLE.read_bytes()
    images = draw_images(draw, shape)
    pin = hashlib.sha256(content).hexdigest()
    row = {"library": "onnx", "architecture": "Paddle", "options": {"output": "conv2d_53.tmp_0"}, "min_side": 32}
    project("pretrained.networks.vgg16", row | {"credit": "by somebody", "sha256": pin, "mirrors": ["file:a.onnx"]})
    (tmp_path / "pretrained" / "vgg16").mkdir(parents=True)
    (tmp_path / "pretrained" / "vgg16" / "backbone.onnx").write_bytes(content)
    facts = {"scaling": "imagenet_bgr", "trainable_layers": 0, "batch_size": 5, "sha256": pin, **row}
    head = keras.Sequential([keras.Input((16, 24, 8)), keras.layers.GlobalAveragePooling2D(), last_layer(3)])
    bgr = images[..., ::-1].astype(np.float32) - np.array([103.939, 116.779, 123.68], np.float32)
    rows = open_network(content, row["options"], shape, 1, "").features(bgr)
    decide(head, rows)
    folder = write_model(tmp_path / "model", head, "vgg16", shape, facts)
    (tmp_path / "data").mkdir()
    expected = np.asarray(head(rows))
    return SimpleNamespace(folder=folder, images=images, data=write_data(tmp_path / "data", images), expected=expected)


def test_a_head_on_an_onnx_file_answers_as_it_learned(on_a_file):
    found = open_model(on_a_file.folder).probabilities(on_a_file.images)
    np.testing.assert_allclose(found, on_a_file.expected, atol=1e-5)
    assert len(set(found.argmax(axis=1))) > 1


@pytest.mark.slow
def test_a_head_on_an_onnx_file_is_exported_with_it(on_a_file, tmp_path):
    target = tmp_path / "out.onnx"
    parity, _ = export.run("onnx", open_model(on_a_file.folder), *on_a_file.data, target)
    assert (parity.count, parity.relabelled) == (7, [])
    found = run_file("onnx", target.read_bytes(), on_a_file.images)
    np.testing.assert_allclose(found, on_a_file.expected, atol=export.TOLERANCE)
    (given,) = onnx.load(target).graph.input
    assert given.name == "images"
    with pytest.raises(ValueError, match=r"^--to tflite: expected layers .*, got: a backbone in an ONNX file, which"):
        export.run("tflite", open_model(on_a_file.folder), *on_a_file.data, tmp_path / "out.tflite")
    assert not (tmp_path / "out.tflite").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"takes_many": False}, "a backbone in an ONNX file that takes one image at a time"),
        ({}, "operations of version 11"),
    ],
)
def test_a_backbone_that_cannot_be_joined_is_refused(on_a_file, tmp_path, monkeypatch, changes, message):
    classifier = open_model(on_a_file.folder)
    layer = next(layer for layer in leaves(classifier.frozen) if hasattr(layer, "network"))
    layer.network = dataclasses.replace(layer.network, **changes)
    monkeypatch.setattr(onnx_join, "NEWEST", 10)
    with pytest.raises(ValueError, match=rf"--to onnx: expected layers that can be converted, got: .*{message}"):
        export.run("onnx", classifier, *on_a_file.data, tmp_path / "out.onnx")


@pytest.mark.parametrize("where", ["model", "pretrained/vgg16"])
def test_an_onnx_file_without_the_hash_of_params_yaml_is_not_run(on_a_file, tmp_path, monkeypatch, where):
    other = tmp_path / where / "backbone.onnx"
    other.write_bytes(PADDLE.read_bytes() + b" ")
    monkeypatch.setattr(frozen_part, "open_onnx", None)
    with pytest.raises(ValueError, match=r"backbone\.onnx: expected a file with SHA-256 [0-9a-f]{64}, got "):
        open_model(on_a_file.folder)


def test_an_onnx_file_that_only_the_model_vouches_for_is_not_run(on_a_file, tmp_path, monkeypatch, project):
    project("pretrained.networks.vgg16.sha256", "1" * 64)
    monkeypatch.setattr(frozen_part, "open_onnx", None)
    with pytest.raises(ValueError, match=r"backbone\.onnx: expected a file with SHA-256 1111"):
        open_model(on_a_file.folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "kind"),
    [("mixed_bfloat16", "onnx"), ("mixed_float16", "tflite")],
)
def test_a_network_of_mixed_precision_is_exported_in_32_bits_and_the_difference_told(policy, kind, data, tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    model = tiny()
    keras.config.set_dtype_policy(before)
    assert not exporting.is_mixed(tiny())
    classifier = open_model(write_model(tmp_path / "model", decide(model, np.load(data[0] / "images.npy"))))
    assert exporting.is_mixed(classifier.whole_model())
    parity, trained = export.run(kind, classifier, *data, tmp_path / f"out.{kind}")
    assert parity.largest < 1e-5 < trained.largest < 0.1
    assert exporting.is_mixed(classifier.whole_model())  # the copy alone was changed
    told = export.describe_export(tmp_path / f"out.{kind}", kind, classifier, parity, trained)
    assert "as it was trained, in 16 bits: the same label for" in told


# ---------------------------------------------------------------------------------------------------- the files


@pytest.mark.slow
def test_an_onnx_file_means_the_same_to_an_independent_runtime(exported):
    proto = onnx.load_model_from_string(exported.files["onnx"])
    onnx.checker.check_model(proto, full_check=True)
    [found] = ReferenceEvaluator(proto).run(None, {"images": exported.images.astype("float32")})
    expected = exported.classifier.probabilities(exported.images)
    np.testing.assert_allclose(found, expected, rtol=0, atol=export.TOLERANCE)


def test_an_onnx_file_says_what_it_takes_and_gives(exported):
    proto = onnx.load_model_from_string(exported.files["onnx"])
    facts = {prop.key: json.loads(prop.value) for prop in proto.metadata_props}
    assert facts == export.describe_network(exported.classifier.facts, None)
    assert facts["classes"] == CLASSES
    assert facts["preprocessing"] == {"size": [16, 24], "crop": "letterbox"}
    [taken], [given] = proto.graph.input, proto.graph.output
    shapes = [[dim.dim_param or dim.dim_value for dim in each.type.tensor_type.shape.dim] for each in (taken, given)]
    assert [taken.name, given.name] == ["images", "probabilities"]
    assert shapes == [["n", 16, 24, 3], ["n", 3]]


def test_a_tflite_file_ends_in_a_zip_archive_with_the_same_facts(exported):
    content = exported.files["tflite"]
    assert content[4:8] == b"TFL3"  # https://github.com/tensorflow/tensorflow: schema.fbs, file_identifier
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert json.loads(archive.read("network.json")) == export.describe_network(exported.classifier.facts, None)


@pytest.mark.parametrize("kind", exporting.FORMATS)
def test_a_file_takes_any_number_of_images(kind, exported):
    together = run_file(kind, exported.files[kind], exported.images)
    alone = np.concatenate([run_file(kind, exported.files[kind], image[None]) for image in exported.images])
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", exporting.FORMATS)
def test_the_printed_example_runs(kind, familiar, images, data, tmp_path):
    classifier, _ = familiar
    target = tmp_path / f"out.{kind}"
    told = export.describe_export(target, kind, classifier, *export.run(kind, classifier, *data, target))
    np.save(tmp_path / "images.npy", images.astype("float32"))
    lines = [line.removeprefix("    ") for line in told.splitlines() if line.startswith("    ")]
    script = ["import numpy", "images = numpy.load('images.npy')", *lines, "numpy.save('out.npy', probabilities)"]
    script.append("print(classes)")
    script.append("assert is_none_of_these.shape == (12,)")
    given = [sys.executable, "-c", "\n".join(script)]
    ran = subprocess.run(given, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout == f"{CLASSES}\n"
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), classifier.probabilities(images), rtol=0, atol=1e-4)


@pytest.fixture
def familiar(tmp_path, images):
    """A classifier that knows the features of nine images, all of which point nearly the same way, and a limit."""
    model = decide(tiny(), images)
    folder = write_model(tmp_path / "models" / "vgg", model)
    features = last_features(model)(images[:9].astype(np.float32)).numpy() + 10
    references = make_references(features)
    np.save(folder / REFERENCES, references)
    limits = {"model": sha256(folder / "model.keras"), "novelty": 0.5, "least_probability": 0.2}
    write_json(limits, folder / LIMITS)
    return open_model(folder), references


@pytest.mark.parametrize("kind", ["tflite", pytest.param("onnx", marks=pytest.mark.slow)])
def test_a_file_says_how_novel_an_image_is(familiar, images, data, tmp_path, kind):
    classifier, references = familiar
    target = tmp_path / f"out.{kind}"
    parities = export.run(kind, classifier, *data, target)
    said = exporting.FORMATS[kind].open(target.read_bytes())(images.astype("float32"))
    features = last_features(classifier.model)(images.astype(np.float32)).numpy()
    expected = measure_novelty(features, references)
    assert expected.std() > 1e-3
    assert {name: values.shape for name, values in said.items()} == {"probabilities": (12, 3), "novelty": (12,)}
    np.testing.assert_allclose(said["novelty"], expected, rtol=0, atol=1e-5)
    told = export.describe_export(target, kind, classifier, *parities)
    assert told.endswith('is_none_of_these = said["novelty"] > facts["most_novelty"]')
    facts = export.describe_network(classifier.facts, classifier.familiarity)
    assert (facts["most_novelty"], facts["least_probability"]) == (0.5, 0.2)


@pytest.mark.slow
def test_a_file_with_another_novelty_is_not_written(familiar, data, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "with_novelty", lambda model, references: with_novelty(model, references[:1]))
    with pytest.raises(ValueError, match=r"--to onnx: expected novelty within 0\.0001 .* got a difference of 0\."):
        export.run("onnx", familiar[0], *data, tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()


@pytest.mark.slow
def test_the_same_command_writes_the_same_bytes(classifier, data, tmp_path, root):
    arguments = ["vgg", "--to", "tflite", "--models", tmp_path / "models", "--pixels", data[0], "--split", data[1]]
    for file in ("first", "second"):
        given = ["python", "-m", "stages.export", *arguments, "--target", tmp_path / f"{file}.tflite"]
        subprocess.run(given, cwd=root, env=warm_environment(), capture_output=True, check=True)
    assert (tmp_path / "first.tflite").read_bytes() == (tmp_path / "second.tflite").read_bytes()


# --------------------------------------------------------------------------------------------------- the parity


@pytest.mark.slow
@pytest.mark.parametrize(("shift", "kind"), [(0.01, "onnx"), (np.nan, "tflite")])
def test_a_file_that_says_something_else_is_not_written(shift, kind, classifier, data, tmp_path, monkeypatch):
    def convert(model, facts, frozen):
        bias = next(layer for layer in leaves(model) if layer.name == "probabilities").bias
        bias.assign(bias + np.array([shift, 0, 0]))
        return whole.convert(model, facts, frozen)

    whole = exporting.FORMATS[kind]
    monkeypatch.setitem(exporting.FORMATS, kind, dataclasses.replace(whole, convert=convert))
    found = r"nan" if np.isnan(shift) else r"0\.00\d+"
    with pytest.raises(ValueError, match=rf"within 0\.0001 .* on 7 test images, got a difference of {found}; nothing"):
        export.run(kind, classifier, *data, tmp_path / "exports" / f"out.{kind}")
    assert not (tmp_path / "exports").exists()


def test_a_tie_is_told_with_its_image():
    ids = ["a" * 64, "b" * 64, "c" * 64]
    reference = np.array([[0.6, 0.4], [0.50002, 0.49998], [0.5, 0.5]])
    found = np.array([[0.6, 0.4], [0.49998, 0.50002], [0.5, 0.5]])
    parity = export.measure_parity(reference, found, ids)
    assert parity == export.Parity(3, pytest.approx(4e-5), ["b" * 64])
    assert export.describe_parity(parity) == (
        f"the same label for 2 of 3 test images, but not {'b' * 16}; probabilities differ by 4.0e-05 at most"
    )


def test_only_test_images_count(exported, images, data):
    found, image_ids = export.read_test(*data, exported.classifier)
    np.testing.assert_array_equal(found, images[5:])
    assert image_ids == [f"{i:064x}" for i in range(5, 12)]


# ---------------------------------------------------------------------------------------------------- bad input


def rewrite(path, **columns):
    pd.read_csv(path).assign(**columns).to_csv(path, index=False)


def test_test_images_of_other_classes_are_refused(exported, data):
    rewrite(data[1], **{"class": ["cat", "dog"] * 6})
    with pytest.raises(ValueError, match=r"split\.csv: expected the network's classes cat, dog, owl, got cat, dog\."):
        export.read_test(*data, exported.classifier)


def test_images_of_another_size_are_refused(exported, data):
    np.save(data[0] / "images.npy", np.zeros((12, 24, 16, 3), np.uint8))
    with pytest.raises(ValueError, match=r"pixels: expected images of 16x24x3, .* got 24x16x3\."):
        export.read_test(*data, exported.classifier)


def test_a_split_without_test_images_is_refused(exported, data):
    rewrite(data[1], split="train")
    with pytest.raises(ValueError, match=r"expected test images to check the file on, got none\."):
        export.read_test(*data, exported.classifier)


def test_a_network_beyond_the_formats_limit_is_refused(monkeypatch):
    size = 4 * tiny().count_params()
    monkeypatch.setattr(exporting, "MAX_BYTES", size)
    with pytest.raises(ValueError, match=rf"--to onnx: expected weights under {size:,} bytes, got {size:,}\."):
        exporting.convert(tiny(), FACTS, "onnx")
    monkeypatch.setattr(exporting, "MAX_BYTES", size + 1)
    exporting.check_size(size, "onnx")


def test_a_network_that_takes_more_memory_than_there_is_is_refused(monkeypatch):
    there = {"SC_PHYS_PAGES": 4_100_000, "SC_PAGE_SIZE": 4_000}
    monkeypatch.setattr(exporting.os, "sysconf", there.get)
    exporting.check_size(400_000_000, "onnx")
    exporting.check_size(1_000_000_000, "tflite")
    for size, needed in ((400_000_001, 16), (1_000_000_000, 41)):
        with pytest.raises(ValueError, match=rf"--to onnx: expected {needed} GB of memory to convert it, got 16\."):
            exporting.check_size(size, "onnx")


@pytest.mark.parametrize("kind", exporting.FORMATS)
def test_a_layer_that_no_file_can_hold_is_one_line(kind):
    pixels = keras.Input(SHAPE)
    model = keras.Model(pixels, keras.ops.erfinv(keras.layers.Flatten()(pixels)))
    with pytest.raises(ValueError, match=rf"--to {kind}: expected layers that can be converted, got: ") as caught:
        exporting.convert(model, FACTS, kind)
    assert len(str(caught.value).splitlines()) == 1


def test_an_unknown_network_is_one_line(classifier, monkeypatch):
    assert main(monkeypatch, "resnet", "--to", "onnx", "--models", "models") == (
        "resnet: expected the folder of a model or a trained network (vgg), got neither."
    )


def main(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["stages.export", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        command(export_command.main)
    return str(caught.value)


def test_missing_packages_and_wrong_endings_are_one_line(monkeypatch):
    monkeypatch.setattr(export, "find_spec", lambda package: None if package == "tf2onnx" else "found")
    assert main(monkeypatch, "vgg", "--to", "onnx") == (
        "--to onnx: expected the packages of requirements.txt, got no tf2onnx."
    )
    assert main(monkeypatch, "vgg", "--to", "tflite", "--target", "vgg.onnx") == (
        "--target: expected a file that ends in .tflite, got vgg.onnx."
    )


def test_a_model_that_is_gone_is_one_line(classifier, data, tmp_path, project, monkeypatch):
    project("evaluate.threads", 1)
    (tmp_path / "models" / "vgg" / "model.keras").unlink()
    told = main(monkeypatch, "vgg", "--to", "onnx", "--models", "models", "--pixels", data[0], "--split", data[1])
    assert told.endswith("models/vgg/model.keras: expected a model's file, got no such file.")
    assert not (tmp_path / "exports").exists()


def test_the_command_writes_where_it_says(classifier, data, tmp_path, project, monkeypatch, capsys):
    project("evaluate.threads", 1)
    options = ["--models", "models", "--pixels", data[0], "--split", data[1]]
    monkeypatch.setattr(sys, "argv", ["stages.export", "vgg", "--to", "onnx", *map(str, options)])
    export_command.main()
    assert (tmp_path / "exports" / "vgg.onnx").is_file()
    told = capsys.readouterr().out
    assert told.startswith("exports/vgg.onnx: 0.0 MB, vgg for cat, dog, owl\n")
    assert "the same label for 7 of 7 test images; probabilities differ by " in told


def test_the_images_to_check_with_are_those_of_the_networks_size(tmp_path):
    for name, side in (("pixels", 8), ("inputs/large", 16), ("inputs/small", 4)):
        (tmp_path / name).mkdir(parents=True)
        np.save(tmp_path / name / "images.npy", np.zeros((1, side, side, 3), np.uint8))
        (tmp_path / name / "index.csv").write_text("image_id\na\n")
        write_json({"size": [side, side], "crop": "none"}, tmp_path / name / "preprocessing.json")
    for side, name in ((8, "pixels"), (4, "inputs/small"), (16, "inputs/large"), (32, "pixels")):
        facts = SimpleNamespace(image_shape=[side, side, 3])
        assert export.find_pixels(tmp_path / "pixels", tmp_path / "inputs", facts) == tmp_path / name
    assert export.find_pixels(tmp_path / "pixels", tmp_path / "none", SimpleNamespace(image_shape=[4, 4, 3])).exists()
