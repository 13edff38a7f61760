import re
import signal
import subprocess
from itertools import chain

import keras
import numpy as np
import pandas as pd
import pytest

from stages.core.files import read_json, sha256, write_json
from stages.core.tables import read_table
from stages.evaluate import run as evaluate
from stages.models import vgg, xception
from stages.train import run as stage
from stages.training import watch
from stages.training.batches import Batches
from stages.training.checkpoints import open_folder
from stages.training.hyperparams import read_settings
from stages.transforms.affine import Augmentation
from tests.repositories import ROOT, warm_environment

pytestmark = pytest.mark.usefixtures("tensors", "tiny_networks")

JUDGING = evaluate.Evaluate(
    batch_size=8, threads=1, draws=100, seed=0, wanted_class=None, wanted_precision=0.9, refused_share=0.05,
    set_coverage=0.9,
)  # fmt: skip


@pytest.fixture
def checkpoints(own_cache):
    return own_cache / "checkpoints"


def run(*arguments):
    """Run the step, with its curves in a folder beside its target."""
    target = arguments[-1]
    return stage.run(arguments[0], *arguments, target.with_name(f"{target.name}_live"))


@pytest.fixture
def settings(project):
    quick = {"epochs": 4, "batch_size": 8, "threads": 1, "dropout": 0.1, "learning_rate": 3e-2}
    return read_settings("vgg", vgg).model_copy(update=quick)


@pytest.fixture
def data(tmp_path):
    """Write images of two classes, dark and light, and their split."""
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
    write_json({"size": [16, 16], "crop": "none"}, pixels / "preprocessing.json")
    table.to_csv(tmp_path / "split.csv", index=False)
    return pixels, tmp_path / "split.csv"


@pytest.mark.slow
def test_nothing_learned_or_chosen_depends_on_the_labels_of_test(settings, data, tmp_path):
    run("tiny", settings, Augmentation(), *data, tmp_path / "tiny")
    split = read_table(data[1])
    is_test = split["split"] == "test"
    split.loc[is_test, "class"] = split.loc[is_test, "class"].map({"dark": "light", "light": "dark"})
    split.to_csv(data[1], index=False)
    run("tiny", settings, Augmentation(), *data, tmp_path / "again")
    for name in ("model.keras", "network.json", "history.csv"):
        assert (tmp_path / "tiny" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_model_also_after_a_damaged_checkpoint_and_another_seed_another(
    settings, data, tmp_path, checkpoints, monkeypatch
):
    brief = settings.model_copy(update={"epochs": 2})
    amounts = Augmentation(rotation=10, brightness=0.1)
    first = run("tiny", brief, amounts, *data, tmp_path / "first")
    monkeypatch.setattr("stages.train.run.identify", lambda *_: "cut")
    (checkpoints / "cut").mkdir(parents=True)
    (checkpoints / "cut" / "phase-0.npz").write_bytes(b"PK cut")
    again = run("tiny", brief, amounts, *data, tmp_path / "again")
    other = run("tiny", brief.model_copy(update={"seed": 1}), amounts, *data, tmp_path / "other")
    assert first["model_sha256"] == again["model_sha256"] != other["model_sha256"]
    assert sha256(tmp_path / "first" / "history.csv") == sha256(tmp_path / "again" / "history.csv")


@pytest.fixture
def batches_read(monkeypatch):
    """Return the numbers `(rows of the split, epoch, batch)` of all batches that a training reads."""
    read, take = [], Batches.__getitem__

    def watched(self, batch):
        read.append((len(self.rows.rows), self.epoch, batch))
        return take(self, batch)

    monkeypatch.setattr(Batches, "__getitem__", watched)
    return read


def test_learns_what_can_be_learned_and_keeps_the_weights_of_the_best_epoch(
    settings, data, tmp_path, checkpoints, batches_read
):
    # The classes of validation images are swapped, so that training makes their predictions worse.
    pixels, split = data
    table = read_table(split)
    is_val = table["split"] == "val"
    table.loc[is_val, "class"] = table.loc[is_val, "class"].map({"dark": "light", "light": "dark"})
    table.to_csv(split, index=False)
    learning = settings.model_copy(update={"epochs": 8, "monitor": "val_loss"})
    timing = run("tiny", learning, Augmentation(), pixels, split, tmp_path / "tiny")
    before = [(24, 0, 0), (8, 0, 0)]  # for the shapes of batches
    epochs = [[*((24, epoch, batch) for batch in range(3)), (8, epoch, 0)] for epoch in range(1, 9)]
    assert batches_read == [*before, *chain.from_iterable(epochs)]
    history = read_table(tmp_path / "tiny" / "history.csv")
    assert list(history.columns) == ["epoch", "split", "loss", "accuracy", "learning_rate"]
    assert history["split"].tolist() == ["train", "val"] * 8
    history = history.set_index("split").astype(float)
    assert history.loc["train", "accuracy"].iloc[-1] > 0.9
    best, last = history.loc["val"].iloc[history.loc["val", "loss"].argmin()], history.loc["val"].iloc[-1]
    assert last["accuracy"] < best["accuracy"]
    metrics = evaluate.run(JUDGING, pixels, split, tmp_path / "tiny", tmp_path / "e")
    assert metrics["val"]["accuracy"] == pytest.approx(best["accuracy"], abs=1e-4)
    network = read_json(tmp_path / "tiny" / "network.json")
    assert network["kept_epoch"] == best["epoch"] < 8
    assert network["classes"] == ["dark", "light"]
    assert network["image_shape"] == [16, 16, 3]
    assert network["pretrained"] is False
    assert timing["model_sha256"] == sha256(tmp_path / "tiny" / "model.keras")
    assert timing["train_seconds"] > 0
    assert list(checkpoints.iterdir()) == []


@pytest.mark.slow
def test_neither_validation_nor_evaluation_is_augmented_or_smoothed(settings, data, tmp_path):
    # At this rate nothing is learned, so that the validation loss is the loss of the saved model.
    still = settings.model_copy(update={"learning_rate": 1e-12, "epochs": 1})
    smoothing = still.model_copy(update={"label_smoothing": 0.3})
    run("tiny", smoothing, Augmentation(brightness=1, rotation=90), *data, tmp_path / "augmented")
    run("tiny", still, Augmentation(), *data, tmp_path / "plain")
    first, second = (read_table(tmp_path / name / "history.csv").set_index("split") for name in ("augmented", "plain"))
    assert first.loc["val", "loss"] == second.loc["val", "loss"]
    assert first.loc["train", "loss"] != second.loc["train", "loss"]
    predictions = [
        evaluate.run(JUDGING, *data, tmp_path / name, tmp_path / f"e_{name}") for name in ("augmented", "plain")
    ]
    assert predictions[0] == predictions[1]


UNCHANGED = []  # the hash of the model without a change, computed once


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"class_weights": False}, {"learning_rate": 2e-3}, {"dropout": 0.2}, {"batch_size": 6}, {"scaling": "signed"},
        {"optimizer": "nadam"}, {"optimizer": "sgd"}, {"optimizer": "sgd", "momentum": 0.5}, {"clip_norm": 1e-3},
        {"label_smoothing": 0.1}, {"schedule": "cosine"}, {"warmup_epochs": 1}, {"precision": "mixed_bfloat16"},
    ],
)  # fmt: skip
def test_every_param_reaches_the_training(settings, data, tmp_path, change):
    pixels, split = data
    table = read_table(split)
    table.loc[:7, "split"] = ["train", "test"] * 4  # so that the classes differ in number
    table.to_csv(split, index=False)
    brief = settings.model_copy(update={"epochs": 1})
    if not UNCHANGED:
        UNCHANGED.append(run("tiny", brief, Augmentation(), pixels, split, tmp_path / "as_it_is")["model_sha256"])
    changed = run("tiny", brief.model_copy(update=change), Augmentation(), pixels, split, tmp_path / "changed")
    assert changed["model_sha256"] != UNCHANGED[0]


@pytest.mark.slow
def test_stops_when_patience_is_over(settings, data, tmp_path):
    still = settings.model_copy(update={"learning_rate": 1e-12, "epochs": 9, "patience": 2})
    run("tiny", still, Augmentation(), *data, tmp_path / "tiny")
    assert len(read_table(tmp_path / "tiny" / "history.csv")) == 2 * 3


@pytest.mark.parametrize(
    ("least", "epochs"),
    [((0.0, 1.1), 3), *(pytest.param(*case, marks=pytest.mark.slow) for case in (((0.0, 0.0), 4), ((1.1, 0.0), 1)))],
)
def test_stops_where_it_is_pruned_and_keeps_a_model(settings, data, tmp_path, least, epochs):
    bounds = {"epochs": 4, "patience": 9, "prune_epochs": [1, 3], "prune_accuracies": list(least)}
    run("tiny", settings.model_copy(update=bounds), Augmentation(), *data, tmp_path / "tiny")
    assert len(read_table(tmp_path / "tiny" / "history.csv")) == 2 * epochs
    assert (tmp_path / "tiny" / "model.keras").is_file()


def test_each_epoch_to_prune_at_needs_an_accuracy(settings, data, tmp_path):
    odd = settings.model_copy(update={"prune_epochs": [1, 3]})
    with pytest.raises(ValueError, match=r"train.tiny.prune_accuracies: expected one for each of prune_epochs, got 0"):
        run("tiny", odd, Augmentation(), *data, tmp_path / "tiny")


def test_a_loss_that_runs_away_is_one_line_and_leaves_no_model(settings, data, tmp_path):
    wild = settings.model_copy(update={"learning_rate": 1e30})
    message = (
        r"train.tiny.learning_rate: .* stays finite, got a loss of (nan|inf) in step \d of epoch 1, at a rate of 1e\+30"
    )
    with pytest.raises(ValueError, match=message):
        run("tiny", wild, Augmentation(), *data, tmp_path / "tiny")
    assert not (tmp_path / "tiny").exists()


@pytest.mark.slow
def test_a_loss_that_runs_away_later_leaves_the_best_epoch_before(settings, data, tmp_path, monkeypatch):
    # No param gives such a schedule: the rate is good in the first two epochs, and then far too high.
    monkeypatch.setattr("stages.training.watch.learning_rate", lambda _, rate, now: rate if now.step < 6 else 1e30)
    with pytest.raises(
        ValueError, match=r"of epoch 3, .* The model of the best epoch before is kept in (.*keras)\."
    ) as raised:
        run("tiny", settings, Augmentation(), *data, tmp_path / "tiny")
    kept = keras.models.load_model(re.search(r"kept in (.*keras)\.", str(raised.value))[1], compile=False)
    assert all(np.isfinite(each).all() for each in kept.get_weights())


class Killed(Exception):
    """An exception in place of a kill."""


IN_MID_EPOCH, BEFORE_THE_STATE = "in mid-epoch", "before the state is written"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "changes"),
    [
        (IN_MID_EPOCH, {"optimizer": "nadam", "precision": "mixed_float16", "warmup_epochs": 3}),
        (BEFORE_THE_STATE, {"optimizer": "sgd", "schedule": "plateau", "schedule_epochs": 1}),
    ],
)
def test_a_killed_training_goes_on_to_the_same_model(settings, data, tmp_path, monkeypatch, capsys, changes, moment):
    settings = settings.model_copy(update={"dropout": 0.5, **changes})
    amounts = Augmentation(rotation=10, mixup=0.2)
    run("tiny", settings, amounts, *data, tmp_path / "undisturbed")
    with monkeypatch.context() as patch:
        if moment == IN_MID_EPOCH:
            begin = watch.Watch.on_train_batch_begin
            patch.setattr(watch.Watch, "on_train_batch_begin", lambda self, batch, logs=None: (
                stop() if len(self.history.get("loss", [])) == 2 and batch == 1 else begin(self, batch)
            ))  # fmt: skip
        else:
            write = watch.save_state
            patch.setattr(watch, "save_state", lambda path, model, best, history, is_over: (
                stop() if len(history["loss"]) == 3 else write(path, model, best, history, is_over)
            ))  # fmt: skip
        with pytest.raises(Killed):
            run("tiny", settings, amounts, *data, tmp_path / "killed")
    assert not (tmp_path / "killed").exists()
    capsys.readouterr()
    run("tiny", settings, amounts, *data, tmp_path / "killed")
    assert "goes on after epoch 2" in capsys.readouterr().out
    for name in ("model.keras", "history.csv"):
        assert sha256(tmp_path / "killed" / name) == sha256(tmp_path / "undisturbed" / name)
    curves = [
        sorted(path.read_bytes() for path in (tmp_path / f"{name}_live").rglob("*.tsv"))
        for name in ("killed", "undisturbed")
    ]
    assert curves[0] == curves[1]


def stop():
    raise Killed


@pytest.mark.slow
def test_a_checkpoint_of_other_params_or_data_is_not_continued(settings, data, tmp_path, monkeypatch, capsys):
    def kill(self, epoch, logs=None):
        original(self, epoch, logs)
        raise Killed

    original = watch.Watch.on_epoch_end
    monkeypatch.setattr(watch.Watch, "on_epoch_end", kill)
    for changes, augmentation, goes_on in (
        ({}, Augmentation(), False),
        ({"dropout": 0.2}, Augmentation(), False),
        ({}, Augmentation(rotation=5), False),
        ({}, Augmentation(), True),
    ):
        with pytest.raises(Killed):
            run("tiny", settings.model_copy(update=changes), augmentation, *data, tmp_path / "killed")
        assert ("goes on after epoch 1" in capsys.readouterr().out) == goes_on


def test_more_gpus_than_there_are_is_one_line(settings, data, tmp_path):
    with pytest.raises(ValueError, match=r"train.common.gpus: expected at most the 0 there are, got 2\."):
        run("tiny", settings.model_copy(update={"gpus": 2}), Augmentation(), *data, tmp_path / "tiny")


@pytest.mark.slow
def test_mixed_precision_computes_in_it_and_keeps_32_bits(settings, data, tmp_path):
    mixed = settings.model_copy(update={"precision": "mixed_float16", "epochs": 8})
    run("tiny", mixed, Augmentation(), *data, tmp_path / "tiny")
    model = keras.models.load_model(tmp_path / "tiny" / "model.keras", compile=False)
    assert {layer.compute_dtype for layer in model.layers if isinstance(layer, keras.layers.Conv2D)} == {"float16"}
    assert {str(weight.dtype) for weight in model.weights} == {"float32"}
    assert model.layers[-1].compute_dtype == "float32"
    assert float(read_table(tmp_path / "tiny" / "history.csv")["accuracy"].iloc[-1]) > 0.9


def test_images_too_small_for_the_network_are_refused(settings, data, tmp_path):
    with pytest.raises(ValueError, match=r"preprocess.size: expected at least 67 for alexnet, got 16x16\."):
        run("alexnet", settings, Augmentation(), *data, tmp_path / "alexnet")


def test_activations_cannot_be_augmented(project, data, tmp_path):
    pixels, split = data
    (pixels / "images.npy").unlink()
    np.save(pixels / "features.npy", np.zeros((40, 1, 1, 4), np.float32))
    (pixels / "backbone.json").write_text(
        '{"image_shape": [96, 96, 3], "pretrained": true, "network": "xception", "trainable_layers": 0}'
    )
    settings = read_settings("xception", xception)
    with pytest.raises(ValueError, match=r"train.xception.augmentation: expected one without changes, .* got none\."):
        run("xception", settings, Augmentation(rotation=5), pixels, split, tmp_path / "xception")


def test_a_network_without_a_file_is_not_trained_on_pixels(settings, data, tmp_path):
    expected = r"networks\.phone\.input: expected data/5_features/phone, because phone has no file .*, got pixels\."
    with pytest.raises(ValueError, match=expected):
        stage.run("phone", "published", settings, Augmentation(), *data, tmp_path / "phone", tmp_path / "live")


def test_a_split_of_other_images_is_refused(settings, data, tmp_path):
    pixels, split = data
    read_table(split).head(39).to_csv(split, index=False)
    with pytest.raises(ValueError, match=r"split: expected the 40 images of the inputs, got 39 others\."):
        run("tiny", settings, Augmentation(), pixels, split, tmp_path / "tiny")


COMMAND = (
    "from stages import models; models.__path__.append({networks!r}); from stages.train.__main__ import main; main()"
)


@pytest.mark.slow
def test_kill_9_in_mid_epoch_changes_nothing_in_the_end(project, data, tmp_path):
    project("train.tiny", {"learning_rate": 3e-2, "dropout": 0.5, "epochs": 8, "patience": 8, "batch_size": 2,
                           "width": 1, "scaling": "unit", "augmentation": "rotation"})  # fmt: skip
    pixels, split = data
    networks = str(ROOT / "tests" / "tiny_network")

    def start(name):
        sys_argv = [
            "tiny",
            "tiny",
            pixels,
            split,
            tmp_path / name,
            tmp_path / f"{name}_live",
            tmp_path / f"{name}.json",
        ]
        environment = warm_environment() | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path)}
        command = ["python", "-c", COMMAND.format(networks=networks), *map(str, sys_argv)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    with start("undisturbed") as process:
        output = process.stdout.read()
    assert process.returncode == 0, output
    with start("killed") as process:
        assert any(line.startswith("Epoch 5/") for line in process.stdout)
        process.send_signal(signal.SIGKILL)
        process.stdout.read()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed").exists()
    with start("killed") as process:
        assert re.search("goes on after epoch [4-7]", process.stdout.read())
    for name in ("model.keras", "history.csv"):
        assert sha256(tmp_path / "killed" / name) == sha256(tmp_path / "undisturbed" / name)


def test_activations_of_another_network_or_of_other_layers_are_refused(project, data, tmp_path):
    pixels, split = data
    (pixels / "images.npy").unlink()
    np.save(pixels / "features.npy", np.zeros((40, 1, 1, 4), np.float32))
    facts = '{"image_shape": [96, 96, 3], "pretrained": true, "network": "vgg19", "trainable_layers": 0}'
    (pixels / "backbone.json").write_text(facts)
    settings = read_settings("xception", xception)
    with pytest.raises(ValueError, match=r"networks.xception.input: expected .*, got those before the last 0 of vgg19"):
        run("xception", settings, Augmentation(), pixels, split, tmp_path / "xception")
    (pixels / "backbone.json").write_text(facts.replace("vgg19", "xception"))
    changed = settings.model_copy(update={"trainable_layers": 6})
    with pytest.raises(ValueError, match=r"before the last 6 layers of xception, got those before the last 0 of"):
        run("xception", changed, Augmentation(), pixels, split, tmp_path / "xception")
    tuned = settings.model_copy(update={"fine_tuning_epochs": 3})
    with pytest.raises(ValueError, match=r"train.xception.fine_tuning_epochs: expected 0 without trainable_layers"):
        run("xception", tuned, Augmentation(), pixels, split, tmp_path / "xception")


def test_a_head_that_is_fitted_at_once_has_nothing_else_to_learn(project, data, tmp_path):
    pixels, split = data
    settings = read_settings("xception", xception).model_copy(update={"head": "logistic"})
    said = r"train.xception.head: expected linear or dense where layers below the head learn, .*, got logistic\."
    large = np.zeros((40, 71, 71, 3), np.uint8)
    np.save(pixels / "images.npy", large)
    with pytest.raises(ValueError, match=said):
        run("xception", settings, Augmentation(), pixels, split, tmp_path / "xception")
    (pixels / "images.npy").unlink()
    np.save(pixels / "features.npy", np.zeros((40, 1, 1, 4), np.float32))
    facts = {"image_shape": [96, 96, 3], "pretrained": True, "network": "xception", "trainable_layers": 6}
    write_json(facts, pixels / "backbone.json")
    with pytest.raises(ValueError, match=said):
        changed = settings.model_copy(update={"trainable_layers": 6})
        run("xception", changed, Augmentation(), pixels, split, tmp_path / "xception")
    write_json(facts | {"trainable_layers": 0}, pixels / "backbone.json")
    np.save(pixels / "views.npy", np.zeros((2, 40, 1, 1, 4), np.float32))
    with pytest.raises(ValueError, match=said):
        run("xception", settings, Augmentation(), pixels, split, tmp_path / "xception")


def test_a_last_batch_smaller_than_the_gpus_is_refused(settings, data, tmp_path):
    with pytest.raises(ValueError, match=r"expected a batch_size .* train's .* 2 gpus, got 23, which leaves 1\."):
        changed = settings.model_copy(update={"gpus": 2, "batch_size": 23})
        run("tiny", changed, Augmentation(), *data, tmp_path / "tiny")


def test_a_second_process_at_the_same_training_is_refused(settings, data, tmp_path, checkpoints, monkeypatch):
    monkeypatch.setattr("stages.train.run.identify", lambda *_: "same")
    with open_folder("same"), pytest.raises(ValueError, match=r"same: expected no other process at the same training"):
        run("tiny", settings, Augmentation(), *data, tmp_path / "tiny")
