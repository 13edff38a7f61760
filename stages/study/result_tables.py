"""A study's results: its runs, curves and answers, as three small tables that git keeps."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd

from stages.core.files import replacing
from stages.core.tables import read_table, write_table
from stages.models import module_of
from stages.study.findings import FINAL
from stages.study.plan import Plan
from stages.tracking.dvc_lock import fingerprint_inputs
from stages.tracking.records import ANSWER, CURVE, TEST, Record, as_text
from stages.tracking.run import Run

NAMES = ("largest_class", "wanted_class")  # which may be written like numbers
DONE, FAILED, NOT_RUN = "done", "failed", "not run"
CELL = ["network", "sweep", "value", "seed", "fold", "run", "params", "seen", "status", "reason"]


@dataclass(frozen=True)
class Results:
    """The results of a study: `runs` has a row for each cell, `curves` for each epoch, `answers` for each image."""

    runs: pd.DataFrame
    curves: pd.DataFrame
    answers: pd.DataFrame


def fingerprint(run: Run) -> str:
    """Return eight digits that identify the network and all that the run sets in params.yaml.

    The usual module of a network is left out, because it follows from the name, and older tables do not have it.
    """
    usual = (f"networks.{run.network}.module", module_of(run.network))
    changes = {key: value for key, value in run.changes.items() if (key, value) != usual}
    return sha256(json.dumps([run.network, changes], sort_keys=True).encode()).hexdigest()[:8]


def gather(plan: Plan, records: dict[str, Record], failures: dict[str, str]) -> Results:
    """Gather the results of a plan; a run without a record has failed or is not run.

    The number `seen` of a record is what `fingerprint_inputs` said of its run when it was made.
    """
    rows, finals = [], {cell.run for cell in plan.cells if cell.sweep == FINAL}
    for cell in plan.cells:
        record = records.get(cell.run)
        status = DONE if record else FAILED if cell.run in failures else NOT_RUN
        numbers = record.numbers if record else {}
        if cell.sweep != FINAL:
            numbers = {key: value for key, value in numbers.items() if key not in TEST}
        rows.append({
            "network": cell.network, "sweep": cell.sweep, "value": as_text(cell.value), "seed": cell.seed,
            "fold": as_text(cell.fold), "run": cell.run, "params": fingerprint(plan.runs[cell.run]),
            "seen": "", "status": status,
            "reason": failures.get(cell.run, "") if not record else "", **numbers,
        })  # fmt: skip
    own = {name: records[name] for name in plan.runs if name in records}  # in the plan's order, whichever ended first
    curves = [record.curve.assign(run=name)[["run", *CURVE]] for name, record in own.items()]
    return Results(
        pd.DataFrame(rows, dtype=object).fillna(""),
        pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=["run", *CURVE]),
        join(own, finals),
    )


def join(records: dict[str, Record], finals: set[str]) -> pd.DataFrame:
    """Return a row for each image and a column for each run: 1 right, 0 wrong; test images only for final runs."""
    columns = []
    for name, record in records.items():
        kept = record.answers if name in finals else record.answers[record.answers["split"] == "val"]
        # Copies of an image that were kept have one name.
        numbered = kept.assign(again=kept.groupby(ANSWER).cumcount())
        columns.append(numbered.set_index([*ANSWER, "again"])["right"].rename(name))
    if not columns:
        return pd.DataFrame(columns=ANSWER)
    return pd.concat(columns, axis=1).astype("Int64").sort_index().reset_index().drop(columns="again")


def write_results(results: Results, folder: Path) -> None:
    """Write the three tables into the folder, that of the runs last: what it calls done is then in the others."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("curves", "answers", "runs"):
        with replacing(folder / f"{name}.csv") as unfinished:
            write_table(getattr(results, name), unfinished)


def withdraw(folder: Path, runs_anew: Iterable[Run]) -> None:
    """Write into the folder's table that these runs, which are to be made anew, are not run.

    Rows of the same names that were made with other params stay; they do not count as done.
    """
    path = folder / "runs.csv"
    if not path.is_file():
        return
    prints = {run.name: fingerprint(run) for run in runs_anew}
    runs = read_table(path)
    runs.loc[runs["params"] == runs["run"].map(prints), "status"] = NOT_RUN
    with replacing(path) as unfinished:
        write_table(runs, unfinished)


def read_records(folder: Path, plan: Plan) -> dict[str, Record]:
    """Read the records of the plan's runs, made with the same params, from the folder's tables.

    In a clone these are the only records. What the tables leave out are test answers of runs that are not final: of
    one that is final now there is no record.
    """
    if not (folder / "runs.csv").is_file():
        return {}
    runs, curves, answers = (read_table(folder / f"{name}.csv") for name in ("runs", "curves", "answers"))
    prints = {name: fingerprint(run) for name, run in plan.runs.items()}
    finals = {cell.run for cell in plan.cells if cell.sweep == FINAL}
    epochs = dict(iter(curves.groupby("run")))
    records: dict[str, Record] = {}
    for row in runs[runs["status"] == DONE].to_dict("records"):
        name = row["run"]
        if prints.get(name) != row["params"] or (name in records and row["sweep"] != FINAL) or name not in answers:
            continue
        own = answers.loc[answers[name] != "", [*ANSWER, name]].rename(columns={name: "right"})
        if name in finals and not is_tested(own):
            continue
        curve = epochs[name][CURVE].apply(pd.to_numeric).reset_index(drop=True)
        numbers = {
            str(key): value if key in NAMES else as_number(value) for key, value in row.items() if key not in CELL
        }
        records[name] = Record({**numbers, "seen": row.get("seen", "")}, curve, own.astype({"right": int}))
    return records


def read_current(folder: Path, plan: Plan, known: Collection[str] = ()) -> dict[str, Record]:
    """Read those of the records whose runs would see the same params and images today; the code may be another.

    Runs that are known are left out.
    """
    found = read_records(folder, plan).items()
    records = {name: each for name, each in found if name not in known and each.numbers["seen"]}
    seen = fingerprint_inputs(plan.runs[name] for name in records)
    return {name: each for name, each in records.items() if each.numbers["seen"] == seen[name]}


def stamp(plan: Plan, records: dict[str, Record]) -> None:
    """Note in the records of runs that were made just now what their steps saw."""
    fresh = [name for name in plan.runs if name in records and "seen" not in records[name].numbers]
    for name, seen in fingerprint_inputs(plan.runs[name] for name in fresh).items():
        records[name].numbers["seen"] = seen


def is_tested(answers: pd.DataFrame) -> bool:
    """Return whether a run's answers have those to test images."""
    return bool((answers["split"] == "test").any())


def untested(plan: Plan, records: dict[str, Record]) -> set[str]:
    """Return the names of the plan's final runs whose records lack test answers."""
    finals = {cell.run for cell in plan.cells if cell.sweep == FINAL}
    return {name for name in finals if name in records and not is_tested(records[name].answers)}


def read_failures(folder: Path, plan: Plan) -> dict[str, str]:
    """Read which of the plan's runs failed with the same params, and why."""
    if not (folder / "runs.csv").is_file():
        return {}
    rows = read_table(folder / "runs.csv").to_dict("records")
    prints = {name: fingerprint(run) for name, run in plan.runs.items()}
    return {
        row["run"]: row["reason"] for row in rows if row["status"] == FAILED and prints.get(row["run"]) == row["params"]
    }


def as_number(text: str) -> Any:
    """Return the number that the text writes, or the text if it writes none."""
    try:
        return float(text) if not text.lstrip("-").isdigit() else int(text)
    except ValueError:
        return text
