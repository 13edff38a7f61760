import shutil

import keras
import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.metrics import log_loss

from stages.core.files import read_json, sha256, write_json
from stages.core.tables import read_table
from stages.evaluate import run as evaluate
from stages.evaluate.predictions import PROVENANCE
from stages.networks.answer_limits import LIMITS, REFERENCES
from stages.networks.inputs import SplitRows
from stages.training.saving import save

pytestmark = pytest.mark.usefixtures("tensors")

SETTINGS = evaluate.Evaluate(
    batch_size=4, threads=1, draws=200, seed=0, wanted_class=None, wanted_precision=0.9, refused_share=0.5,
    set_coverage=0.5,
)  # fmt: skip


@pytest.fixture
def trained(evaluated, tmp_path):
    """Return a copy of the arguments of `evaluate.run`, except its target, that a test may change."""
    shutil.copytree(evaluated[0], tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("out"))
    return tmp_path, tmp_path / "split.csv", tmp_path / "model"


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """Return the folder of the inputs, the metrics, and the folder that the step wrote; tests only read them."""
    folder = tmp_path_factory.mktemp("evaluated")
    metrics = evaluate.run(SETTINGS, *write_trained(folder), folder / "out")
    return folder, metrics, folder / "out"


def write_trained(folder):
    """Write inputs, their split and a model that calls an image `light` from brightness 128 up."""
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.GlobalAveragePooling2D()])
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.layers[-1].set_weights([np.array([[-1.0, 1.0]] * 3), np.array([383.0, -383.0])])
    (folder / "model").mkdir()
    save(model, folder / "model" / "model.keras")
    facts = {"network": "toy", "classes": ["dark", "light"], "parameters": 8, "pretrained": False, "backbone": {}}
    write_json(facts, folder / "model" / "network.json")
    brightness = np.array([10, 20, 200, 210, 10, 200, 10, 200, 200], np.uint8)
    np.save(folder / "images.npy", np.broadcast_to(brightness[:, None, None, None], (9, 4, 4, 3)))
    table = pd.DataFrame({"image_id": [f"{i:064x}" for i in range(9)]})
    table["class"] = ["dark", "dark", "light", "light", "dark", "light", "dark", "light", "dark"]
    table["split"] = ["train"] * 4 + ["val"] * 2 + ["test"] * 3
    table["group"] = table["image_id"]
    table["author"] = "Ada"
    table.to_csv(folder / "index.csv", index=False)
    write_json({"size": [4, 4], "crop": "none"}, folder / "preprocessing.json")
    table.to_csv(folder / "split.csv", index=False)
    return folder, folder / "split.csv", folder / "model"


def test_counts_right_and_wrong_predictions_by_split(evaluated):
    _, metrics, out = evaluated
    assert metrics["train"]["accuracy"] == 1
    assert metrics["test"]["accuracy"] == 0.6667
    dark, light = (metrics["test"]["classes"][name] for name in ("dark", "light"))
    assert (dark["precision"], dark["recall"], dark["count"]) == (1.0, 0.5, 2)
    assert (light["precision"], light["recall"], light["count"]) == (0.5, 1.0, 1)
    assert metrics == read_json(out / "metrics.json")


def test_says_what_an_image_costs_with_the_frozen_part(evaluated, trained, tmp_path):
    _, metrics, _ = evaluated
    assert (metrics["parameters"], metrics["multiply_adds"], metrics["megabytes"]) == (8, 6, 0.0)
    facts = read_json(trained[2] / "network.json") | {"backbone": {"frozen_multiply_adds": 100}, "parameters": 10**6}
    write_json(facts, trained[2] / "network.json")
    metrics = evaluate.run(SETTINGS, *trained, tmp_path / "out")
    assert (metrics["multiply_adds"], metrics["megabytes"]) == (106, 4.0)


def test_lists_every_image_with_its_loss_probabilities_and_origin(evaluated):
    predictions = read_table(evaluated[2] / "predictions.csv")
    own = ["image_id", "class", "split", "group", "predicted", "loss", "p_dark", "p_light"]
    assert list(predictions.columns) == [*own, *PROVENANCE]
    assert len(predictions) == 9
    probabilities = predictions[["p_dark", "p_light"]].astype(float)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=2e-6)
    right = predictions["class"] == predictions["predicted"]
    assert (right == (predictions["loss"].astype(float) < np.log(2))).all()
    assert set(predictions["author"]) == {"Ada"}
    assert set(predictions["licence"]) == {""}


def test_the_plots_have_the_test_images_only(evaluated):
    out = evaluated[2]
    confusion = read_table(out / "confusion.csv")
    assert confusion.to_dict("list") == {"class": ["dark", "light", "dark"], "predicted": ["dark", "light", "light"]}
    assert read_table(out / "reliability.csv")["count"].astype(int).sum() == 3
    for name, columns in {"roc": ["class", "false_positive_rate", "true_positive_rate"],
                          "precision_recall": ["class", "recall", "precision"],
                          "classes": ["class", "metric", "value"]}.items():  # fmt: skip
        table = read_table(out / f"{name}.csv")
        assert list(table.columns) == columns
        assert set(table["class"]) == {"dark", "light"}


def test_the_headline_fits_on_a_screen_and_is_part_of_the_whole(evaluated):
    metrics = evaluated[1]
    headline = evaluate.headline(metrics)
    for split in ("val", "test"):
        assert headline[split].items() <= metrics[split].items()
    numbers = [value for each in headline.values() for value in (each.values() if isinstance(each, dict) else [each])]
    assert len(numbers) < 20


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_says_what_the_probabilities_would_be_without_the_temperature(temperature):
    random = np.random.default_rng(0)
    scores, labels = random.normal(size=(90, 3)), random.integers(3, size=90)
    said = softmax(scores / temperature, axis=1).astype(np.float32)
    rows = {"val": np.arange(30), "test": np.arange(30, 90)}
    parts = {name: SplitRows(own, labels[own]) for name, own in rows.items()}
    predictions = evaluate.Predictions(said, labels, np.arange(90), list("abc"))
    found = evaluate.undo_calibration(predictions, parts, temperature)
    assert found["temperature"] == temperature
    for name, own in rows.items():
        before = softmax(scores[own], axis=1)
        assert found["uncalibrated"][name]["log_loss"] == pytest.approx(log_loss(labels[own], before), abs=1e-4)


def test_a_model_without_a_temperature_has_1(evaluated):
    assert evaluate.headline(evaluated[1])["temperature"] == 1
    assert evaluated[1]["uncalibrated"]["test"]["log_loss"] == evaluated[1]["test"]["log_loss"]


def test_calibration_is_measured_on_each_split_with_what_chance_does(evaluated):
    metrics = evaluated[1]
    for split in ("val", "test"):
        low, high = metrics[split]["intervals"]["calibration_error"]
        assert 0 <= low <= high
        assert metrics[split]["calibration_error_by_chance"] >= 0
    assert "calibration_error_by_chance" not in metrics["train"]


def test_a_threshold_for_a_wanted_precision_is_chosen_on_validation(trained, tmp_path):
    settings = SETTINGS.model_copy(update={"wanted_class": "light"})
    wanted = evaluate.run(settings, *trained, tmp_path / "out")["wanted"]
    assert (wanted["class"], wanted["precision"]) == ("light", 0.9)
    assert (wanted["is_sure"], wanted["needed"]) == (False, 36)  # there are two images
    assert wanted["threshold"] > 0.5
    assert (wanted["val"]["precision"], wanted["val"]["recall"]) == (1, 1)
    assert (wanted["test"]["precision"], wanted["test"]["recall"], wanted["test"]["count"]) == (0.5, 1, 2)


def test_no_choice_moves_when_all_test_labels_change(trained, tmp_path):
    settings = SETTINGS.model_copy(update={"wanted_class": "light"})
    before = evaluate.run(settings, *trained, tmp_path / "out")
    split = read_table(trained[1])
    is_test = split["split"] == "test"
    split.loc[is_test, "class"] = split.loc[is_test, "class"].map({"dark": "light", "light": "dark"})
    split.to_csv(trained[1], index=False)
    after = evaluate.run(settings, *trained, tmp_path / "out")
    assert before["val"] == after["val"]
    assert before["wanted"]["threshold"] == after["wanted"]["threshold"]
    assert before["test"]["accuracy"] == pytest.approx(1 - after["test"]["accuracy"], abs=2e-4)


def test_a_wanted_class_that_is_none_is_refused(trained, tmp_path):
    settings = SETTINGS.model_copy(update={"wanted_class": "asuka"})
    with pytest.raises(ValueError, match=r"evaluate\.wanted_class: expected one of dark, light, got asuka\."):
        evaluate.run(settings, *trained, tmp_path / "out")


def test_a_model_of_other_classes_is_refused(trained, tmp_path):
    write_json({"classes": ["cat", "dog"]}, trained[2] / "network.json")
    with pytest.raises(ValueError, match=r"expected a model of dark, light, got cat, dog\."):
        evaluate.run(SETTINGS, *trained, tmp_path / "out")


def test_a_second_run_writes_the_same(evaluated, trained, tmp_path):
    evaluate.run(SETTINGS, *trained, tmp_path / "again")
    files = sorted(evaluated[2].glob("[!.]*"))
    assert len(files) == 9
    for file in files:
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()


def test_the_limits_of_answers_come_from_validation_and_the_references_from_training(evaluated):
    folder, metrics, out = evaluated
    limits, references = read_json(out / LIMITS), np.load(out / REFERENCES)
    assert limits["model"] == sha256(folder / "model" / "model.keras")
    # The features are the mean colour, all greys, so nothing is unlike the four training images.
    np.testing.assert_allclose(references, np.full((4, 3), 3**-0.5), atol=1e-3)
    assert limits["novelty"] == pytest.approx(0, abs=0.03)
    # The two validation images are right for sure. The third test image is light, and called so, but its class is dark.
    assert limits["least_probability"] == 1
    assert (metrics["test"]["covered"], metrics["test"]["likely_classes"]) == (0.6667, 1)
    assert metrics["test"]["intervals"]["covered"] == [0, 1]
