"""The pictures that the report shows: what clean found alike, every test picture, mistakes with what misled."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.report.credits import Credit, credit
from stages.report.data_uris import Inlined, inline_figure, inline_pixels, inline_raw
from stages.report.results import Findings, Network

SMALL, LARGE = 96, 160  # pixels of a test picture, and of a mistake
PER_KIND = 4  # pairs of each kind


@dataclass(frozen=True)
class Shown:
    """A picture and its credit."""

    picture: Inlined
    credit: Credit


@dataclass(frozen=True)
class Pair:
    """Two pictures that are alike, their classes, and how near they are: bits, similarity, plain or mirrored."""

    shown: tuple[Shown, Shown]
    classes: tuple[str, str]
    distance: str
    similarity: float
    form: str


@dataclass(frozen=True)
class Answer:
    """What a network said of a picture: its true class, the class that it was taken for, and probabilities."""

    shown: Shown
    true: str
    predicted: str
    probabilities: list[float]

    @property
    def is_right(self) -> bool:
        """Whether the class is the true one."""
        return self.true == self.predicted


@dataclass(frozen=True)
class Mistake:
    """A picture that was taken for another class, how sure the network was of it, and where it looked."""

    shown: Shown
    heat: Inlined
    true: str
    predicted: str
    probability: float


def show_pairs(findings: Findings) -> list[tuple[str, int, list[Pair]]]:
    """For each kind of pair its name, how many there are, and some, evenly from the most alike to the least."""
    likeness = findings.pairs["similarity"].astype(float)
    pairs = findings.pairs.loc[likeness.sort_values(ascending=False, kind="stable").index]
    is_same, is_crossing = pairs["relation"] == "same", pairs["first_class"] != pairs["second_class"]
    kinds = {
        "The same picture again in its class": is_same & ~is_crossing,
        "The same picture in two classes": is_same & is_crossing,
        "Look-alikes, both kept": ~is_same,
    }
    return [(name, int(is_kind.sum()), [show_pair(row, findings) for row in spread(pairs[is_kind])])
            for name, is_kind in kinds.items() if is_kind.any()]  # fmt: skip


def spread(rows: pd.DataFrame) -> list[Any]:
    """At most so many rows, evenly over the table."""
    places = np.unique(np.linspace(0, len(rows) - 1, min(PER_KIND, len(rows))).astype(int))
    return [rows.iloc[place] for place in places]


def show_pair(row: Any, findings: Findings) -> Pair:
    """The pictures of a row of `pairs.csv`, as they were collected."""
    images = [findings.images.loc[row[side]] for side in ("first", "second")]
    first, second = (Shown(inline_raw(findings.raw / each["file"], LARGE), credit(each)) for each in images)
    classes = (row["first_class"], row["second_class"])
    return Pair((first, second), classes, row["distance"], float(row["similarity"]), row["form"])


def show_answers(findings: Findings) -> list[Answer]:
    """The champion's answer to every test picture, by class, and in it the worst first."""
    columns = [f"p_{name}" for name in findings.classes]
    answers = [
        Answer(show(row["image_id"], findings, SMALL), row["class"], row["predicted"], [float(row[c]) for c in columns])
        for row in findings.champion.predictions.to_dict("records")
    ]
    numbers = {name: number for number, name in enumerate(findings.classes)}
    return sorted(answers, key=lambda one: (one.true, one.probabilities[numbers[one.true]], one.shown.credit.anchor))


def show(image_id: str, findings: Findings, side: int) -> Shown:
    """An image as the networks see it."""
    pixels = findings.pixels[findings.pixel_rows[image_id]]
    return Shown(inline_pixels(pixels, side), credit(findings.images.loc[image_id]))


def show_mistakes(network: Network, findings: Findings) -> list[Mistake]:
    """The network's worst mistakes in the order of `explain`."""
    return [
        Mistake(
            shown=show(row["image_id"], findings, LARGE),
            heat=inline_figure(network.explanations / "heat" / f"{row['image_id'][:16]}.jpg", LARGE),
            true=row["class"],
            predicted=row["predicted"],
            probability=float(row["probability"]),
        )
        for row in network.mistakes
    ]


def show_figure(network: Network, name: str, side: int) -> Inlined:
    """A figure of the network's explanations."""
    return inline_figure(network.explanations / Path(f"{name}.png"), side)
