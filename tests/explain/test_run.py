import json
import shutil
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers
from PIL import Image

from stages.core import params
from stages.core.files import MARK, read_json, write_json
from stages.core.tables import read_table
from stages.evaluate import run as evaluate
from stages.explain import __main__ as explain_command
from stages.explain import run as explain
from stages.figures.sheets import CAPTION, MARGIN, TITLE
from stages.networks import heads
from stages.networks.hirescam import View, heatmaps
from stages.networks.inputs import read_inputs
from stages.networks.layers import probabilities, scaling_layer
from stages.networks.predicting import predict
from stages.training.saving import save

pytestmark = pytest.mark.usefixtures("tensors")

SETTINGS = explain.Explain(mistakes=2, batch_size=8, threads=1, embedding="pca", perplexity=5, seed=0)
HEIGHT, WIDTH, NUMBER = 16, 12, 60
FIGURES = ["attention.png", "embedding.csv", "embedding.png", "filters.png", "mistakes.json", "mistakes.png"]
CLASSES = ["blue", "green", "red"]
PROVENANCE = ["source", "source_id", "title", "url", "page_url", "author", "licence", "licence_url", "file"]


def draw_images(numbers):
    """Draw noise in which the channel of the class is a little brighter."""
    random = np.random.default_rng(0)
    images = random.integers(0, 200, (len(numbers), HEIGHT, WIDTH, 3))
    images[np.arange(len(numbers)), :, :, 2 - numbers] += 4
    return images.astype(np.uint8)


def sees_colours():
    """Return a model that predicts an image's strongest channel, which is right for many of these images, not all."""
    seeing = layers.Conv2D(3, 1, name="seeing")
    stack = scaling_layer("unit"), seeing, layers.GlobalAveragePooling2D(), probabilities(3)
    model = keras.Sequential([keras.Input((HEIGHT, WIDTH, 3)), *stack])
    seeing.set_weights([np.eye(3)[None, None, ::-1], np.zeros(3)])
    model.layers[-1].set_weights([60 * np.eye(3), np.zeros(3)])
    return model


def write_inputs(folder, classes=CLASSES):
    """Write pixels and a split of three classes, whose images are shuffled over the splits."""
    numbers = np.arange(NUMBER) % 3
    table = pd.DataFrame({"image_id": [f"{i:02}" + "a" * 62 for i in range(NUMBER)]})
    table["class"] = [classes[i] for i in numbers]
    origin = table.assign(**{name: [f"{name} {i}" for i in range(NUMBER)] for name in PROVENANCE})
    origin.to_csv(folder / "index.csv", index=False)
    splits = np.random.default_rng(1).permutation(["train"] * 24 + ["val"] * 12 + ["test"] * 24)
    split = table.assign(group=table["image_id"], split=splits)
    split.to_csv(folder / "split.csv", index=False)
    np.save(folder / "images.npy", draw_images(numbers))
    write_json({"size": [HEIGHT, WIDTH], "crop": "none"}, folder / "preprocessing.json")


def write_model(model, folder, classes=CLASSES, backbone=None):
    folder.mkdir()
    save(model, folder / "model.keras")
    facts = {"network": "toy", "classes": classes, "parameters": 8, "pretrained": False, "backbone": backbone or {}}
    write_json(facts, folder / "network.json")


def predict_all(folder, source, root, monkeypatch):
    """Write the predictions of the step `evaluate` for all images."""
    with monkeypatch.context() as patch:
        patch.chdir(root)
        settings = params.read(evaluate.Evaluate, "evaluate").model_copy(update={"threads": 1, "draws": 100})
    evaluate.run(settings, source, folder / "split.csv", folder / "model", folder / "evaluation")
    return folder / "evaluation" / "predictions.csv"


@pytest.fixture
def trained(explained, tmp_path):
    """Return a copy of the arguments of `explain.run`, except its target, that a test may change."""
    folder = explained[0][0]
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("out"))
    return arguments(tmp_path, tmp_path / "evaluation" / "predictions.csv")


def prepare(folder, root, monkeypatch):
    write_inputs(folder)
    write_model(sees_colours(), folder / "model")
    return arguments(folder, predict_all(folder, folder, root, monkeypatch))


@pytest.fixture(scope="module")
def explained(tmp_path_factory, root):
    """Return the arguments of a run, and the folder that it wrote; tests only read them."""
    folder = tmp_path_factory.mktemp("explained")
    with pytest.MonkeyPatch.context() as patch:
        given = prepare(folder, root, patch)
    explain.run(SETTINGS, *given, folder / "out")
    return given, folder / "out"


def arguments(folder, predictions, source=None):
    return source or folder, folder / "images.npy", folder / "model", predictions


def files_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def change(table, changes):
    """Change the table of predictions by a function of its rows, which are text."""
    rows = read_table(table)
    changes(rows)
    rows.to_csv(table, index=False)


def mistakes_in(folder):
    return json.loads((folder / "mistakes.json").read_text())


def test_writes_its_figures_and_a_thumbnail_of_each_mistake(explained):
    _, out = explained
    mistakes = mistakes_in(out)
    assert mistakes
    thumbnails = [f"heat/{row['image_id'][:16]}.jpg" for row in mistakes]
    assert sorted(files_of(out)) == sorted([*FIGURES, *thumbnails, MARK])
    for name in thumbnails:
        with Image.open(out / name) as thumbnail:
            assert thumbnail.size == (120, 160) and thumbnail.format == "JPEG"


@pytest.mark.slow
def test_a_second_run_changes_no_byte(explained, tmp_path):
    given, out = explained
    explain.run(SETTINGS, *given, tmp_path / "again")
    assert files_of(tmp_path / "again") == files_of(out)


def test_figures_bear_no_date_and_no_version(explained):
    for path in explained[1].glob("*.png"):
        with Image.open(path) as figure:
            assert set(figure.info) <= {"dpi"}


def test_lists_the_worst_mistakes_of_each_class_of_test_with_their_origins(explained):
    given, out = explained
    table = pd.read_csv(given[3])
    expected = []
    for name in CLASSES:
        wrong = table[(table["split"] == "test") & (table["class"] == name) & (table["predicted"] != name)]
        worst = sorted(wrong.to_dict("records"), key=lambda row: -row["loss"])[:2]
        expected += [row | {"probability": row[f"p_{row['predicted']}"]} for row in worst]
    found = mistakes_in(out)
    assert found == [{key: row[key] for key in found[0]} for row in expected]
    origin = ["title", "author", "licence", "licence_url", "page_url", "url", "source"]
    assert list(found[0]) == ["image_id", "class", "predicted", "probability", "file", *origin]


def test_of_equal_losses_the_order_is_that_of_the_images():
    rows = pd.DataFrame({"class": "a", "image_id": list("dbca"), "loss": [1.0, 2.0, 1.0, 1.0]})
    assert list(explain.choose(rows, "loss", 3)["image_id"]) == ["b", "a", "c"]


def test_places_every_image_of_all_splits(explained):
    given, out = explained
    found, table = (read_table(path) for path in (out / "embedding.csv", given[3]))
    assert list(found.columns) == ["image_id", "class", "split", "predicted", "x", "y"]
    pd.testing.assert_frame_equal(found.iloc[:, :4], table[["image_id", "class", "split", "predicted"]])
    # Of three mean colours two components hold nearly all, so that the points are as far apart as they.
    means = np.load(given[1]).mean(axis=(1, 2)) / 255
    points = found[["x", "y"]].astype(float).to_numpy()
    across = [np.linalg.norm(each[:, None] - each[None], axis=2).ravel() for each in (means, points)]
    assert np.corrcoef(*across)[0, 1] > 0.8


def test_of_very_many_images_a_sample_of_all_is_placed(explained, tmp_path, monkeypatch):
    given, _ = explained
    monkeypatch.setattr(explain, "MOST_PLACED", 9)
    explain.run(SETTINGS, *given, tmp_path / "out")
    found, table = (read_table(path) for path in (tmp_path / "out" / "embedding.csv", given[3]))
    places = [list(table["image_id"]).index(image_id) for image_id in found["image_id"]]
    assert len(places) == 9 and places[0] == 0 and places[-1] == len(table) - 1
    assert np.ptp(np.diff(places)) <= 1
    pd.testing.assert_frame_equal(
        found.iloc[:, :4], table.iloc[places][["image_id", "class", "split", "predicted"]].reset_index(drop=True)
    )


def lay_out(test, views, number=2):
    meant = test[test["predicted"] != test["class"]]
    shown = explain.choose(meant, "loss", number)
    return explain.pair_up(("toy mistook", "worst"), shown, meant, test, views)


def rows_of(*predictions):
    """Return test rows of (class, predicted)."""
    columns = {"title": "a title", "author": "an author", "licence": "CC0", "source_id": "folder/file.png"}
    rows = [
        {"class": name, "predicted": predicted, "image_id": str(i)} for i, (name, predicted) in enumerate(predictions)
    ]
    return pd.DataFrame(rows).assign(**columns, loss=1.0, probability=0.75, p_cat=0.25, p_dog=0.75)


VIEWS = {str(i): View(np.zeros((4, 4, 3), np.uint8), np.eye(2, dtype=np.float32)) for i in range(9)}


def test_says_how_many_were_mistaken_and_of_each_class_shows_the_worst():
    test = rows_of(*[("cat", "dog")] * 3, ("cat", "cat"), ("dog", "cat"))
    key, cats, dogs = lay_out(test, VIEWS)
    assert [key.title, cats.title, dogs.title] == [
        "toy mistook 4 of 5 test images",
        "cat: 3 of 4, the 2 worst",
        "dog: 1 of 1, the 1 worst",
    ]
    assert [len(section.tiles) for section in (key, cats, dogs)] == [1, 4, 2]


def test_says_so_where_no_image_was_mistaken():
    (only,) = lay_out(rows_of(("cat", "cat"), ("dog", "dog")), VIEWS)
    assert only.title == "toy mistook none of 2 test images"


def test_a_pair_of_tiles_tells_origin_prediction_and_truth():
    row = rows_of(("cat", "dog")).to_dict("records")[0]
    tile, heat = explain.draw_pair(row, VIEWS["0"])
    assert tile.captions == ("a title", "an author", "CC0")
    assert heat.captions == ("predicted 75% dog", "true 25% cat")
    assert tile.image.size == heat.image.size == (explain.SIDE, explain.SIDE)


def test_an_image_without_a_title_goes_by_its_file_and_an_empty_map_is_named():
    row = rows_of(("dog", "dog")).assign(title="").to_dict("records")[0]
    tile, heat = explain.draw_pair(row, View(VIEWS["0"].pixels, np.zeros((2, 2), np.float32)))
    assert tile.captions[0] == "file.png"
    assert heat.captions == ("predicted 75% dog", "HiResCAM finds no place")


@pytest.mark.slow
def test_without_mistakes_it_writes_an_empty_list_and_a_page_of_the_key_alone(trained, tmp_path):
    def right_all(rows):
        rows["predicted"] = rows["class"]

    change(trained[3], right_all)
    explain.run(SETTINGS, *trained, tmp_path / "out")
    assert mistakes_in(tmp_path / "out") == []
    assert sorted(files_of(tmp_path / "out")) == sorted([*FIGURES, MARK])
    with Image.open(tmp_path / "out" / "mistakes.png") as page:
        assert page.height < 2 * MARGIN + 3 * TITLE + explain.SIDE + 5 * CAPTION


@pytest.mark.slow
def test_a_network_that_knows_one_answer_only(trained, tmp_path):
    def say_red(rows):
        rows["predicted"] = "red"

    change(trained[3], say_red)
    explain.run(SETTINGS, *trained, tmp_path / "out")
    mistakes = mistakes_in(tmp_path / "out")
    assert [row["class"] for row in mistakes] == ["blue", "blue", "green", "green"]
    assert {row["predicted"] for row in mistakes} == {"red"}


def test_heat_maps_are_of_the_predicted_class(explained):
    given, out = explained
    inputs, model = read_inputs(given[0]), keras.models.load_model(given[2] / "model.keras")
    row = mistakes_in(out)[0]
    place = inputs.image_ids.index(row["image_id"])
    heat = heatmaps(model, inputs.array[[place]], [CLASSES.index(row["predicted"])], 8)[0]
    expected = View(inputs.array[place], heat).overlaid(explain.THUMBNAIL_SIDE)
    with Image.open(out / "heat" / f"{row['image_id'][:16]}.jpg") as found:
        difference = np.abs(np.asarray(found, float) - np.asarray(expected, float))
    assert difference.mean() < 4  # what JPEG leaves


@pytest.mark.slow
def test_takes_any_names_of_classes(tmp_path, root, monkeypatch):
    names = sorted(["$x^2$ ..a", "007", '_b,"d" é p_'])
    write_inputs(tmp_path, names)
    write_model(sees_colours(), tmp_path / "model", names)
    explain.run(SETTINGS, *arguments(tmp_path, predict_all(tmp_path, tmp_path, root, monkeypatch)), tmp_path / "out")
    mistakes = mistakes_in(tmp_path / "out")
    assert {row["class"] for row in mistakes} <= set(names)


@pytest.fixture(scope="module")
def fed_features(tmp_path_factory, root):
    """Return the arguments for a head on activations, whose backbone has a filter for each colour."""
    folder = tmp_path_factory.mktemp("features")
    write_inputs(folder)
    images = np.load(folder / "images.npy")
    eye = keras.Sequential([keras.Input(images.shape[1:]), layers.Conv2D(8, 4, strides=4)])
    source = folder / "features"
    source.mkdir()
    np.save(source / "features.npy", predict(eye, images, 8))
    np.save(source / "filters.npy", np.eye(3, dtype=np.float32).reshape(1, 1, 3, 3))
    for name in ("index.csv", "preprocessing.json"):
        (source / name).write_bytes((folder / name).read_bytes())
    backbone = {"network": "eye", "image_shape": [HEIGHT, WIDTH, 3], "scaling": "imagenet_bgr", "trainable_layers": 0}
    write_json(backbone, source / "backbone.json")
    head = heads.build((4, 3, 8), 3, SimpleNamespace(head="linear", dropout=0.5, width=1))
    write_model(head, folder / "model", backbone=backbone)
    with pytest.MonkeyPatch.context() as patch:
        return arguments(folder, predict_all(folder, source, root, patch), source)


@pytest.mark.slow
def test_a_head_on_activations_has_the_same_figures(fed_features, tmp_path):
    explain.run(SETTINGS, *fed_features, tmp_path / "out")
    assert set(FIGURES) <= set(files_of(tmp_path / "out"))


def test_filters_of_a_backbone_are_those_in_its_folder_in_rgb(fed_features):
    model = keras.models.load_model(fed_features[2] / "model.keras")
    kernels = explain.find_kernels(model, read_inputs(fed_features[0]), fed_features[0])
    np.testing.assert_array_equal(kernels["backbone"][0, 0], np.eye(3)[::-1])


def test_a_filter_of_three_channels_is_in_colour_from_its_least_to_its_most():
    kernel = np.array([[[-2.0, 0, 2], [2, 0, -2]], [[2, 2, 2], [-2, -2, -2]]])
    image = explain.draw_filter(kernel)
    assert image.size == (64, 64)
    corners = [image.getpixel(place) for place in ((0, 0), (63, 0), (0, 63), (63, 63))]
    assert corners == [(0, 128, 255), (255, 128, 0), (255, 255, 255), (0, 0, 0)]


@pytest.mark.parametrize("channels", [1, 2, 8])
def test_a_filter_of_other_channels_is_their_mean_in_grey(channels):
    kernel = np.zeros((1, 2, channels))
    kernel[0, 1] = np.arange(channels) + 1
    image = explain.draw_filter(kernel)
    assert image.mode == "L" and image.size == (64, 32)
    assert (image.getpixel((0, 0)), image.getpixel((63, 0))) == (0, 255)


def test_a_filter_of_equal_weights_and_one_larger_than_its_place_are_drawn():
    assert explain.draw_filter(np.full((3, 3, 3), 0.5)).size == (63, 63)
    assert max(explain.draw_filter(np.random.default_rng(0).normal(size=(99, 99, 3))).size) <= explain.FILTER_SIDE


def test_another_number_of_images_is_refused(trained, tmp_path):
    other = tmp_path / "other.npy"
    np.save(other, np.load(tmp_path / "images.npy")[1:])
    source, _, model, predictions = trained
    with pytest.raises(ValueError, match=r"other\.npy: expected the images of the 60 inputs, got 59\.$"):
        explain.run(SETTINGS, source, other, model, predictions, tmp_path / "out")


def test_predictions_of_other_images_are_refused(trained, tmp_path):
    read_table(trained[3]).iloc[::-1].to_csv(trained[3], index=False)
    with pytest.raises(ValueError, match=r"predictions\.csv: expected the 60 images of the inputs, got 60 others\.$"):
        explain.run(SETTINGS, *trained, tmp_path / "out")


def test_predictions_of_other_classes_are_refused(trained, tmp_path):
    facts = read_json(trained[2] / "network.json") | {"classes": ["cat", "dog"]}
    write_json(facts, trained[2] / "network.json")
    with pytest.raises(ValueError, match=r"expected probabilities of cat, dog, got blue, green, red\.$"):
        explain.run(SETTINGS, *trained, tmp_path / "out")


def test_a_network_without_a_convolution_is_refused_and_leaves_nothing(trained, tmp_path):
    flat = keras.Sequential([keras.Input((HEIGHT, WIDTH, 3)), layers.Flatten(), probabilities(3)], name="flat")
    save(flat, trained[2] / "model.keras")
    with pytest.raises(ValueError, match=r"^flat: expected a network with a convolution, got .*\.$"):
        explain.run(SETTINGS, *trained, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("mistakes", 0, "expected a number >= 1, got 0"),
        ("embedding", "umap", "expected 'tsne' or 'pca', got 'umap'"),
        ("perplexity", 0, "expected a number > 0.0, got 0"),
        ("perplexty", 30, "expected one of mistakes, batch_size, threads, embedding, perplexity, seed"),
    ],
)
def test_a_wrong_param_is_one_line(project, key, value, message):
    project(f"explain.{key}", value)
    with pytest.raises(ValueError, match=f"params.yaml explain.{key}: {message}"):
        params.read(explain.Explain, "explain")


@pytest.mark.slow
def test_the_command_reads_its_section(trained, tmp_path, project, monkeypatch):
    project("explain.threads", 1)
    monkeypatch.setattr(sys, "argv", ["explain", *map(str, trained), str(tmp_path / "out")])
    explain_command.main()
    assert set(FIGURES) <= set(files_of(tmp_path / "out"))
