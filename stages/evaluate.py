"""Evaluate: what a trained network says of every image, and how often it is right."""

import argparse
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from pydantic import Field

from stages.core import params
from stages.core.determinism import fix
from stages.core.files import read_json, read_table, replacing, write_json, write_table
from stages.core.inputs import SPLITS, Inputs, divide, read_inputs
from stages.core.scores import score
from stages.core.terminal import command


class Evaluate(params.Section):
    """The section `evaluate` of params.yaml."""

    batch_size: int = Field(ge=1)
    threads: int = Field(ge=1)


def run(settings: Evaluate, source: Path, split: Path, trained: Path, target: Path) -> dict[str, Any]:
    """The metrics, after the folder target holds `predictions.csv`, `confusion.csv` (test) and `metrics.json`.

    Raises:
        ValueError: the model knows other classes than the split.
    """
    network = read_json(trained / "network.json")
    inputs, table = read_inputs(source), read_table(split)
    classes, _ = divide(inputs, table)
    if classes != network["classes"]:
        raise ValueError(f"{trained}: expected a model of {', '.join(classes)}, got {', '.join(network['classes'])}.")
    fix(0, settings.threads)
    model = keras.models.load_model(trained / "model.keras", compile=False)
    predictions = as_table(predict(model, inputs, settings), table, classes)
    metrics = {
        "parameters": network["parameters"],
        "pretrained": network["pretrained"],
        **{name: score(predictions[predictions["split"] == name], classes) for name in SPLITS},
    }
    is_test = predictions["split"] == "test"
    with replacing(target) as folder:
        folder.mkdir()
        write_table(predictions, folder / "predictions.csv")
        write_table(predictions.loc[is_test, ["class", "predicted"]], folder / "confusion.csv")
        write_json(metrics, folder / "metrics.json")
    return metrics


def predict(model: keras.Model, inputs: Inputs, settings: Evaluate) -> np.ndarray:
    """The probabilities `(n, n_classes)` of all rows; nothing is augmented or dropped out."""
    probabilities: np.ndarray = model.predict(inputs.array, batch_size=settings.batch_size, verbose=0)
    return probabilities


def as_table(probabilities: np.ndarray, split: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """A row for each image: its id, class, split, the most probable class, and every class's probability."""
    predicted = [classes[i] for i in probabilities.argmax(axis=1)]
    table = split[["image_id", "class", "split"]].assign(predicted=predicted)
    columns = {f"p_{name}": probabilities[:, i].round(6) for i, name in enumerate(classes)}
    return table.assign(**columns)


def main() -> None:
    """Evaluate a trained network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="the folder of pixels or activations that it was trained on")
    parser.add_argument("split", type=Path, help="the table of splits")
    parser.add_argument("trained", type=Path, help="the folder of the model")
    parser.add_argument("target", type=Path, help="the folder of predictions to write")
    parser.add_argument("metrics", type=Path, help="the metrics to write, as JSON")
    arguments = parser.parse_args()
    settings = params.read(Evaluate, "evaluate")
    metrics = run(settings, arguments.source, arguments.split, arguments.trained, arguments.target)
    write_json(metrics, arguments.metrics)


if __name__ == "__main__":
    command(main)
