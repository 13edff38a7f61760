"""The results of the pipeline, read from its files: the data of the report and the model card."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.core.files import load_json, read_json
from stages.core.tables import read_table
from stages.report.wording import joined, plural

CURVES = {
    "roc": ["false_positive_rate", "true_positive_rate"],
    "precision_recall": ["recall", "precision"],
    "reliability": ["confidence", "accuracy", "count"],
}
LONGEST = 80  # characters of a title
COUNTED = ("collect", "clean", "preprocess", "split")  # steps that write counts


@dataclass(frozen=True)
class Sources:
    """The folders that the report reads: the metrics, and the result of each step."""

    metrics: Path
    raw: Path
    cleaned: Path
    pixels: Path
    models: Path
    evaluations: Path
    explanations: Path


@dataclass(frozen=True)
class NetworkResult:
    """The results of one network.

    `tables` holds the curves (roc, precision_recall, reliability) as numbers, `predictions` the rows of test images,
    `facts` the facts that are saved beside the model, `training` the params of the training, and `kept` the epoch
    whose weights were kept.
    """

    name: str
    metrics: dict[str, Any]
    facts: dict[str, Any]
    training: dict[str, Any]
    predictions: pd.DataFrame
    tables: dict[str, pd.DataFrame]
    history: pd.DataFrame
    kept: int
    mistakes: list[dict[str, Any]]
    embedding: pd.DataFrame
    explanations: Path

    @property
    def is_fitted_at_once(self) -> bool:
        """Whether the network has no epochs, because its head is a logistic regression."""
        return self.training.get("head") == "logistic"

    def count_right(self) -> int:
        """Return for how many test images the predicted class is the true class."""
        return int((self.predictions["predicted"] == self.predictions["class"]).sum())


@dataclass(frozen=True)
class ReportData:
    """The results of the pipeline: the counts of each step, the summary of the comparison, the networks in order.

    `images` has a row for each collected image, and `pairs` a row for each pair that clean found to be alike.
    `pixels[i]` is the uint8 RGB array `(height, width, 3)` of the image whose value in `pixel_rows` is i.
    """

    counts: dict[str, dict[str, Any]]
    split: dict[str, Any]
    summary: dict[str, Any]
    networks: dict[str, NetworkResult]
    images: pd.DataFrame
    kept: pd.DataFrame
    pairs: pd.DataFrame
    pixels: npt.NDArray[np.uint8]
    pixel_rows: dict[str, int]
    raw: Path

    @property
    def champion(self) -> NetworkResult:
        """The network that the comparison chose."""
        return self.networks[self.summary["champion"]]

    @property
    def cross_validation(self) -> dict[str, Any]:
        """How often the champion is right in its cross-validation; empty if it had none."""
        found: dict[str, Any] = self.summary["networks"][self.champion.name].get("cross_validation", {})
        return found if found.get("deals") else {}

    @property
    def classes(self) -> list[str]:
        """The names of the classes, sorted."""
        return list(self.champion.facts["classes"])

    @property
    def question(self) -> str:
        """The question about an image: the names of the classes, or their count if the names do not fit a title."""
        named = f"{joined(self.classes, 'or')}?"
        return named if len(named) <= LONGEST else f"Which of {plural(len(self.classes), 'class')}?"

    @cached_property
    def lead(self) -> dict[str, Any] | None:
        """The pair of champion `a` and runner-up `b` on validation, from the summary, or None without a runner-up."""
        both = {self.summary["champion"], self.summary["runner_up"]}
        for pair in self.summary["pairs"]:
            if pair["split"] == "val" and {pair["a"], pair["b"]} == both:
                return pair if pair["a"] == self.summary["champion"] else swap_networks(pair)
        return None


def swap_networks(pair: dict[str, Any]) -> dict[str, Any]:
    """Return the comparison of the pair with the second network first."""
    return pair | {
        "a": pair["b"], "b": pair["a"], "difference": -pair["difference"], "low": -pair["high"], "high": -pair["low"],
        "only_a": pair["only_b"], "only_b": pair["only_a"],
    }  # fmt: skip


def read_report_data(sources: Sources, split: dict[str, Any], training: dict[str, dict[str, Any]]) -> ReportData:
    """Read all results about the networks whose params are given.

    Raises:
        FileNotFoundError: A step wrote no result.
        ValueError: The summary is of other networks, or predictions are for other images.
    """
    summary = read_json(path := sources.metrics / "summary.json")
    if set(summary["networks"]) != set(training):
        wanted, found = ", ".join(training), ", ".join(summary["networks"])
        raise ValueError(f"{path}: expected networks {wanted}, got {found}; `dvc repro` compares again.")
    rows = {image_id: row for row, image_id in enumerate(read_table(sources.pixels / "index.csv")["image_id"])}
    networks = {name: read_network(name, sources, values) for name, values in training.items()}
    for name, network in networks.items():
        if not set(network.predictions["image_id"]) <= set(rows):
            where = sources.evaluations / name / "predictions.csv"
            raise ValueError(f"{where}: expected predictions for images of {sources.pixels}, got others; `dvc repro`.")
    return ReportData(
        counts={step: read_json(sources.metrics / f"{step}.json") for step in COUNTED},
        split=split,
        summary=summary,
        networks=networks,
        images=read_table(sources.raw / "images.csv").drop_duplicates("image_id").set_index("image_id", drop=False),
        kept=read_table(sources.cleaned / "kept.csv"),
        pairs=read_table(sources.cleaned / "pairs.csv"),
        pixels=read_array(sources.pixels / "images.npy"),
        pixel_rows=rows,
        raw=sources.raw,
    )


def read_network(name: str, sources: Sources, training: dict[str, Any]) -> NetworkResult:
    """Read the results of one network.

    Raises:
        FileNotFoundError: The network was not trained, evaluated or explained.
    """
    evaluation, explanation = sources.evaluations / name, sources.explanations / name
    history = with_numbers(read_table(sources.models / name / "history.csv"), ["epoch", "loss", "accuracy"])
    facts = read_json(sources.models / name / "network.json")
    predictions = read_table(evaluation / "predictions.csv")
    return NetworkResult(
        name=name,
        metrics=read_json(evaluation / "metrics.json"),
        facts=facts,
        training=training,
        predictions=predictions[predictions["split"] == "test"].reset_index(drop=True),
        tables={
            table: with_numbers(read_table(evaluation / f"{table}.csv"), columns) for table, columns in CURVES.items()
        },
        history=history,
        kept=facts["kept_epoch"],
        mistakes=load_json(explanation / "mistakes.json"),
        embedding=with_numbers(read_table(explanation / "embedding.csv"), ["x", "y"]),
        explanations=explanation,
    )


def with_numbers(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Return the table with the given columns as numbers."""
    return table.astype(dict.fromkeys(columns, float))


def read_array(path: Path) -> npt.NDArray[np.uint8]:
    """Return the array of a file, memory-mapped.

    Raises:
        FileNotFoundError: There is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected an array of pixels, got no such file.")
    array: npt.NDArray[np.uint8] = np.load(path, mmap_mode="r")
    return array
