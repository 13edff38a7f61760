"""What the runs of a study came to: from their experiments, and as three small tables that git keeps."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from stages.tracking.dvc_experiments import Experiment, cached, git
from stages.tracking.dvc_lock import Lock, outputs
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

# Only of final models: a test accuracy beside each value of a sweep would be chosen by, sooner or later.
TEST = {
    "test_accuracy": "test.accuracy", "test_macro_f1": "test.macro_f1", "wanted_class": "wanted.class",
    "wanted_threshold": "wanted.threshold", "wanted_precision": "wanted.test.precision",
    "wanted_low": "wanted.test.low", "wanted_high": "wanted.test.high", "wanted_recall": "wanted.test.recall",
}  # fmt: skip


@dataclass(frozen=True)
class Record:
    """One finished run: its numbers, a row for each epoch, and for each image of val and test whether it was right."""

    numbers: dict[str, Any]
    curve: pd.DataFrame
    answers: pd.DataFrame


def read_record(run: Run, experiment: Experiment) -> Record:
    """What an experiment left in its commit and in DVC's cache."""
    metrics = json.loads(git("show", f"{experiment.commit}:metrics/{run.network}.json"))
    stages = [experiment.lock[f"train@{run.network}"], experiment.lock[run.target]]
    files = {path.name: path for stage in stages for path in outputs(stage)}
    history = pd.read_csv(cached(experiment.lock, files["history.csv"]))
    answers = pd.read_csv(cached(experiment.lock, files["predictions.csv"]), dtype=str, keep_default_na=False)
    curve = history.pivot(index="epoch", columns="split", values=["loss", "accuracy"])
    curve.columns = pd.Index(["_".join(reversed(names)) for names in curve.columns.to_flat_index()])
    curve = curve.reset_index()[CURVE].round(DIGITS)
    train = answers[answers["split"] == "train"]
    kept_epoch = read_kept_epoch(experiment.lock, files.get("network.json"))
    numbers = {
        **{column: dig(metrics, name) for column, name in {**VALIDATION, **TEST}.items()},
        **describe(curve, kept_epoch), "largest_class": train["class"].mode()[0],
    }  # fmt: skip
    short = {"image": answers["image_id"].str[:DIGITS_OF_ID], "group": answers["group"].str[:DIGITS_OF_ID]}
    answers = answers.assign(**short, right=(answers["class"] == answers["predicted"]) * 1)
    return Record(numbers, curve, answers.loc[answers["split"].isin(["val", "test"]), [*ANSWER, "right"]])


def read_kept_epoch(lock: Lock, path: Path | None) -> int | None:
    """Read the kept epoch from a run's network.json; None if the file is gone or does not say it."""
    if path is None or not (kept := cached(lock, path)).is_file():
        return None
    epoch: int | None = json.loads(kept.read_text(encoding="utf-8")).get("kept_epoch")
    return epoch


def dig(values: Any, name: str) -> Any:
    """The value at a dotted name; empty where there is none."""
    for key in name.split("."):
        values = values.get(key, "") if isinstance(values, dict) else ""
    return "" if values is None else values


def describe(curve: pd.DataFrame, kept_epoch: int | None) -> dict[str, Any]:
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
    """The value as params.yaml has it."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
