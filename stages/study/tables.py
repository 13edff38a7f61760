"""The results of several studies as tables for figures: a row for each epoch, each value, or each final model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from stages.core.tables import read_table
from stages.study.findings import FINAL, Setting
from stages.study.result_tables import DONE, Results
from stages.study.statistics import Evidence, accuracy_of
from stages.tracking.records import ANSWER, CURVE

SETTING = ["study", "network", "sweep", "value"]
INTERVAL = ["accuracy", "low", "high", "runs"]
SPLITS = {"train": "training", "val": "validation"}

Studies = Mapping[str, Evidence]


def read_studies(folder: Path, margin: float) -> dict[str, Evidence]:
    """Read the results of each study in the folder, by its name, sorted; the folder may be missing."""
    tables = sorted(folder.glob("*/runs.csv"))
    return {path.parent.name: Evidence(read_results(path.parent), margin) for path in tables}


def read_results(folder: Path) -> Results:
    """Read a study's three tables, with numbers in curves and answers.

    Raises:
        FileNotFoundError: A table is missing.
    """
    runs, curves, answers = (read_table(folder / f"{name}.csv") for name in ("runs", "curves", "answers"))
    numbers = {name: pd.to_numeric(curves[name]) for name in CURVE}
    right = {name: pd.to_numeric(answers[name]).astype("Int64") for name in answers.columns.difference(ANSWER)}
    return Results(runs, curves.assign(**numbers), answers.assign(**right))


def count_runs(studies: Studies) -> pd.DataFrame:
    """Count the done, failed and missing runs of each study, network and sweep; a run in two sweeps counts in both."""
    runs = stack({name: evidence.results.runs for name, evidence in studies.items()}, [*SETTING, "status"])
    return runs.groupby(SETTING[:3], sort=False)["status"].value_counts(sort=False).unstack(fill_value=0, sort=False)


def tabulate_epochs(studies: Studies) -> pd.DataFrame:
    """Return loss and accuracy of each finished run of a sweep, a row for each epoch and split."""
    tables = {}
    for name, evidence in studies.items():
        runs, curves = evidence.results.runs, evidence.results.curves
        cells = runs.loc[(runs["status"] == DONE) & (runs["sweep"] != FINAL), ["network", "sweep", "value", "run"]]
        halves = [
            curves.assign(split=split, loss=curves[f"{key}_loss"], accuracy=curves[f"{key}_accuracy"])
            for key, split in SPLITS.items()
        ]
        tables[name] = cells.merge(pd.concat(halves), on="run")
    return stack(tables, [*SETTING, "run", "epoch", "split", "loss", "accuracy"])


def tabulate_values(studies: Studies) -> pd.DataFrame:
    """Return each value's validation accuracy with its 95 % interval, and the accuracy of naming the largest class."""
    rows = [
        [
            name,
            *point.model_dump().values(),
            *measure_accuracy(evidence, point, "val"),
            accuracy_of(evidence.largest(point)),
        ]
        for name, evidence in studies.items()
        for network, sweep in sweeps_of(evidence)
        for point in evidence.swept(network, sweep)
    ]
    return pd.DataFrame(rows, columns=[*SETTING, *INTERVAL, "largest_class"])


def tabulate_finals(studies: Studies) -> pd.DataFrame:
    """Return the test accuracy of each network with all chosen values, with its 95 % interval."""
    rows = [
        [name, network, *measure_accuracy(evidence, Setting(network=network), "test")]
        for name, evidence in studies.items()
        for network in evidence.results.runs["network"].unique()
        if evidence.status(Setting(network=network)) == DONE
    ]
    return pd.DataFrame(rows, columns=["study", "network", *INTERVAL])


def sweeps_of(evidence: Evidence) -> list[tuple[str, str]]:
    """Return (network, sweep) of each sweep, in order."""
    runs = evidence.results.runs
    pairs = zip(runs["network"], runs["sweep"], strict=True)
    return [(network, sweep) for network, sweep in dict.fromkeys(pairs) if sweep != FINAL]


def measure_accuracy(evidence: Evidence, setting: Setting, split: str) -> tuple[Any, ...]:
    """Return the setting's accuracy on the split, the ends of its 95 % interval, and how many runs it averages."""
    right = evidence.right(setting, split)
    return accuracy_of(right), *evidence.interval(right), len(evidence.done(setting))


def stack(tables: Mapping[str, pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """Return these columns of all tables, stacked, with the study's name in each row."""
    named = [table.assign(study=name)[columns] for name, table in tables.items()]
    return pd.concat(named, ignore_index=True) if named else pd.DataFrame(columns=columns)
