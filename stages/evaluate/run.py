"""Evaluate: what a trained model predicts for every image, how often it is right, and how certain its scores are."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from pydantic import Field

from stages.core import params
from stages.core.files import read_json, replacing_folder, sha256, write_json
from stages.core.tables import read_table, write_table
from stages.evaluate.answering import score_answers, set_limits
from stages.evaluate.calibration import calibration_error, calibration_interval, error_by_chance, make_bins
from stages.evaluate.predictions import Predictions, as_table, write_plots
from stages.evaluate.thresholds import choose_threshold, images_needed, precision_recall_at
from stages.networks.answer_limits import LIMITS, REFERENCES, AnswerLimits
from stages.networks.determinism import fix
from stages.networks.inputs import SplitRows, divide, read_inputs
from stages.networks.layer_graph import last_features
from stages.networks.novelty import make_references, measure_novelty
from stages.networks.operations import count_multiply_adds
from stages.networks.predicting import predict
from stages.results.bootstrap import intervals
from stages.results.grouped_accuracy import accuracy_interval
from stages.results.scores import DIGITS as SCORE_DIGITS
from stages.results.scores import losses, normalise, round_values, score

HEADLINE = ["accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "log_loss", "calibration_error"]


class Evaluate(params.Section):
    """The section `evaluate` of params.yaml."""

    batch_size: int = Field(ge=1)
    threads: int = Field(ge=1)
    draws: int = Field(ge=100)
    seed: int = Field(ge=0)
    wanted_class: str | None
    wanted_precision: float = Field(gt=0, le=1)
    refused_share: float = Field(gt=0, lt=1)
    set_coverage: float = Field(gt=0, lt=1)


def run(settings: Evaluate, source: Path, split: Path, trained: Path, target: Path) -> dict[str, Any]:
    """Write predictions, metrics, the tables of the test plots and the limits of answers to target; return the metrics.

    Raises:
        ValueError: The model knows other classes than the split, or the wanted class is not among them.
    """
    network = read_json(trained / "network.json")
    inputs, table = read_inputs(source), read_table(split, "image_id", "class", "group", "split")
    classes, parts = divide(inputs, table)
    check_classes(settings, classes, network["classes"], trained)
    fix(0, settings.threads)
    model = keras.models.load_model(trained / "model.keras", compile=False)
    probabilities = predict(model, inputs.array, settings.batch_size)
    labels = table["class"].map(classes.index).to_numpy(dtype=np.int64)
    predictions = Predictions(probabilities, labels, table["group"].to_numpy(), classes)
    metrics = count_costs(model, network) | score_splits(settings, predictions, parts)
    metrics |= undo_calibration(predictions, parts, network.get("temperature", 1.0))
    features = predict(last_features(model), inputs.array, settings.batch_size)
    references = make_references(features[parts["train"].rows])
    limits, limited = limit_answers(settings, predictions, features, references, parts)
    limited["intervals"] |= metrics["test"]["intervals"]
    metrics["test"] |= limited
    with replacing_folder(target, "evaluate") as folder:
        write_table(as_table(predictions, table, read_table(source / "index.csv")), folder / "predictions.csv")
        write_plots(predictions.of_split(parts["test"]), folder)
        write_json(metrics, folder / "metrics.json")
        write_json(limits.model_dump() | {"model": sha256(trained / "model.keras")}, folder / LIMITS)
        np.save(folder / REFERENCES, references)
    return metrics


def check_classes(settings: Evaluate, classes: list[str], known: list[str], trained: Path) -> None:
    """Check that the model has the classes of the split, and that the wanted class is one of them.

    Raises:
        ValueError: The model has other classes, or the wanted class is none of them.
    """
    if classes != known:
        raise ValueError(f"{trained}: expected a model of {', '.join(classes)}, got {', '.join(known)}.")
    if settings.wanted_class and settings.wanted_class not in classes:
        raise ValueError(
            f"params.yaml evaluate.wanted_class: expected one of {', '.join(classes)}, got {settings.wanted_class}."
        )


def count_costs(model: keras.Model, network: dict[str, Any]) -> dict[str, Any]:
    """Return what the model costs for one image, with its frozen part; megabytes are counted for 32-bit weights."""
    return {
        "parameters": network["parameters"],
        "multiply_adds": count_multiply_adds(model) + network["backbone"].get("frozen_multiply_adds", 0),
        "megabytes": round(network["parameters"] * 4 / 1e6, 2),
        "pretrained": network["pretrained"],
    }


def score_splits(settings: Evaluate, predictions: Predictions, parts: dict[str, SplitRows]) -> dict[str, Any]:
    """Return the scores of each split, with intervals for validation and test, and the wanted class if one is set."""
    metrics: dict[str, Any] = {}
    for name, part in parts.items():
        own = predictions.of_split(part)
        metrics[name] = score(own.labels, own.probabilities, own.classes)
        bins = make_bins(own.labels, own.probabilities)
        metrics[name]["calibration_error"] = round(calibration_error(bins), SCORE_DIGITS)
        if name != "train":
            drawn = intervals(own.labels, own.probabilities, own.groups, settings.draws, settings.seed)
            drawn["accuracy"] = rounded(accuracy_interval(own.right, own.groups))
            drawn["calibration_error"] = rounded(calibration_interval(bins, own.groups, settings.draws, settings.seed))
            metrics[name]["intervals"] = drawn
            by_chance = error_by_chance(bins, own.groups, settings.draws, settings.seed)
            metrics[name]["calibration_error_by_chance"] = round(by_chance, SCORE_DIGITS)
    if settings.wanted_class:
        metrics["wanted"] = reach_precision(settings, predictions, parts)
    return metrics


def rounded(ends: tuple[float, float]) -> list[float]:
    """Return the ends of an interval as JSON holds them."""
    return [round(end, SCORE_DIGITS) for end in ends]


def undo_calibration(predictions: Predictions, parts: dict[str, SplitRows], temperature: float) -> dict[str, Any]:
    """Return the model's temperature, and the log loss and calibration error that it would have without it."""
    found: dict[str, dict[str, float]] = {}
    for name in ("val", "test"):
        own = predictions.of_split(parts[name])
        before = normalise(normalise(own.probabilities) ** temperature)
        error = calibration_error(make_bins(own.labels, before))
        found[name] = {"log_loss": float(losses(own.labels, before).mean()), "calibration_error": error}
    return {"temperature": temperature, "uncalibrated": {name: round_values(values) for name, values in found.items()}}


def limit_answers(
    settings: Evaluate, predictions: Predictions, features: npt.NDArray[np.float32],
    references: npt.NDArray[np.float16], parts: dict[str, SplitRows],
) -> tuple[AnswerLimits, dict[str, Any]]:  # fmt: skip
    """Return the limits of the answers, set on validation, and what they do to the test images.

    `features` are the last features of all images, and `references` those of training images.
    """
    val, test = (predictions.of_split(parts[name]) for name in ("val", "test"))
    of_val, of_test = (measure_novelty(features[parts[name].rows], references) for name in ("val", "test"))
    limits = set_limits(val, of_val, settings.refused_share, settings.set_coverage)
    return limits, score_answers(limits, test, of_test)


def reach_precision(settings: Evaluate, predictions: Predictions, parts: dict[str, SplitRows]) -> dict[str, Any]:
    """Return the threshold of the wanted class, chosen on validation, and its precision and recall on both splits.

    The threshold is None if none reaches the wanted precision on validation. `is_sure` says whether it will reach it on
    other images too, with 95 % certainty, and `needed` how many images above it that takes at least.
    """
    number = predictions.classes.index(settings.wanted_class or "")
    split = {name: predictions.of_split(parts[name]) for name in ("val", "test")}
    is_wanted = {name: own.labels == number for name, own in split.items()}
    scores = {name: own.probabilities[:, number] for name, own in split.items()}
    wanted = settings.wanted_precision
    threshold = choose_threshold(is_wanted["val"], scores["val"], split["val"].groups, wanted)
    found: dict[str, Any] = {"class": settings.wanted_class, "precision": wanted, "needed": images_needed(wanted)}
    if threshold is None:
        return found | {"threshold": None, "is_sure": False}
    found |= {"threshold": threshold.score, "is_sure": threshold.is_sure}
    return found | {name: precision_recall_at(is_wanted[name], scores[name], threshold.score) for name in split}


def headline(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers that `dvc metrics diff` shows on one screen; the others stay in the evaluation's folder."""
    cost = {key: metrics[key] for key in ("parameters", "multiply_adds", "megabytes", "pretrained", "temperature")}
    scores = {split: {key: metrics[split][key] for key in HEADLINE} for split in ("val", "test")}
    wanted = {"wanted": metrics["wanted"]} if "wanted" in metrics else {}
    scores["test"]["likely_classes"] = metrics["test"]["likely_classes"]
    return cost | {"train": {"accuracy": metrics["train"]["accuracy"]}} | scores | wanted
