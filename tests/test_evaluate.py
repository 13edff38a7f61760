import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import classification_report

from stages import evaluate
from stages.core.files import read_json, read_table, write_json
from stages.core.saving import save
from stages.core.scores import interval, score

pytestmark = pytest.mark.usefixtures("tensors")

SETTINGS = evaluate.Evaluate(batch_size=4, threads=1)


@pytest.fixture
def trained(tmp_path):
    """A model that calls an image `light` from brightness 128 up, its inputs and their split."""
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.GlobalAveragePooling2D()])
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.layers[-1].set_weights([np.array([[-1.0, 1.0]] * 3), np.array([383.0, -383.0])])
    folder = tmp_path / "model"
    folder.mkdir()
    save(model, folder / "model.keras")
    facts = {"network": "toy", "classes": ["dark", "light"], "parameters": 8, "pretrained": False}
    write_json(facts, folder / "network.json")
    brightness = np.array([10, 20, 200, 210, 10, 200, 10, 200, 200], np.uint8)
    np.save(tmp_path / "images.npy", np.broadcast_to(brightness[:, None, None, None], (9, 4, 4, 3)))
    table = pd.DataFrame({"image_id": [f"{i:064x}" for i in range(9)]})
    table["class"] = ["dark", "dark", "light", "light", "dark", "light", "dark", "light", "dark"]
    table["split"] = ["train"] * 4 + ["val"] * 2 + ["test"] * 3
    table.to_csv(tmp_path / "index.csv", index=False)
    table.to_csv(tmp_path / "split.csv", index=False)
    return tmp_path, tmp_path / "split.csv", folder


def test_counts_right_and_wrong_answers_by_split(trained, tmp_path):
    metrics = evaluate.run(SETTINGS, *trained, tmp_path / "out")
    assert metrics["train"]["accuracy"] == 1
    assert metrics["test"]["accuracy"] == 0.6667
    assert metrics["test"]["classes"]["dark"] == {"precision": 1.0, "recall": 0.5, "count": 2}
    assert metrics["test"]["classes"]["light"] == {"precision": 0.5, "recall": 1.0, "count": 1}
    assert metrics["parameters"] == 8
    assert metrics == read_json(tmp_path / "out" / "metrics.json")


def test_lists_every_image_with_probabilities_that_add_up(trained, tmp_path):
    evaluate.run(SETTINGS, *trained, tmp_path / "out")
    predictions = read_table(tmp_path / "out" / "predictions.csv")
    assert list(predictions.columns) == ["image_id", "class", "split", "predicted", "p_dark", "p_light"]
    assert len(predictions) == 9
    total = predictions["p_dark"].astype(float) + predictions["p_light"].astype(float)
    np.testing.assert_allclose(total, 1, atol=2e-6)


def test_the_confusion_plot_has_the_test_images_only(trained, tmp_path):
    evaluate.run(SETTINGS, *trained, tmp_path / "out")
    confusion = read_table(tmp_path / "out" / "confusion.csv")
    assert confusion.to_dict("list") == {"class": ["dark", "light", "dark"], "predicted": ["dark", "light", "light"]}


def test_a_model_of_other_classes_is_refused(trained, tmp_path):
    write_json({"classes": ["cat", "dog"]}, trained[2] / "network.json")
    with pytest.raises(ValueError, match=r"expected a model of dark, light, got cat, dog\."):
        evaluate.run(SETTINGS, *trained, tmp_path / "out")


def test_scores_agree_with_sklearns_report():
    random = np.random.default_rng(0)
    table = pd.DataFrame({"class": random.choice(list("abc"), 60), "predicted": random.choice(list("ab"), 60)})
    found = score(table, list("abc"))
    report = classification_report(table["class"], table["predicted"], output_dict=True, zero_division=0)
    assert found["macro_f1"] == pytest.approx(report["macro avg"]["f1-score"], abs=1e-4)
    for name in "abc":
        assert found["classes"][name]["recall"] == pytest.approx(report[name]["recall"], abs=1e-4)
        assert found["classes"][name]["precision"] == pytest.approx(report[name]["precision"], abs=1e-4)


def test_the_interval_holds_the_accuracy_and_narrows_with_more_images():
    low, high = interval(0.7, 100)
    assert (low, high) == (0.6042, 0.7811)  # https://en.wikipedia.org/wiki/Binomial_proportion_confidence_interval
    wide, narrow = interval(0.7, 10), interval(0.7, 1000)
    assert wide[0] < low < narrow[0] < 0.7 < narrow[1] < high < wide[1]
