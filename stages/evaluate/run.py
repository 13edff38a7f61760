"""Evaluate: what a trained network says of every image, how often it is right, and how sure that is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from stages.core import params
from stages.core.files import read_json, read_table, replacing, write_json, write_table
from stages.evaluate.curves import per_class_bars, precision_recall_points, reliability, roc_points
from stages.networks.determinism import fix
from stages.networks.inputs import SplitRows, divide, read_inputs
from stages.networks.operations import count_multiply_adds
from stages.networks.predicting import predict
from stages.results.bootstrap import intervals
from stages.results.scores import losses, precision_recall_at, score, threshold_for

PROVENANCE = ["source", "source_id", "title", "url", "page_url", "author", "licence", "licence_url", "file"]
HEADLINE = ["accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "log_loss", "calibration_error"]
DIGITS = 6


class Evaluate(params.Section):
    """The section `evaluate` of params.yaml."""

    batch_size: int = Field(ge=1)
    threads: int = Field(ge=1)
    draws: int = Field(ge=100)
    seed: int = Field(ge=0)
    wanted_class: str | None
    wanted_precision: float = Field(gt=0, le=1)


@dataclass(frozen=True)
class Answers:
    """A network's probabilities `(n, n_classes)` of images, their true class numbers, and their duplicate groups."""

    probabilities: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    groups: npt.NDArray[Any]
    classes: list[str]

    def of(self, part: SplitRows) -> "Answers":
        """Those of one split."""
        rows = part.rows
        return Answers(self.probabilities[rows], self.labels[rows], self.groups[rows], self.classes)


def run(settings: Evaluate, source: Path, split: Path, trained: Path, target: Path) -> dict[str, Any]:
    """The metrics, after the folder target holds `predictions.csv`, `metrics.json` and the tables of the test plots.

    Raises:
        ValueError: the model knows other classes than the split, or none of them is the wanted one.
    """
    network = read_json(trained / "network.json")
    inputs, table = read_inputs(source), read_table(split)
    classes, parts = divide(inputs, table)
    check(settings, classes, network["classes"], trained)
    fix(0, settings.threads)
    model = keras.models.load_model(trained / "model.keras", compile=False)
    probabilities = predict(model, inputs.array, settings.batch_size)
    labels = table["class"].map(classes.index).to_numpy(dtype=np.int64)
    answers = Answers(probabilities, labels, table["group"].to_numpy(), classes)
    metrics = describe(model, network) | measure(settings, answers, parts)
    with replacing(target) as folder:
        folder.mkdir()
        write_table(as_table(answers, table, read_table(source / "index.csv")), folder / "predictions.csv")
        write_plots(answers.of(parts["test"]), folder)
        write_json(metrics, folder / "metrics.json")
    return metrics


def check(settings: Evaluate, classes: list[str], known: list[str], trained: Path) -> None:
    """Nothing, where the model's classes are those of the split, and the wanted one is among them.

    Raises:
        ValueError: they are not.
    """
    if classes != known:
        raise ValueError(f"{trained}: expected a model of {', '.join(classes)}, got {', '.join(known)}.")
    if settings.wanted_class and settings.wanted_class not in classes:
        raise ValueError(
            f"params.yaml evaluate.wanted_class: expected one of {', '.join(classes)}, got {settings.wanted_class}."
        )


def describe(model: keras.Model, network: dict[str, Any]) -> dict[str, Any]:
    """What the network costs for one image, its frozen part included; megabytes are those of 32-bit weights."""
    return {
        "parameters": network["parameters"],
        "multiply_adds": count_multiply_adds(model) + network["backbone"].get("frozen_multiply_adds", 0),
        "megabytes": round(network["parameters"] * 4 / 1e6, 2),
        "pretrained": network["pretrained"],
    }


def measure(settings: Evaluate, answers: Answers, parts: dict[str, SplitRows]) -> dict[str, Any]:
    """The scores of each split, for validation and test with intervals, and what a wanted precision costs."""
    metrics: dict[str, Any] = {}
    for name, part in parts.items():
        each = answers.of(part)
        metrics[name] = score(each.labels, each.probabilities, each.classes)
        if name != "train":
            drawn = intervals(each.labels, each.probabilities, each.groups, settings.draws, settings.seed)
            metrics[name]["intervals"] = drawn
    if settings.wanted_class:
        metrics["wanted"] = reach(settings, answers, parts)
    return metrics


def reach(settings: Evaluate, answers: Answers, parts: dict[str, SplitRows]) -> dict[str, Any]:
    """The threshold of the wanted class, chosen on validation, and its precision and recall there and on test.

    A threshold of null says that no one reaches the precision on validation.
    """
    number = answers.classes.index(settings.wanted_class or "")
    split = {name: answers.of(parts[name]) for name in ("val", "test")}
    is_wanted = {name: each.labels == number for name, each in split.items()}
    scores = {name: each.probabilities[:, number] for name, each in split.items()}
    threshold = threshold_for(is_wanted["val"], scores["val"], settings.wanted_precision)
    found: dict[str, Any] = {
        "class": settings.wanted_class, "precision": settings.wanted_precision, "threshold": threshold,
    }  # fmt: skip
    if threshold is not None:
        found |= {name: precision_recall_at(is_wanted[name], scores[name], threshold) for name in split}
    return found


def as_table(answers: Answers, split: pd.DataFrame, index: pd.DataFrame) -> pd.DataFrame:
    """A row for each image: class, split, answer, loss, every class's probability, and where the image is from."""
    predicted = [answers.classes[i] for i in answers.probabilities.argmax(axis=1)]
    columns = {f"p_{name}": answers.probabilities[:, i].round(DIGITS) for i, name in enumerate(answers.classes)}
    return split[["image_id", "class", "split", "group"]].assign(
        predicted=predicted,
        loss=losses(answers.labels, answers.probabilities).round(DIGITS),
        **columns,
        **{name: index.get(name, "") for name in PROVENANCE},
    )


def write_plots(answers: Answers, folder: Path) -> None:
    """The tables behind the plots of the test images are in the folder."""
    names = np.array(answers.classes, dtype=object)
    confusion = {"class": names[answers.labels], "predicted": names[answers.probabilities.argmax(axis=1)]}
    write_table(pd.DataFrame(confusion), folder / "confusion.csv")
    given = (answers.labels, answers.probabilities)
    write_table(roc_points(*given, answers.classes), folder / "roc.csv")
    write_table(precision_recall_points(*given, answers.classes), folder / "precision_recall.csv")
    write_table(reliability(*given), folder / "reliability.csv")
    write_table(per_class_bars(*given, answers.classes), folder / "classes.csv")


def headline(metrics: dict[str, Any]) -> dict[str, Any]:
    """The numbers that `dvc metrics diff` shows on one screen; the others stay in the evaluation's folder."""
    cost = {key: metrics[key] for key in ("parameters", "multiply_adds", "megabytes", "pretrained")}
    scores = {split: {key: metrics[split][key] for key in HEADLINE} for split in ("val", "test")}
    wanted = {"wanted": metrics["wanted"]} if "wanted" in metrics else {}
    return cost | {"train": {"accuracy": metrics["train"]["accuracy"]}} | scores | wanted
