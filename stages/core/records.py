"""What the runs of a study came to: from their experiments, and as three small tables that git keeps."""

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd

from stages.core.claims import FINAL
from stages.core.experiments import Experiment, cached, git
from stages.core.files import read_table, replacing, write_table
from stages.core.locks import outputs
from stages.core.plans import Plan
from stages.core.runs import Run

DIGITS = 4
DIGITS_OF_ID = 16  # of 64: enough to tell a data set's images apart
DONE, FAILED, MISSING = "done", "failed", "not run"
CELL = ["network", "sweep", "value", "seed", "run", "params", "status", "reason"]
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


@dataclass(frozen=True)
class Results:
    """A study's results: a row for each cell of its plan, for each epoch of a run, and for each image."""

    runs: pd.DataFrame
    curves: pd.DataFrame
    answers: pd.DataFrame


def fingerprint(run: Run) -> str:
    """Eight digits for all that the run sets in params.yaml."""
    return sha256(json.dumps([run.network, run.changes], sort_keys=True).encode()).hexdigest()[:8]


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
    numbers = {
        **{column: dig(metrics, name) for column, name in {**VALIDATION, **TEST}.items()},
        **describe(curve), "largest_class": train["class"].mode()[0],
    }  # fmt: skip
    short = {"image": answers["image_id"].str[:DIGITS_OF_ID], "group": answers["group"].str[:DIGITS_OF_ID]}
    answers = answers.assign(**short, right=(answers["class"] == answers["predicted"]) * 1)
    return Record(numbers, curve, answers.loc[answers["split"].isin(["val", "test"]), [*ANSWER, "right"]])


def dig(values: Any, name: str) -> Any:
    """The value at a dotted name; empty where there is none."""
    for key in name.split("."):
        values = values.get(key, "") if isinstance(values, dict) else ""
    return "" if values is None else values


def describe(curve: pd.DataFrame) -> dict[str, Any]:
    """The curve in few numbers: its epochs, that with the lowest validation loss, and the losses there and at last."""
    best = curve.iloc[int(curve["val_loss"].argmin())]
    last = curve.iloc[-1]
    return {
        "epochs": len(curve), "best_epoch": int(best["epoch"]), "best_val_loss": best["val_loss"],
        "last_train_loss": last["train_loss"], "last_val_loss": last["val_loss"],
    }  # fmt: skip


def gather(plan: Plan, records: dict[str, Record], failures: dict[str, str]) -> Results:
    """The results of a plan, with what there is: runs without a record have failed or are not run."""
    rows, finals = [], {cell.run for cell in plan.cells if cell.sweep == FINAL}
    for cell in plan.cells:
        record = records.get(cell.run)
        status = DONE if record else FAILED if cell.run in failures else MISSING
        numbers = record.numbers if record else {}
        if cell.sweep != FINAL:
            numbers = {key: value for key, value in numbers.items() if key not in TEST}
        rows.append({
            "network": cell.network, "sweep": cell.sweep, "value": as_text(cell.value), "seed": cell.seed,
            "run": cell.run, "params": fingerprint(plan.runs[cell.run]), "status": status,
            "reason": failures.get(cell.run, "") if not record else "", **numbers,
        })  # fmt: skip
    curves = [record.curve.assign(run=name)[["run", *CURVE]] for name, record in records.items() if name in plan.runs]
    return Results(
        pd.DataFrame(rows, dtype=object).fillna(""),
        pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=["run", *CURVE]),
        join({name: one for name, one in records.items() if name in plan.runs}, finals),
    )


def join(records: dict[str, Record], finals: set[str]) -> pd.DataFrame:
    """A row for each image and split it is in, a column for each run: 1 right, 0 wrong; test only for final runs."""
    columns = []
    for name, record in records.items():
        kept = record.answers if name in finals else record.answers[record.answers["split"] == "val"]
        columns.append(kept.set_index(ANSWER)["right"].rename(name))
    if not columns:
        return pd.DataFrame(columns=ANSWER)
    return pd.concat(columns, axis=1).astype("Int64").sort_index().reset_index()


def as_text(value: Any) -> str:
    """The value as params.yaml has it."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def write_results(results: Results, folder: Path) -> None:
    """The three tables are in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("runs", "curves", "answers"):
        with replacing(folder / f"{name}.csv") as unfinished:
            write_table(getattr(results, name), unfinished)


def read_records(folder: Path, plan: Plan) -> dict[str, Record]:
    """The runs of the plan that the folder's tables hold, made with the same params; in a clone these are all there is.

    What the tables leave out, the test answers of runs that are not final, stays out.
    """
    if not (folder / "runs.csv").is_file():
        return {}
    runs, curves, answers = (read_table(folder / f"{name}.csv") for name in ("runs", "curves", "answers"))
    prints = {name: fingerprint(run) for name, run in plan.runs.items()}
    records = {}
    for row in runs[runs["status"] == DONE].to_dict("records"):
        name = row["run"]
        if prints.get(name) != row["params"] or (name in records and row["sweep"] != FINAL):
            continue
        curve = curves.loc[curves["run"] == name, CURVE].apply(pd.to_numeric).reset_index(drop=True)
        own = answers.loc[answers[name] != "", [*ANSWER, name]].rename(columns={name: "right"})
        numbers = {str(key): as_number(value) for key, value in row.items() if key not in CELL}
        records[name] = Record(numbers, curve, own.astype({"right": int}))
    return records


def read_failures(folder: Path, plan: Plan) -> dict[str, str]:
    """The runs of the plan that failed, made with the same params, and why."""
    if not (folder / "runs.csv").is_file():
        return {}
    rows = read_table(folder / "runs.csv").to_dict("records")
    prints = {name: fingerprint(run) for name, run in plan.runs.items()}
    return {
        row["run"]: row["reason"] for row in rows if row["status"] == FAILED and prints.get(row["run"]) == row["params"]
    }


def as_number(text: str) -> Any:
    """The number that the text is; the text where it is none."""
    try:
        return float(text) if not text.lstrip("-").isdigit() else int(text)
    except ValueError:
        return text
