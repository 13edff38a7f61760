"""The images that the report shows: pairs that look alike, test images, and mistakes with their heat maps."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.report.credits import Credit, credit_of
from stages.report.data_uris import Inlined, inline_figure, inline_pixels, inline_raw
from stages.report.report_data import NetworkResult, ReportData

SMALL, LARGE = 96, 160  # pixels of the longer side of a test image, and of a mistake
PER_KIND = 4  # pairs that are shown of each kind
MOST_PREDICTIONS = 500  # test images that the page shows; the page grows by 4 KB with each


@dataclass(frozen=True)
class Shown:
    """A shown image and its credit."""

    image: Inlined
    credit: Credit


@dataclass(frozen=True)
class Pair:
    """Two images that are alike, their classes, and their similarity, changed share and form.

    The form is "plain" or says how one image was turned or mirrored.
    """

    shown: tuple[Shown, Shown]
    classes: tuple[str, str]
    similarity: float
    changed: float
    form: str


@dataclass(frozen=True)
class ShownPrediction:
    """A model's prediction for an image: the true class, the predicted class, and all probabilities."""

    shown: Shown
    true: str
    predicted: str
    probabilities: list[float]

    @property
    def is_right(self) -> bool:
        """True if the predicted class is the true class."""
        return self.true == self.predicted


@dataclass(frozen=True)
class Mistake:
    """An image that was taken for another class, the probability of this class, and the heat map of the model."""

    shown: Shown
    heat: Inlined
    true: str
    predicted: str
    probability: float


def show_pairs(data: ReportData) -> list[tuple[str, int, list[Pair]]]:
    """Return for each kind of pair its name, its count, and some pairs, evenly from the most to the least alike."""
    likeness = data.pairs["similarity"].astype(float)
    pairs = data.pairs.loc[likeness.sort_values(ascending=False, kind="stable").index]
    is_same, is_crossing = pairs["relation"] == "same", pairs["first_class"] != pairs["second_class"]
    kinds = {
        "The same image twice in one class": is_same & ~is_crossing,
        "The same image in two classes": is_same & is_crossing,
        "Look-alikes, which are both kept": ~is_same,
    }
    return [(name, int(is_kind.sum()), [show_pair(row, data) for row in spread(pairs[is_kind])])
            for name, is_kind in kinds.items() if is_kind.any()]  # fmt: skip


def spread(rows: pd.DataFrame) -> list[Any]:
    """Return at most `PER_KIND` rows, spread evenly over the table."""
    places = np.unique(np.linspace(0, len(rows) - 1, min(PER_KIND, len(rows))).astype(int))
    return [rows.iloc[place] for place in places]


def show_pair(row: Any, data: ReportData) -> Pair:
    """Return the two images of a row of `pairs.csv`, as they were collected."""
    images = [data.images.loc[row[side]] for side in ("first", "second")]
    first, second = (Shown(inline_raw(data.raw / image["file"], LARGE), credit_of(image)) for image in images)
    classes = (row["first_class"], row["second_class"])
    similarity, changed = float(row["similarity"]), float(row["changed"])
    return Pair((first, second), classes, similarity, changed, row["form"])


def show_predictions(data: ReportData) -> list[ShownPrediction]:
    """Return the champion's predictions for the test images, by class, and the worst of each class first.

    Of more than MOST_PREDICTIONS images the worst of each class are shown, at most equally many and at least one.
    """
    columns = [f"p_{name}" for name in data.classes]
    table = data.champion.predictions
    of_true = [float(row[f"p_{row['class']}"]) for row in table.to_dict("records")]
    table = table.assign(of_true=of_true).sort_values(["class", "of_true", "image_id"])
    if len(table) > MOST_PREDICTIONS:
        table = table.groupby("class").head(max(1, MOST_PREDICTIONS // len(data.classes)))
    return [
        ShownPrediction(
            show(row["image_id"], data, SMALL), row["class"], row["predicted"], [float(row[c]) for c in columns]
        )
        for row in table.to_dict("records")
    ]


def show(image_id: str, data: ReportData, side: int) -> Shown:
    """Return an image as the networks see it."""
    pixels = data.pixels[data.pixel_rows[image_id]]
    return Shown(inline_pixels(pixels, side), credit_of(data.images.loc[image_id]))


def show_mistakes(network: NetworkResult, data: ReportData) -> list[Mistake]:
    """Return the network's worst mistakes in the order of `explain`."""
    return [
        Mistake(
            shown=show(row["image_id"], data, LARGE),
            heat=inline_figure(network.explanations / "heat" / f"{row['image_id'][:16]}.jpg", LARGE),
            true=row["class"],
            predicted=row["predicted"],
            probability=float(row["probability"]),
        )
        for row in network.mistakes
    ]


def show_figure(network: NetworkResult, name: str, side: int) -> Inlined:
    """Return a figure of the network's explanations."""
    return inline_figure(network.explanations / Path(f"{name}.png"), side)
