"""The predictions of a model for all images, as a table and as the tables behind the plots."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.core.tables import write_table
from stages.evaluate.curves import per_class_bars, precision_recall_points, reliability, roc_points
from stages.networks.inputs import SplitRows
from stages.results.scores import losses

PROVENANCE = ["source", "source_id", "title", "url", "page_url", "author", "licence", "licence_url", "file"]
DIGITS = 6


@dataclass(frozen=True)
class Predictions:
    """A model's probabilities `(n, n_classes)` for images, their true class numbers, and their groups."""

    probabilities: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    groups: npt.NDArray[Any]
    classes: list[str]

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether the most probable class of each image is the true one."""
        found: npt.NDArray[np.bool_] = self.probabilities.argmax(axis=1) == self.labels
        return found

    def of_split(self, part: SplitRows) -> "Predictions":
        """Return the predictions for the images of one split."""
        rows = part.rows
        return Predictions(self.probabilities[rows], self.labels[rows], self.groups[rows], self.classes)


def as_table(predictions: Predictions, split: pd.DataFrame, index: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each image: class, split, predicted class, loss, all probabilities, and the image's origin."""
    classes, probabilities = predictions.classes, predictions.probabilities
    facts = split[["image_id", "class", "split", "group"]].assign(
        predicted=[classes[i] for i in probabilities.argmax(axis=1)],
        loss=losses(predictions.labels, probabilities).round(DIGITS),
    )
    columns = pd.DataFrame(probabilities.round(DIGITS), index=split.index, columns=[f"p_{name}" for name in classes])
    origin = pd.DataFrame({name: index.get(name, "") for name in PROVENANCE}, index=split.index)
    return pd.concat([facts, columns, origin], axis=1)


def write_plots(predictions: Predictions, folder: Path) -> None:
    """Write the tables behind the plots of the test images into the folder."""
    names = np.array(predictions.classes, dtype=object)
    confusion = {"class": names[predictions.labels], "predicted": names[predictions.probabilities.argmax(axis=1)]}
    write_table(pd.DataFrame(confusion), folder / "confusion.csv")
    given = (predictions.labels, predictions.probabilities)
    write_table(roc_points(*given, predictions.classes), folder / "roc.csv")
    write_table(precision_recall_points(*given, predictions.classes), folder / "precision_recall.csv")
    write_table(reliability(*given), folder / "reliability.csv")
    write_table(per_class_bars(*given, predictions.classes), folder / "classes.csv")
