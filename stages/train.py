"""Train: one network on its input, its best epoch by validation kept."""

import argparse
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pandas as pd

from stages import models
from stages.core import heads, params
from stages.core.augmentation import Augmentation, read_augmentation
from stages.core.backbones import read_tail
from stages.core.batches import Batches, balanced_weights
from stages.core.determinism import fix
from stages.core.files import read_table, replacing, sha256, write_json, write_table
from stages.core.hyperparams import Hyperparams
from stages.core.inputs import Inputs, Part, check_side, divide, read_inputs
from stages.core.saving import save
from stages.core.terminal import command


def run(
    name: str, settings: Hyperparams, amounts: Augmentation, source: Path, split: Path, target: Path
) -> dict[str, Any]:
    """What the training took, after the folder target holds `model.keras`, `network.json` and `history.csv`.

    Raises:
        ValueError: the network, its image size or its augmentation cannot be, or the loss is no longer finite.
    """
    network = models.load(name)
    inputs = read_inputs(source)
    check(name, network, inputs, settings, amounts)
    classes, parts = divide(inputs, read_table(split))
    fix(settings.seed, settings.threads)
    model = assemble(network, inputs, len(classes), settings, source)
    start = time.perf_counter()
    history = fit(model, inputs, parts, settings, amounts, len(classes))
    seconds = time.perf_counter() - start
    check_finite(name, history)
    with replacing(target) as folder:
        folder.mkdir()
        save(model, folder / "model.keras")
        write_json(describe(name, model, inputs, classes), folder / "network.json")
        write_table(as_table(history), folder / "history.csv")
    epochs = len(history["loss"])
    return {
        "model_sha256": sha256(target / "model.keras"),
        "train_seconds": round(seconds, 1),
        "seconds_per_epoch": round(seconds / epochs, 2),
    }


def check(name: str, network: ModuleType, inputs: Inputs, settings: Hyperparams, amounts: Augmentation) -> None:
    """Nothing, where the network can be trained on the input.

    Raises:
        ValueError: the images are too small, or activations were to be augmented.
    """
    check_side(inputs.image_shape, network.MIN_SIDE, name)
    if inputs.backbone and amounts.changes:
        raise ValueError(
            f"params.yaml train.{name}.augmentation: expected one without changes, because the frozen part's "
            f"activations are computed once, got {settings.augmentation}."
        )


def assemble(network: ModuleType, inputs: Inputs, n_classes: int, settings: Any, source: Path) -> keras.Model:
    """The model to train: the network, or the tail of its backbone and its head."""
    if not inputs.backbone:
        return network.build(inputs.shape, n_classes, settings)
    tail = read_tail(network, inputs.image_shape, settings.trainable_layers, source)
    head = heads.build(inputs.shape if tail is None else tail.output_shape[1:], n_classes, settings)
    if tail is None:
        return head
    activations = keras.Input(inputs.shape)
    return keras.Model(activations, head(tail(activations)))


def fit(
    model: keras.Model,
    inputs: Inputs,
    parts: dict[str, Part],
    settings: Hyperparams,
    amounts: Augmentation,
    n_classes: int,
) -> dict[str, list[float]]:
    """The losses and accuracies of each epoch; the model then has the weights of its best one by `monitor`."""
    model.compile(
        optimizer=keras.optimizers.Adam(settings.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
    weights = balanced_weights(parts["train"].labels, n_classes) if settings.class_weights else None
    best = keras.callbacks.EarlyStopping(settings.monitor, patience=settings.patience, restore_best_weights=True)
    history = model.fit(
        Batches(inputs.array, parts["train"], settings.batch_size, settings.seed, amounts, weights),
        validation_data=Batches(inputs.array, parts["val"], settings.batch_size, settings.seed),
        epochs=settings.epochs,
        shuffle=False,  # `Batches` does, by its own seed
        callbacks=[best, keras.callbacks.TerminateOnNaN()],
        verbose=1 if sys.stdout.isatty() else 2,
    )
    losses: dict[str, list[float]] = history.history
    return losses


def check_finite(name: str, history: dict[str, list[float]]) -> None:
    """Nothing, where every loss is a number.

    Raises:
        ValueError: the training has run away.
    """
    if not np.isfinite(history["loss"]).all():
        epoch = len(history["loss"])
        raise ValueError(
            f"params.yaml train.{name}.learning_rate: expected one with which the loss stays finite, got a loss of "
            f"{history['loss'][-1]} in epoch {epoch}; try a tenth of it."
        )


def describe(name: str, model: keras.Model, inputs: Inputs, classes: list[str]) -> dict[str, Any]:
    """What one must know to use the model; parameters include those of a frozen part."""
    return {
        "network": name,
        "classes": classes,
        "image_shape": list(inputs.image_shape),
        "parameters": model.count_params() + inputs.backbone.get("frozen_parameters", 0),
        "pretrained": inputs.backbone.get("pretrained", False),
    }


def as_table(history: dict[str, list[float]]) -> pd.DataFrame:
    """The history with a row for each epoch, from 1, and split."""
    epochs = range(1, len(history["loss"]) + 1)
    halves = [
        pd.DataFrame(
            {"epoch": epochs, "split": split, "loss": history[f"{key}loss"], "accuracy": history[f"{key}accuracy"]}
        )
        for split, key in (("train", ""), ("val", "val_"))
    ]
    return pd.concat(halves).sort_values(["epoch", "split"])


def main() -> None:
    """Train the named network as params.yaml says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", help="a network of stages/models")
    parser.add_argument("source", type=Path, help="the folder of pixels or activations")
    parser.add_argument("split", type=Path, help="the table of splits")
    parser.add_argument("target", type=Path, help="the folder of the model to write")
    parser.add_argument("timing", type=Path, help="the times to write, as JSON")
    arguments = parser.parse_args()
    name = arguments.network
    settings = params.read(models.load(name).Params, "train.common", f"train.{name}")
    amounts = read_augmentation(settings.augmentation)
    timing = run(name, settings, amounts, arguments.source, arguments.split, arguments.target)
    write_json(timing, arguments.timing)


if __name__ == "__main__":
    command(main)
