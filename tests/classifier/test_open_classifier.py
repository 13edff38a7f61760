import dataclasses
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from stages import champion, models, preprocess
from stages.backbones.weights import sha256_of
from stages.classifier.model_facts import find_model, read_facts
from stages.classifier.open_classifier import SECTIONS, Use, open_classifier
from stages.core import params
from stages.core.files import read_json, write_json
from stages.core.tables import read_table
from stages.evaluate import run as evaluate
from stages.features import run as features
from stages.features.activations import Boundary, Features, Job
from stages.images.opening import UnusableImage
from stages.networks.operations import count_multiply_adds
from stages.pretrained import run as pretrained
from stages.train import run as train
from stages.training.hyperparams import read_settings
from stages.transforms.affine import Augmentation
from tests.catalog import TINY, make

pytestmark = pytest.mark.usefixtures("tensors", "tiny_networks")

CLASSES = ["cat", "dog", "owl"]
SIDE = 40
N = 18  # no multiple of any batch size below


def save_oddly(image, number, path):
    """The image in one of many forms: modes, orientations, sizes of all kinds."""
    forms = ("png", "jpg", "gif", "webp", "bmp", "tif")
    name = path.with_suffix(f".{forms[number % len(forms)]}")
    if number % 6 == 0:
        image.putalpha(image.convert("L"))
    exif = Image.Exif()
    exif[0x0112] = 1 + number % 8
    image.save(name, **({"exif": exif, "quality": 90} if number % 6 in (1, 3) else {}))
    return name


def write_data(folder, draw):
    """Raw images and the table of those that were kept, as `clean` leaves it."""
    rows = []
    for number in range(N):
        class_ = CLASSES[number % 3]
        (folder / "raw" / class_).mkdir(parents=True, exist_ok=True)
        image = draw(number, (90 + 61 * (number % 5), 240 - 17 * number // 2))
        file = save_oddly(image, number, folder / "raw" / class_ / str(number))
        rows.append({"image_id": f"{number:064x}", "class": class_, "file": str(file.relative_to(folder / "raw"))})
    pd.DataFrame(rows).assign(group=range(N), source_id="").to_csv(folder / "kept.csv", index=False)
    splits = ["train"] * 9 + ["val"] * 4 + ["test"] * 5
    table = pd.DataFrame(rows)[["image_id", "class"]].assign(group=range(N), split=splits)
    table.to_csv(folder / "split.csv", index=False)


def read_training(name):
    return read_settings({"tiny": "vgg", "tiny_transfer": "xception"}[name], models.load(name))


def run_train(folder, name, source, **changes):
    settings = read_training(name)
    settings = settings.model_copy(update={"threads": 1, "epochs": 1, "batch_size": 4, "width": 0.05, **changes})
    train.run(
        name, name, settings, Augmentation(), source, folder / "split.csv", folder / "models" / name, folder / "live"
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory, tiny_networks, root, draw):
    """The pipeline's folders, from images to the predictions of one network fed pixels and one fed activations."""
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        write_data(folder, draw)
        settings = params.read(preprocess.Preprocess, "preprocess").model_copy(update={"size": [SIDE, SIDE]})
        preprocess.run(settings, folder / "raw", folder / "kept.csv", folder / "pixels")
        run_train(folder, "tiny", folder / "pixels")
        source = pretrained.Source(credit="by somebody", sha256="0" * 64, mirrors=["random"], **TINY)
        settings = pretrained.Pretrained(allow_random=True, seed=0, networks={"tiny_transfer": source})
        pretrained.run("tiny_transfer", settings, folder / "pretrained" / "tiny_transfer")
        settings = Features(batch_size=5, threads=1, views=0, augmentation="none", seed=0)
        boundary = Boundary(scaling=read_training("tiny_transfer").scaling, trainable_layers=3)
        weights = folder / "pretrained" / "tiny_transfer"
        job = Job("tiny_transfer", settings, boundary, Augmentation(), folder / "pixels", weights)
        features.run(job, folder / "features")
        run_train(folder, "tiny_transfer", folder / "features", trainable_layers=3, head="dense", width=0.01)
        settings = params.read(evaluate.Evaluate, "evaluate")
        settings = settings.model_copy(update={"batch_size": 7, "threads": 1, "draws": 100})
        for name, source in (("tiny", "pixels"), ("tiny_transfer", "features")):
            evaluate.run(
                settings, folder / source, folder / "split.csv", folder / "models" / name, folder / "evaluated" / name
            )
        use = params.read(Use, *SECTIONS).model_copy(update={"batch_size": 7, "threads": 1})
    index = read_table(folder / "pixels" / "index.csv")
    files = [folder / "raw" / file for file in index["file"]]
    return SimpleNamespace(folder=folder, use=use, files=files)


def open_model(study, name):
    return open_classifier(study.folder / "models" / name, study.folder / "pretrained", study.use)


@pytest.fixture(scope="module", params=["tiny", "tiny_transfer"])
def case(request, study):
    """A network's name, its classifier, and the pixels of all files."""
    classifier = open_model(study, request.param)
    return request.param, classifier, np.stack([classifier.read(file) for file in study.files])


# --- as in training and evaluation


def test_a_file_is_read_with_the_very_bits_that_the_network_was_trained_on(study, case):
    _, classifier, pixels = case
    np.testing.assert_array_equal(pixels, np.load(study.folder / "pixels" / "images.npy"))
    sent = classifier.read_bytes(study.files[0].read_bytes())
    np.testing.assert_array_equal(sent, pixels[0])


def test_what_the_model_is_fed_has_the_very_bits_that_it_was_trained_on(study, case):
    name, classifier, pixels = case
    source = {"tiny": "pixels/images.npy", "tiny_transfer": "features/features.npy"}[name]
    np.testing.assert_array_equal(classifier.rows(pixels), np.load(study.folder / source))


def test_the_probabilities_of_all_files_are_those_of_predictions_csv(study, case):
    name, classifier, pixels = case
    table = read_table(study.folder / "evaluated" / name / "predictions.csv")
    probabilities = classifier.probabilities(pixels)
    assert classifier.classes == CLASSES
    for number, class_ in enumerate(CLASSES):
        assert [str(each) for each in probabilities[:, number].round(6)] == list(table[f"p_{class_}"])
    assert [CLASSES[i] for i in probabilities.argmax(axis=1)] == list(table["predicted"])
    assert table["p_cat"].nunique() > N / 2  # or else one answer would do for all


def test_an_image_has_the_same_bits_alone_and_among_others(case):
    _, classifier, pixels = case
    together = classifier.probabilities(pixels)
    np.testing.assert_array_equal(classifier.probabilities(pixels[:1])[0], together[0])
    np.testing.assert_array_equal(classifier.probabilities(pixels[: N - 1]), together[: N - 1])
    np.testing.assert_allclose(classifier.probabilities(pixels[::-1])[::-1], together, atol=1e-5)
    assert classifier.probabilities(pixels[:0]).shape == (0, 3)


def test_the_whole_model_takes_images_and_says_the_same(case):
    name, classifier, pixels = case
    whole = classifier.whole_model()
    assert (whole.input_shape, whole.output_shape) == ((None, SIDE, SIDE, 3), (None, 3))
    found = whole.predict(pixels, batch_size=7, verbose=0)
    np.testing.assert_allclose(found, classifier.probabilities(pixels), rtol=0, atol=1e-5)
    parts = [classifier.model, *([] if classifier.frozen is None else [classifier.frozen])]
    assert count_multiply_adds(whole) == sum(map(count_multiply_adds, parts))
    assert whole.count_params() == sum(part.count_params() for part in parts)
    assert (classifier.frozen is None) == (name == "tiny")


@pytest.mark.slow
def test_the_champion_needs_nothing_but_its_folder(study, tmp_path):
    write_json({"champion": "tiny_transfer"}, tmp_path / "summary.json")
    folder = tmp_path / "champion"
    kept = read_table(study.folder / "kept.csv").assign(phash="0" * 16)
    kept.to_csv(tmp_path / "kept.csv", index=False)
    tables = tmp_path / "kept.csv", study.folder / "split.csv"
    folders = (study.folder / name for name in ("models", "pretrained", "evaluated"))
    champion.run(tmp_path / "summary.json", *folders, *tables, folder)
    classifier = open_classifier(folder, tmp_path / "nothing here", study.use)
    assert classifier.familiarity is not None
    assert open_model(study, "tiny_transfer").familiarity is None  # without the folder of its evaluation
    pixels = classifier.read(study.files[0])[np.newaxis]
    expected = open_model(study, "tiny_transfer").probabilities(pixels)
    np.testing.assert_array_equal(classifier.probabilities(pixels), expected)


def test_use_is_what_the_pipeline_evaluates_with(project):
    use = params.read(Use, *SECTIONS)
    evaluation = params.read(evaluate.Evaluate, "evaluate")
    assert (use.batch_size, use.threads) == (evaluation.batch_size, evaluation.threads)
    project("evaluate.batch_size", 0)
    with pytest.raises(ValueError, match=r"params\.yaml evaluate\.batch_size: expected a number >= 1, got 0\."):
        params.read(Use, *SECTIONS)


# --- no images


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "unreadable: cannot identify image file"),
        (b"hello", "unreadable: cannot identify image file"),
        (b"<!DOCTYPE html><title>404</title>", "wrong type: an HTML page"),
        (b"%PDF-1.7", "wrong type: a PDF"),
    ],
)
def test_what_is_no_image_is_named_without_its_path(case, tmp_path, content, message):
    path = tmp_path / "image.png"
    path.write_bytes(content)
    for read in (lambda: case[1].read(path), lambda: case[1].read_bytes(content)):
        with pytest.raises(UnusableImage) as caught:
            read()
        assert str(caught.value) == message


def test_an_image_cut_off_is_named(case, tmp_path, draw):
    path = tmp_path / "image.jpg"
    draw(0, (300, 200)).save(path)
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(UnusableImage, match=r"^truncated: "):
        case[1].read(path)


def test_an_image_is_refused_by_its_header_where_clean_would_refuse_it(study, case, tmp_path):
    use = study.use.model_copy(update={"max_megapixels": 0.05})
    classifier = dataclasses.replace(case[1], use=use)
    path = tmp_path / "image.png"
    Image.new("1", (500, 100)).save(path)
    assert classifier.read(path).shape == (SIDE, SIDE, 3)
    Image.new("1", (501, 100)).save(path)
    with pytest.raises(UnusableImage, match=r"^too large: 501x100, expected at most 0\.05 megapixels$"):
        classifier.read(path)


def test_a_file_that_is_not_there_is_an_error(case, tmp_path):
    with pytest.raises(FileNotFoundError):
        case[1].read(tmp_path / "none.png")


# --- folders that are no model


@pytest.fixture
def copy(study, tmp_path):
    """Copy a network's folder, and change what its network.json says; `None` takes a key away."""

    def copy(name, **changes):
        folder = tmp_path / "model"
        shutil.copytree(study.folder / "models" / name, folder)
        facts = read_json(folder / "network.json") | changes
        write_json({key: value for key, value in facts.items() if value is not None}, folder / "network.json")
        return folder

    return copy


def fail(study, folder, message, error=ValueError):
    with pytest.raises(error, match=message) as caught:
        open_classifier(folder, study.folder / "pretrained", study.use)
    assert "\n" not in str(caught.value)


def test_a_copy_of_the_model_opens(study, copy):
    folder = copy("tiny")
    assert open_classifier(folder, study.folder / "pretrained", study.use).classes == CLASSES


def test_a_folder_without_a_model_is_named(study, copy, tmp_path):
    fail(
        study,
        tmp_path / "none",
        "none: expected the folder of a trained network, got no network.json",
        FileNotFoundError,
    )
    folder = copy("tiny")
    (folder / "model.keras").unlink()
    fail(study, folder, r"model\.keras: expected a model's file, got no such file\.", FileNotFoundError)


def test_a_model_of_other_classes_than_its_facts_say_is_refused(study, copy):
    fail(
        study,
        copy("tiny", classes=["cat", "dog"]),
        "expected a model of the classes cat, dog of network.json, got one of 3.",
    )


def test_classes_that_would_steer_a_terminal_are_shown_without(study, copy):
    fail(study, copy("tiny", classes=["\x1b[2J", "dog"]), r"the classes \N{REPLACEMENT CHARACTER}\[2J, dog of")


def test_a_network_that_gives_no_numbers_says_nothing(study):
    classifier = open_model(study, "tiny")
    classifier.model.set_weights([np.full_like(each, np.nan) for each in classifier.model.get_weights()])
    with pytest.raises(ValueError, match=r"tiny: expected probabilities, got some that are no numbers\."):
        classifier.probabilities(np.zeros((1, *classifier.facts.image_shape), np.uint8))


def test_a_model_of_another_size_than_its_facts_say_is_refused(study, copy):
    facts = {"image_shape": [80, 40, 3], "preprocessing": {"size": [80, 40], "crop": "none"}}
    fail(study, copy("tiny", **facts), r"expected a model of \(80, 40, 3\), as network\.json says, got one of ")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preprocessing": None}, "network.json preprocessing: expected a value, got nothing."),
        ({"backbone": None}, "network.json backbone: expected a value, got nothing."),
        ({"classes": "cat"}, "network.json classes: expected a list, got 'cat'."),
        ({"classes": [1]}, "network.json classes.0: expected a text, got 1."),
        ({"image_shape": [40, 40]}, "network.json image_shape: expected at least 3 of them, got [40, 40]."),
        ({"image_shape": [10**6, 40, 3]}, "network.json image_shape.0: expected a number <= 4096, got 1000000."),
        ({"image_shape": [40, 41, 3]}, "expected image_shape [40, 40, 3], got [40, 41, 3]."),
        (
            {"preprocessing": {"size": [40, 40], "crop": "round"}},
            "network.json preprocessing.crop: expected ",
        ),
        ({"preprocessing": {"size": [40, 40], "crop": "face"}}, "expected a table `face` for crop: face, got none."),
        ({"backbone": {"scaling": "unit"}}, "network.json backbone.trainable_layers: expected a value, got nothing."),
        ({"network": "../vgg"}, "network.json network: expected a text of the pattern "),
        ({"network": "\x1b[2J"}, "network.json network: expected a text of the pattern "),
        (
            {"backbone": {"scaling": "unit", "trainable_layers": 0, "batch_size": 10**9, "sha256": ""}},
            "network.json backbone.batch_size: expected a number <= 4096, got 1000000000.",
        ),
        (
            {"backbone": {"scaling": "unit", "trainable_layers": 0, "batch_size": 8, "sha256": ""}},
            "params.yaml pretrained.networks.tiny: expected a table of params, got none.",
        ),
    ],
)
def test_facts_that_cannot_be_are_named(study, copy, changes, message, root, monkeypatch):
    monkeypatch.chdir(root)
    with pytest.raises(ValueError) as caught:
        open_classifier(copy("tiny", **changes), study.folder / "pretrained", study.use)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", "[]", "[" * 100_000, "\0", "\xff"])
def test_facts_that_are_no_json_are_named(tmp_path, content):
    (tmp_path / "network.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match=r"network\.json: expected (JSON|an object), got "):
        read_facts(tmp_path)


def test_a_backbone_with_other_weights_is_refused(study, copy):
    folder = copy("tiny_transfer")
    backbone = make("tiny_transfer", (SIDE, SIDE, 3))
    backbone.set_weights([each + 1 for each in backbone.get_weights()])
    backbone.save_weights(folder / "backbone.weights.h5")
    trained = read_json(folder / "network.json")["backbone"]["sha256"]
    message = rf"model/backbone\.weights\.h5: expected tensors with SHA-256 {trained}, got {sha256_of(backbone)}\."
    fail(study, folder, message)


@pytest.mark.parametrize(("key", "value"), [("options", {"activation": "gelu"}), ("library", "keras")])
def test_a_backbone_that_params_yaml_builds_otherwise_is_refused(study, copy, key, value):
    facts = read_json(study.folder / "models" / "tiny_transfer" / "network.json")
    folder = copy("tiny_transfer", backbone=facts["backbone"] | {key: value})
    fail(study, folder, rf"network\.json backbone\.{key}: expected that of params\.yaml .*tiny_transfer, .*, got ")


def test_a_model_of_an_earlier_version_opens_although_it_does_not_say_how_its_backbone_is_built(study, copy):
    facts = read_json(study.folder / "models" / "tiny_transfer" / "network.json")
    old = {key: value for key, value in facts["backbone"].items() if key not in TINY}
    folder = copy("tiny_transfer", backbone=old)
    assert open_classifier(folder, study.folder / "pretrained", study.use).classes == CLASSES


def test_a_missing_backbone_is_named(study, copy, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none/tiny_transfer/backbone\.weights\.h5: expected a model's file"):
        open_classifier(copy("tiny_transfer"), tmp_path / "none", study.use)


def test_activations_of_other_layers_are_refused(study, copy):
    facts = read_json(study.folder / "models" / "tiny_transfer" / "network.json")
    folder = copy("tiny_transfer", backbone=facts["backbone"] | {"trainable_layers": 0})
    fail(study, folder, r"expected a model of \(10, 10, 16\), as network\.json says, got one of \(None, ")


def test_a_hostile_model_is_refused(study, copy):
    folder = copy("tiny")
    model = keras.Sequential([keras.Input((SIDE, SIDE, 3)), keras.layers.Lambda(lambda x: x[:, 0, 0])])
    model.save(folder / "model.keras")
    fail(study, folder, "expected layers of this project's networks, got keras.layers.Lambda")


FACE = {"sha256": None, "scale_factor": 1.1, "neighbours": 5, "min_side": 60, "margin": 0.1}


@pytest.mark.parametrize("cascade", ["http://127.0.0.1:9/x.xml", "/etc/passwd", "../x.xml", "", "__init__.py"])
def test_a_model_from_elsewhere_cannot_have_its_own_cascade_fetched(study, copy, cascade):
    face = FACE | {"cascade": cascade, "sha256": "0" * 64 if cascade.startswith("http") else None}
    folder = copy("tiny", preprocessing={"size": [SIDE, SIDE], "crop": "face", "face": face})
    fail(study, folder, r"preprocessing\.face\.cascade: expected one of OpenCV's own, or that of params\.yaml ")


def test_a_cascade_of_opencv_or_of_params_yaml_is_used(study, copy, tmp_path):
    face = FACE | {"cascade": "haarcascade_frontalface_alt"}
    folder = copy("tiny", preprocessing={"size": [SIDE, SIDE], "crop": "face", "face": face})
    classifier = open_classifier(folder, study.folder / "pretrained", study.use)
    with pytest.raises(UnusableImage, match=r"^no face: expected one of at least 60 pixels$"):
        classifier.read(study.files[1])
    trusted = study.use.model_copy(update={"face": study.use.face.model_copy(update={"cascade": "mine.xml"})})
    facts = json.loads((folder / "network.json").read_text())
    facts["preprocessing"]["face"]["cascade"] = "mine.xml"
    (folder / "network.json").write_text(json.dumps(facts))
    with pytest.raises(ValueError, match=r"params\.yaml preprocess\.face\.cascade: expected the path or URL"):
        open_classifier(folder, study.folder / "pretrained", trusted)


# --- by name


def test_a_model_is_found_by_its_network_or_by_its_folder(study, tmp_path):
    trained = study.folder / "models"
    assert find_model("tiny", trained) == find_model(str(trained / "tiny"), trained) == trained / "tiny"
    for name in ("vgg", str(tmp_path), ""):
        with pytest.raises(FileNotFoundError) as caught:
            find_model(name, trained)
        expected = "expected the folder of a model or a trained network (tiny, tiny_transfer), got neither."
        assert str(caught.value) == f"{name or 'model'}: {expected}"
    with pytest.raises(FileNotFoundError, match=r"\(none yet\)"):
        find_model("vgg", Path(tmp_path, "none"))
