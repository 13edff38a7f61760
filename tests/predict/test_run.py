import csv
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import threading
from functools import cache
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from stages.classifier import open_classifier
from stages.classifier.learned_images import LEARNED
from stages.classifier.predictions import Prediction, as_csv, as_json, as_table, width
from stages.core import params
from stages.core.files import write_json
from stages.core.tables import read_table
from stages.core.terminal import command
from stages.evaluate import run as evaluate
from stages.networks.answer_limits import LIMITS, REFERENCES
from stages.networks.inputs import PREPROCESSING
from stages.networks.layers import probabilities as last_layer
from stages.predict import __main__ as predict_command
from stages.predict import run as predict
from stages.training.saving import save
from tests.repositories import warm_environment

pytestmark = pytest.mark.usefixtures("tensors")

CLASSES = ["blue", "green", "red"]
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "pale": (255, 130, 120)}
SIDE = 32


@cache
def model_file():
    """The file of a network that sees red, green and blue: one map for each, and the class of the strongest."""
    model = keras.Sequential([keras.Input((SIDE, SIDE, 3)), keras.layers.Rescaling(1 / 255)])
    model.add(keras.layers.Conv2D(3, 1, activation="relu"))
    model.add(keras.layers.GlobalAveragePooling2D())
    model.add(last_layer(3))
    kernel = np.full((1, 1, 3, 3), -0.5) + 1.5 * np.eye(3)[:, ::-1]  # a colour less half of each other one
    model.set_weights([kernel, np.zeros(3), 30 * np.eye(3), np.zeros(3)])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        save(model, path)
        return path.read_bytes()


LOADED = []  # the network, read from its file once


@pytest.fixture(autouse=True)
def load_once(monkeypatch):
    """Read the network's file once for all tests, so that TensorFlow traces its graph once."""
    load = open_classifier.load_checked

    def load_or_reuse(path):
        if path.read_bytes() != model_file():
            return load(path)
        if not LOADED:
            LOADED.append(load(path))
        return LOADED[0]

    monkeypatch.setattr(open_classifier, "load_checked", load_or_reuse)


def write_model(folder, classes=CLASSES, network="vgg"):
    folder.mkdir(parents=True)
    (folder / "model.keras").write_bytes(model_file())
    preprocessing = {"size": [SIDE, SIDE], "crop": "letterbox"}
    facts = {"network": network, "classes": classes, "image_shape": [SIDE, SIDE, 3], "preprocessing": preprocessing}
    write_json(facts | {"parameters": 24, "pretrained": False, "backbone": {}}, folder / "network.json")
    return folder


def square(colour, box=(4, 4, 14, 14), size=(SIDE, SIDE)):
    """A white image with a square of the colour."""
    image = Image.new("RGB", size, "white")
    image.paste(COLOURS[colour], box)
    return image


@pytest.fixture
def work(project, tmp_path):
    """A project with a champion and three images in `photos`."""
    project("evaluate.threads", 1)
    write_model(tmp_path / "data" / "8_champion")
    (tmp_path / "photos").mkdir()
    for name, colour in (("a.png", "red"), ("b.jpg", "green"), ("c.webp", "blue")):
        square(colour).save(tmp_path / "photos" / name)
    return tmp_path


@pytest.fixture
def ask(work, monkeypatch, capsys):
    """The command's exit status and what it prints and complains of."""

    def ask(*arguments):
        monkeypatch.setattr(sys, "argv", ["predict", *map(str, arguments)])
        try:
            command(predict_command.main)
        except SystemExit as end:
            printed = capsys.readouterr()
            return (1, printed.out, end.code) if isinstance(end.code, str) else (end.code, printed.out, printed.err)
        printed = capsys.readouterr()
        return 0, printed.out, printed.err

    return ask


# --- what is printed


def test_one_image_is_one_line_with_its_most_probable_classes(ask):
    status, output, errors = ask("photos/a.png")
    assert (status, errors) == (0, "")
    header, line = output.splitlines()
    assert header == "file           vgg says            then"
    # 10x10 of 32x32 pixels are red, which makes 30 * 100 / 1024 before the softmax
    red = np.exp(30 * 100 / 1024)
    rest = 1 / (red + 2)
    assert line == f"photos/a.png   red      {red * rest:>8.1%}   blue {rest:.1%}, green {rest:.1%}"


def test_many_images_are_a_table_in_the_given_order(ask):
    status, output, _ = ask("photos/b.jpg", "photos", "photos/a.png")
    assert status == 0
    rows = [line.split() for line in output.splitlines()[1:]]
    names = ["photos/b.jpg", "photos/a.png", "photos/b.jpg", "photos/c.webp", "photos/a.png"]
    assert [row[:2] for row in rows] == list(
        map(list, zip(names, ["green", "red", "green", "blue", "red"], strict=True))
    )
    assert len({line.index("%") for line in output.splitlines()[1:]}) == 1


@pytest.mark.parametrize(("top", "shown"), [(1, 1), (2, 2), (3, 3), (99, 3)])
def test_top_says_how_many_classes(ask, top, shown):
    assert ask("photos/a.png", "--top", top)[1].splitlines()[1].count("%") == shown
    (entry,) = json.loads(ask("photos/a.png", "--json", "--top", top)[1])
    assert list(entry["probabilities"]) == ["red", "blue", "green"][:shown]
    (row,) = csv.DictReader(io.StringIO(ask("photos/a.png", "--csv", "--top", top)[1]))
    assert sum(bool(row[f"p_{name}"]) for name in CLASSES) == shown


def test_json_has_each_files_classes_and_the_model(ask):
    status, output, _ = ask("photos", "--json")
    assert status == 0
    entries = json.loads(output)
    assert [entry["file"] for entry in entries] == ["photos/a.png", "photos/b.jpg", "photos/c.webp"]
    assert [entry["predicted"] for entry in entries] == ["red", "green", "blue"]
    for entry in entries:
        assert list(entry) == ["file", "predicted", "probabilities", "model", "network"]
        assert (entry["model"], entry["network"]) == ("data/8_champion", "vgg")
        assert sorted(entry["probabilities"]) == CLASSES
        assert list(entry["probabilities"].values()) == sorted(entry["probabilities"].values(), reverse=True)
        assert sum(entry["probabilities"].values()) == pytest.approx(1, abs=2e-6)


def test_csv_has_the_columns_of_predictions_csv(ask):
    output = ask("photos", "--csv")[1]
    table = pd.read_csv(io.StringIO(output))
    assert list(table.columns) == [
        "file", "predicted", "p_blue", "p_green", "p_red", "none_of_these", "likely", "explanation", "learned", "model",
        "network", "error",
    ]  # fmt: skip
    assert table["predicted"].tolist() == ["red", "green", "blue"]
    assert table.loc[0, "p_red"] == json.loads(ask("photos/a.png", "--json")[1])[0]["probabilities"]["red"]


def write_limits(folder, novelty, least_probability):
    """Write limits of a network whose features are the strengths of blue, green and red, and that has seen red."""
    limits = {"model": hashlib.sha256(model_file()).hexdigest()}
    write_json(limits | {"novelty": novelty, "least_probability": least_probability}, folder / LIMITS)
    np.save(folder / REFERENCES, np.array([[0, 0, 1]], np.float16))


def test_an_image_unlike_all_training_images_is_none_of_these(ask, work):
    write_limits(work / "data" / "8_champion", 0.5, 1.0)
    red, green, _ = ask("photos")[1].splitlines()[1:]
    assert red.split()[1] == "red"
    assert re.search(r"photos/b.jpg +none of these +if it must be: green [0-9.]+%, red", green)
    entries = json.loads(ask("photos", "--json")[1])
    assert [entry["none_of_these"] for entry in entries] == [False, True, True]
    assert [entry["predicted"] for entry in entries] == ["red", "green", "blue"]
    table = pd.read_csv(io.StringIO(ask("photos", "--csv")[1]))
    assert table["none_of_these"].tolist() == [False, True, True]


def test_classes_that_are_likely_too_are_named(ask, work):
    write_limits(work / "data" / "8_champion", None, 0.02)
    note = "it may also be blue or green"
    assert ask("photos/a.png")[1].splitlines()[1].endswith(f"   {note}")
    assert json.loads(ask("photos/a.png", "--json")[1])[0]["likely"] == ["red", "blue", "green"]
    assert next(csv.DictReader(io.StringIO(ask("photos/a.png", "--csv")[1])))["likely"] == '["red", "blue", "green"]'
    write_limits(work / "data" / "8_champion", None, 0.5)
    assert note not in ask("photos/a.png")[1]


def test_the_limits_of_a_trained_network_are_those_of_its_evaluation(ask, work):
    write_model(work / "data" / "6_models" / "vgg")
    (work / "data" / "7_evaluations" / "vgg").mkdir(parents=True)
    write_limits(work / "data" / "7_evaluations" / "vgg", 0.5, 1.0)
    [answer] = json.loads(ask("photos/b.jpg", "--json", "--model", "vgg")[1])
    assert answer["none_of_these"]


def test_an_image_that_the_network_learned_from_is_said_to_be_one(ask, work):
    image_id = hashlib.sha256((work / "photos" / "a.png").read_bytes()).hexdigest()
    table = pd.DataFrame({"image_id": [image_id], "class": ["crimson"], "phash": ["f" * 16]})
    table.to_csv(work / "data" / "8_champion" / LEARNED, index=False)
    note = "it learned from this file, as crimson"
    header, first, second, _ = ask("photos")[1].splitlines()
    assert header.endswith("note")
    assert first.endswith(f"   {note}")
    assert "learned" not in second
    assert [entry.get("learned") for entry in json.loads(ask("photos", "--json")[1])] == [note, None, None]
    assert [row["learned"] for row in csv.DictReader(io.StringIO(ask("photos", "--csv")[1]))] == [note, "", ""]


def test_all_files_give_exactly_predictions_csv(ask, work, draw):
    files = []
    for number in range(11):
        files.append(f"photos/{number}.png")
        draw(number, (40 + number, 50)).save(work / files[-1])
    read = predict_command.open_classifier(work / "data/8_champion", work, read_use()).read
    (work / "pixels").mkdir()
    np.save(work / "pixels" / "images.npy", np.stack([read(work / file) for file in files]))
    table = pd.DataFrame({"image_id": files, "class": (CLASSES * 4)[:11], "group": files, "split": "test"})
    table.loc[:5, "split"] = ["train", "train", "train", "val", "val", "val"]
    table.to_csv(work / "split.csv", index=False)
    table.to_csv(work / "pixels" / "index.csv", index=False)
    write_json({"size": [SIDE, SIDE], "crop": "letterbox"}, work / "pixels" / PREPROCESSING)
    settings = params.read(evaluate.Evaluate, "evaluate").model_copy(update={"draws": 100})
    evaluate.run(settings, work / "pixels", work / "split.csv", work / "data/8_champion", work / "evaluated")
    expected = read_table(work / "evaluated" / "predictions.csv")
    found = pd.read_csv(io.StringIO(ask(*files, "--csv")[1]), dtype=str)
    for column in ("predicted", "p_blue", "p_green", "p_red"):
        assert found[column].tolist() == expected[column].tolist()
    assert expected["p_red"].nunique() > 5


def read_use():
    return params.read(predict_command.Use, *predict_command.SECTIONS)


def test_more_files_than_are_held_at_once_give_the_same(ask, monkeypatch):
    (together,) = {ask("photos", "photos", "photos/none", "photos/a.png", "--json")[1]}
    monkeypatch.setattr(predict, "AT_ONCE", 2)
    assert ask("photos", "photos", "photos/none", "photos/a.png", "--json")[1] == together


def test_equally_probable_classes_come_in_their_order(ask, work):
    Image.new("RGB", (8, 8), "white").save(work / "white.png")
    (entry,) = json.loads(ask("white.png", "--json")[1])
    assert list(entry["probabilities"].items()) == [("blue", 0.333333), ("green", 0.333333), ("red", 0.333333)]


# --- the forms by themselves


def test_the_table_lines_up_names_of_wide_characters_and_of_none():
    answers = [
        Prediction("黒子.jpg", {"赤": 0.5, "b": 0.5}),
        Prediction("a\u0301.jpg", {"b": 1.0}),
        Prediction("c", error="no"),
    ]
    lines = as_table(answers, "vgg").splitlines()
    columns = [[width(line[: line.index(word)]) for line, word in zip(lines, words, strict=True)] for words in (
        ("vgg", "赤", "b", "failed"), ("then", "b 50", "100", "no"),
    )]  # fmt: skip
    assert len(set(columns[0])) == 1
    assert columns[1][0] == columns[1][1] == columns[1][3]


def test_what_moves_a_cursor_is_not_printed_in_the_table():
    table = as_table([Prediction("\x1b[2J\ra\nb", {"\x07c": 1.0}), Prediction("x", error="y\x1b[0m")], "vgg")
    assert all(line.isprintable() for line in table.splitlines())
    assert len(table.splitlines()) == 3


def test_names_that_are_no_text_are_written():
    answer = Prediction(os.fsdecode(b"\xff,.png"), {"a": 1.0})
    assert json.loads(as_json([answer], {}))[0]["file"] == answer.file
    assert as_csv([answer], {}, ["a"]).splitlines()[1].startswith('"\\udcff,.png",a,1.0,')
    as_table([answer], "vgg").encode()


# --- folders


def test_a_folder_means_all_files_in_it_sorted_and_hidden_ones_left_out(ask, work):
    for name in ("photos/z/1.png", "photos/.hidden.png", "photos/.git/1.png", "photos/z/.x/2.png", "photos/B.png"):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        square("red").save(work / name)
    files = [entry["file"] for entry in json.loads(ask("photos/", "--json")[1])]
    assert files == ["photos/B.png", "photos/a.png", "photos/b.jpg", "photos/c.webp", "photos/z/1.png"]
    assert json.loads(ask("photos/.hidden.png", "--json")[1])[0]["predicted"] == "red"
    assert len(json.loads(ask("photos/.git", "--json")[1])) == 1
    assert ask("")[0] == 1  # an empty name is not the working directory


def test_a_folders_links_are_followed_and_those_to_nothing_are_marked(ask, work):
    (work / "links").mkdir()
    (work / "links" / "all").symlink_to(work / "photos")
    (work / "links" / "around").symlink_to(work / "links")
    (work / "links" / "gone.png").symlink_to("nowhere.png")
    entries = json.loads(ask("links", "--json")[1])
    found = {entry["file"]: entry.get("error") for entry in entries}
    inside = {f"links/all/{name}": None for name in ("a.png", "b.jpg", "c.webp")}
    assert found == {**inside, "links/gone.png": "no such file"}


# --- no images


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("notes.txt", "unreadable: cannot identify image file"),
        ("page.html", "wrong type: an HTML page"),
        ("none.png", "no such file"),
        ("", "no such file"),
        ("x" * 300 + ".png", "File name too long"),
        ("x/" * 3000 + "a.png", "File name too long"),
        ("/dev/null", "no regular file"),
        ("empty", "a folder without files"),
        ("http://127.0.0.1:9/a.png", "no connection: Connection refused"),
    ],
)
def test_one_thing_that_is_no_image_is_one_line(ask, work, name, reason):
    (work / "notes.txt").write_text("hello")
    (work / "page.html").write_text("<html>")
    (work / "empty").mkdir()
    assert ask(name) == (1, "", f"{name}: expected an image, got: {reason}.")
    status, output, error = ask(name, "--json")
    assert (status, json.loads(output)) == (1, [{"file": name, "error": reason}])
    assert error == f"{name}: expected an image, got: {reason}."
    (row,) = csv.DictReader(io.StringIO(ask(name, "--csv")[1]))
    assert (row["file"], row["predicted"], row["error"]) == (name, "", reason)


def test_among_many_what_is_no_image_is_marked_and_the_others_are_predicted(ask, work):
    (work / "photos" / "b.txt").write_text("hello")
    status, output, error = ask("photos", "none.png")
    assert (status, error) == (1, "2 of 5 failed.")
    rows = [line.split(maxsplit=2) for line in output.splitlines()[1:]]
    assert [row[:2] for row in rows] == [
        ["photos/a.png", "red"], ["photos/b.jpg", "green"], ["photos/b.txt", "failed"], ["photos/c.webp", "blue"],
        ["none.png", "failed"],
    ]  # fmt: skip
    assert [rows[i][2] for i in (2, 4)] == ["unreadable: cannot identify image file", "no such file"]
    entries = json.loads(ask("photos", "none.png", "--json")[1])
    assert [entry.get("predicted") for entry in entries] == ["red", "green", None, "blue", None]


def test_where_nothing_is_an_image_all_rows_are_marked(ask):
    status, output, error = ask("none.png", "nothing.png")
    assert (status, error, output.count("failed")) == (1, "2 of 2 failed.", 2)


def test_a_file_that_may_not_be_read_is_marked(ask, work):
    (work / "photos" / "a.png").unlink()
    (work / "photos" / "a.png").symlink_to(work / "photos" / "a.png")  # leads to itself
    assert ask("photos/a.png")[2].startswith("photos/a.png: expected an image, got: ")


# --- URLs


@pytest.fixture
def site(work):
    """A server of the project's folder, as its URL."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=work)

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_url_gives_what_its_file_gives(ask, site):
    (entry,) = json.loads(ask(f"{site}/photos/b.jpg", "--json")[1])
    (own,) = json.loads(ask("photos/b.jpg", "--json")[1])
    assert entry == own | {"file": f"{site}/photos/b.jpg"}


def test_a_url_that_is_no_image_is_one_line_or_its_row(ask, site, monkeypatch):
    assert ask(f"{site}/photos") == (
        1, "", f"{site}/photos: expected an image, got: wrong type: an HTML page.",
    )  # fmt: skip
    status, output, _ = ask(f"{site}/photos/none.png", "photos/a.png")
    assert status == 1
    assert output.splitlines()[1].split(maxsplit=2)[1:] == ["failed", "gone: HTTP 404"]
    monkeypatch.setattr(predict, "MAX_MEGABYTES", 1e-5)
    assert "got: too many bytes: " in ask(f"{site}/photos/a.png")[2]


def test_a_file_url_reads_no_file(ask, work):
    assert ask(f"file://{work}/photos/a.png")[2].endswith("got: no such file.")


# --- explanations


def test_an_explanation_shows_the_image_and_where_its_class_was_seen(ask, work):
    for name, box in (("left.png", (2, 2, 10, 10)), ("right.png", (22, 22, 30, 30))):
        square("red", box).save(work / name)
    status, output, _ = ask("left.png", "right.png", "--explain", "why", "--json")
    assert status == 0
    entries = json.loads(output)
    assert [entry["explanation"] for entry in entries] == ["why/left.png.png", "why/right.png.png"]
    for entry, centre in zip(entries, (6, 26), strict=True):
        page = np.asarray(Image.open(work / entry["explanation"]).convert("RGB")).astype(int)
        assert page.shape == (320, 640, 3)
        seen, heat = page[:, :320], page[:, 320:]
        assert tuple(seen[centre * 10, centre * 10]) == (255, 0, 0)
        yellow = np.minimum(heat[..., 0], heat[..., 1]) - heat[..., 2]
        y, x = (positions.mean() / 10 for positions in np.nonzero(yellow > yellow.max() - 10))
        assert abs(y - centre) < 2
        assert abs(x - centre) < 2


def test_no_explanation_takes_the_place_of_an_image_that_was_given(ask, work):
    square("red").save(work / "photos" / "x", "PNG")
    square("blue").save(work / "photos" / "x.png")
    before = (work / "photos" / "x.png").read_bytes()
    status, output, errors = ask("photos", "--explain", "photos")
    assert (status, output) == (1, "")
    assert "--explain: expected a folder without the given images, got photos/x.png in it." in errors
    assert (work / "photos" / "x.png").read_bytes() == before


def test_a_file_in_place_of_the_folder_of_explanations_is_one_line(ask, work):
    image = str(work / "photos" / "a.png")
    assert ask(image, "--explain", image)[2].endswith(f"--explain: expected a folder, got the file {image}.")


def test_a_url_that_is_none_leaves_the_others_their_answers(ask):
    status, output, _ = ask("photos/a.png", "http://[x/a.jpg", "--explain", "why")
    assert status == 1
    assert [line.split()[1] for line in output.splitlines()[2:]] == ["failed"]


def test_explanations_are_named_after_their_files_and_none_takes_anothers_place(ask, work, site):
    (work / "more").mkdir()
    square("blue").save(work / "more" / "a.png")
    square("green").save(work / "a.png-2", "PNG")
    names = ["photos/a.png", "more/a.png", "a.png-2", "none.png", f"{site}/photos/a.png?x=../../y", "photos/b.jpg"]
    entries = json.loads(ask(*names, "--explain", "why/deep", "--json")[1])
    paths = [entry.get("explanation") for entry in entries]
    assert paths[3] is None
    written = [path for path in paths if path]
    assert len(set(written)) == 5
    assert sorted(str(path.relative_to(work)) for path in (work / "why").rglob("*.png")) == sorted(written)
    assert paths[0] == "why/deep/a.png.png"
    image = Image.open(work / paths[1])
    assert image.getpixel((90, 90)) == (0, 0, 255)


def test_explanations_of_very_many_and_very_long_names_have_paths_that_can_be_written(tmp_path):
    files = [*(f"{number}/image.jpg" for number in range(20_000)), "image.jpg-7", "\U0001f408" * 200, "/", "a/.."]
    paths = predict.explanation_paths(files, tmp_path)
    assert len(set(paths)) == len(files)
    assert all(len(os.fsencode(path.name)) < 256 and path.parent == tmp_path for path in paths)
    assert [path.name for path in paths[:2]] == ["image.jpg.png", "image.jpg-2.png"]


def test_without_a_folder_nothing_is_written(ask, work):
    before = sorted(work.rglob("*"))
    assert ask("photos")[0] == 0
    assert sorted(work.rglob("*")) == before


# --- models


def test_a_model_is_taken_by_the_name_of_its_network_or_by_its_folder(ask, work):
    write_model(work / "data/6_models/vgg", classes=["a", "b", "c"])
    assert json.loads(ask("photos/a.png", "--json", "--model", "vgg")[1])[0]["predicted"] == "c"
    folder = write_model(work / "elsewhere", classes=["x", "y", "z"], network="alexnet")
    (entry,) = json.loads(ask("photos/a.png", "--json", "--model", folder)[1])
    assert (entry["predicted"], entry["model"], entry["network"]) == ("z", str(folder), "alexnet")


def test_a_missing_model_is_one_line(ask):
    expected = "expected the folder of a model or a trained network (none yet), got neither."
    assert ask("photos/a.png", "--model", "vgg") == (1, "", f"vgg: {expected}")


def test_a_model_and_its_facts_of_other_classes_are_one_line(ask, work):
    folder = write_model(work / "elsewhere", classes=["x", "y"])
    expected = f"{folder}: expected a model of the classes x, y of network.json, got one of 3."
    assert ask("photos/a.png", "--model", folder) == (1, "", expected)


def test_a_hostile_model_is_one_line_and_does_not_run(ask, work):
    folder = write_model(work / "elsewhere")
    model = keras.Sequential([keras.Input((SIDE, SIDE, 3)), keras.layers.Lambda(lambda x: x[:, 0, 0])])
    model.save(folder / "model.keras")
    status, output, error = ask("photos/a.png", "--model", folder)
    assert (status, output) == (1, "")
    assert "expected layers of this project's networks, got keras.layers.Lambda" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected either images or --serve"),
        (["a.png", "--serve"], "expected either images or --serve"),
        (["a.png", "--top", "0"], "argument --top: expected a number >= 1, got '0'"),
        (["a.png", "--json", "--csv"], "argument --csv: not allowed with argument --json"),
        (["--serve", "--port", "65536"], "argument --port: expected 0 to 65535, got '65536'"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(ask, arguments, message):
    status, output, errors = ask(*arguments)
    assert (status, output) == (2, "")
    assert message in errors


@pytest.mark.slow
def test_the_command_itself_predicts_and_fails(work, root):
    environment = warm_environment() | {"PYTHONPATH": str(root)}
    call = ["python", "-m", "stages.predict", "photos/a.png", "none.png", "--json"]
    done = subprocess.run(call, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1
    assert [entry.get("predicted") for entry in json.loads(done.stdout)] == ["red", None]
    assert done.stderr.splitlines()[-1] == "1 of 2 failed."
    assert "Traceback" not in done.stderr
