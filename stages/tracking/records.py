"""The record of a finished run: its numbers, its curve and its answers, read from its experiment."""

import json
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd

from stages.tracking.dvc_experiments import Experiment, read_output
from stages.tracking.dvc_lock import outputs
from stages.tracking.git import git
from stages.tracking.run import Run

DIGITS = 4
DIGITS_OF_ID = 16  # of 64: enough to tell a data set's images apart
ANSWER = ["image", "split", "group", "class"]
CURVE = ["epoch", "train_loss", "val_loss", "train_accuracy", "val_accuracy"]
# Columns of runs.csv, and the dotted names of metrics/<network>.json.
VALIDATION = {
    "train_accuracy": "train.accuracy", "val_accuracy": "val.accuracy", "val_macro_f1": "val.macro_f1",
    "val_balanced_accuracy": "val.balanced_accuracy", "val_roc_auc": "val.roc_auc", "val_log_loss": "val.log_loss",
    "parameters": "parameters", "pretrained": "pretrained",
}  # fmt: skip

# Of final models only: with a test accuracy beside each value of a sweep, someone would sooner or later choose by it.
TEST = {
    "test_accuracy": "test.accuracy", "test_macro_f1": "test.macro_f1", "wanted_class": "wanted.class",
    "wanted_threshold": "wanted.threshold", "wanted_precision": "wanted.test.precision",
    "wanted_low": "wanted.test.low", "wanted_high": "wanted.test.high", "wanted_recall": "wanted.test.recall",
}  # fmt: skip


@dataclass(frozen=True)
class Record:
    """A finished run: its numbers, a row for each epoch, and for each val or test image whether the model was right."""

    numbers: dict[str, Any]
    curve: pd.DataFrame
    answers: pd.DataFrame


def read_record(run: Run, experiment: Experiment) -> Record:
    """Read the run's record from the experiment's commit and from DVC's cache."""
    metrics = json.loads(git("show", f"{experiment.commit}:metrics/{run.network}.json"))
    stages = [experiment.lock[f"train@{run.network}"], experiment.lock[run.target]]
    files = {path.name: path for stage in stages for path in outputs(stage)}
    history = pd.read_csv(StringIO(read_output(experiment, files["history.csv"])))
    answers = pd.read_csv(StringIO(read_output(experiment, files["predictions.csv"])), dtype=str, keep_default_na=False)
    curve = history.pivot(index="epoch", columns="split", values=["loss", "accuracy"])
    curve.columns = pd.Index(["_".join(reversed(names)) for names in curve.columns.to_flat_index()])
    curve = curve.reset_index()[CURVE].round(DIGITS)
    train = answers[answers["split"] == "train"]
    kept_epoch = read_kept_epoch(experiment, files.get("network.json"))
    numbers = {
        **{column: nested_value(metrics, name) for column, name in {**VALIDATION, **TEST}.items()},
        **summarise_curve(curve, kept_epoch), "largest_class": train["class"].mode()[0],
    }  # fmt: skip
    short = {"image": answers["image_id"].str[:DIGITS_OF_ID], "group": answers["group"].str[:DIGITS_OF_ID]}
    answers = answers.assign(**short, right=(answers["class"] == answers["predicted"]) * 1)
    return Record(numbers, curve, answers.loc[answers["split"].isin(["val", "test"]), [*ANSWER, "right"]])


def read_kept_epoch(experiment: Experiment, path: Path | None) -> int | None:
    """Read the kept epoch from a run's network.json; None if the file does not say it."""
    facts = json.loads(read_output(experiment, path)) if path else {}
    epoch: int | None = facts.get("kept_epoch")
    return epoch


def nested_value(values: Any, name: str) -> Any:
    """Return the value at a dotted name of nested tables; an empty text if there is none or it is None."""
    for key in name.split("."):
        values = values.get(key, "") if isinstance(values, dict) else ""
    return "" if values is None else values


def summarise_curve(curve: pd.DataFrame, kept_epoch: int | None) -> dict[str, Any]:
    """Return the number of epochs, the kept epoch, and the losses of the kept and the last epoch.

    `train` of earlier versions did not write the kept epoch: then it is the epoch with the lowest validation loss.
    """
    best = curve.iloc[int(curve["val_loss"].argmin()) if kept_epoch is None else kept_epoch - 1]
    last = curve.iloc[-1]
    return {
        "epochs": len(curve), "best_epoch": int(best["epoch"]), "best_val_loss": best["val_loss"],
        "last_train_loss": last["train_loss"], "last_val_loss": last["val_loss"],
    }  # fmt: skip


def as_text(value: Any) -> str:
    """Return the value as params.yaml writes it."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
