"""All that the pipeline found, read from its files: what the report and the model card are written from."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.core.files import read_json, read_table
from stages.report.wording import joined, plural

CURVES = {
    "roc": ["false_positive_rate", "true_positive_rate"],
    "precision_recall": ["recall", "precision"],
    "reliability": ["confidence", "accuracy", "count"],
}
LONGEST = 80  # letters of a title
COUNTED = ("collect", "clean", "preprocess", "split")  # steps that leave counts


@dataclass(frozen=True)
class Sources:
    """The folders that are read: metrics, and what each step left."""

    metrics: Path
    raw: Path
    cleaned: Path
    pixels: Path
    models: Path
    evaluations: Path
    explanations: Path


@dataclass(frozen=True)
class Network:
    """What was found of one network.

    `tables` holds its curves (roc, precision_recall, reliability) with numbers, `predictions` its test images,
    `facts` what is saved beside the model, `training` its params, `kept` the epoch whose weights it has.
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


@dataclass(frozen=True)
class Findings:
    """What was found: counts of each step, the summary of the comparison, the networks in their order.

    `images` has a row for each collected image, `pairs` what clean found to be alike, and `pixels[i]` uint8
    `(height, width, 3)` RGB belongs to the image whose number in `pixel_rows` is i.
    """

    counts: dict[str, dict[str, Any]]
    split: dict[str, Any]
    summary: dict[str, Any]
    networks: dict[str, Network]
    images: pd.DataFrame
    kept: pd.DataFrame
    pairs: pd.DataFrame
    pixels: npt.NDArray[np.uint8]
    pixel_rows: dict[str, int]
    raw: Path

    @property
    def champion(self) -> Network:
        """The network that the comparison chose."""
        return self.networks[self.summary["champion"]]

    @property
    def classes(self) -> list[str]:
        """The names of the classes, sorted."""
        return list(self.champion.facts["classes"])

    @property
    def question(self) -> str:
        """What is asked of a picture: the classes, or how many they are where they are too many for a title."""
        named = f"{joined(self.classes, 'or')}?"
        return named if len(named) <= LONGEST else f"Which of {plural(len(self.classes), 'class')}?"

    @cached_property
    def lead(self) -> dict[str, Any] | None:
        """The champion against the runner-up on validation, as `compare` has it, the champion being `a`; or None."""
        both = {self.summary["champion"], self.summary["runner_up"]}
        for pair in self.summary["pairs"]:
            if pair["split"] == "val" and {pair["a"], pair["b"]} == both:
                return pair if pair["a"] == self.summary["champion"] else turned(pair)
        return None


def turned(pair: dict[str, Any]) -> dict[str, Any]:
    """The same pair with the second network first."""
    return pair | {
        "a": pair["b"], "b": pair["a"], "difference": -pair["difference"], "low": -pair["high"], "high": -pair["low"],
        "only_a": pair["only_b"], "only_b": pair["only_a"],
    }  # fmt: skip


def read_findings(sources: Sources, split: dict[str, Any], training: dict[str, dict[str, Any]]) -> Findings:
    """All findings about the networks whose params are given.

    Raises:
        FileNotFoundError: a step left nothing.
        ValueError: the summary is of other networks, or answers are about other images.
    """
    summary = read_json(sources.metrics / "summary.json")
    if set(summary["networks"]) != set(training):
        raise ValueError(
            f"{sources.metrics / 'summary.json'}: expected networks {', '.join(training)}, "
            f"got {', '.join(summary['networks'])}; `dvc repro` compares anew."
        )
    rows = {image_id: row for row, image_id in enumerate(read_table(sources.pixels / "index.csv")["image_id"])}
    networks = {name: read_network(name, sources, values) for name, values in training.items()}
    for name, network in networks.items():
        if not set(network.predictions["image_id"]) <= set(rows):
            where = sources.evaluations / name / "predictions.csv"
            raise ValueError(f"{where}: expected answers to images of {sources.pixels}, got others; `dvc repro`.")
    return Findings(
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


def read_network(name: str, sources: Sources, training: dict[str, Any]) -> Network:
    """What was found of one network.

    Raises:
        FileNotFoundError: it was not trained, evaluated or explained.
    """
    evaluation, explanation = sources.evaluations / name, sources.explanations / name
    history = numbered(read_table(sources.models / name / "history.csv"), ["epoch", "loss", "accuracy"])
    facts = read_json(sources.models / name / "network.json")
    predictions = read_table(evaluation / "predictions.csv")
    return Network(
        name=name,
        metrics=read_json(evaluation / "metrics.json"),
        facts=facts,
        training=training,
        predictions=predictions[predictions["split"] == "test"].reset_index(drop=True),
        tables={table: numbered(read_table(evaluation / f"{table}.csv"), columns) for table, columns in CURVES.items()},
        history=history,
        kept=facts["kept_epoch"],
        mistakes=list(read_json(explanation / "mistakes.json")),  # type: ignore[arg-type]
        embedding=numbered(read_table(explanation / "embedding.csv"), ["x", "y"]),
        explanations=explanation,
    )


def numbered(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """The table with these columns as numbers."""
    return table.astype(dict.fromkeys(columns, float))


def read_array(path: Path) -> npt.NDArray[np.uint8]:
    """The array of a file, memory-mapped.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected an array of pixels, got no such file.")
    array: npt.NDArray[np.uint8] = np.load(path, mmap_mode="r")
    return array
