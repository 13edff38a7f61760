"""Suggest: kept images that a person should look at again, because they are likely mislabelled or outliers."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from cleanlab.outlier import OutOfDistribution
from pydantic import Field
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stages.core import params
from stages.core.files import replacing, write_json
from stages.core.tables import read_table, tally, write_table
from stages.core.terminal import command
from stages.networks.inputs import Inputs, pool, read_inputs

COLUMNS = ["image_id", "class", "kind", "suggested", "score"]
PLACEHOLDER = "placeholder"
# Shares of the area with fine structure. Of 1,348 photographs the flattest has 0.69, a page with a line of text 0.13.
FLAT, TEXTURED = 0.4, 0.6
FLAT_SHARE = 0.1  # of the images that may be flat in a set of photographs
REGULARISATION = 0.01  # scikit-learn's C; activations are many, images few
NEIGHBOURS = 15
MOST_NEIGHBOURS = 20_000  # images among which nearest ones are looked for: each with each would be quadratic
DISTANCES_MB = 64  # of distances between images that are held at once
LEAST = 1e-3  # what a probability counts as at least: none of 15 neighbours is no proof


class FewNeighbours(KNeighborsClassifier):  # type: ignore[misc]
    """The nearest neighbours among at most MOST_NEIGHBOURS rows, which are evenly spread over all."""

    def fit(self, rows: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> "FewNeighbours":
        """Remember the rows `(n, d)` and their labels `(n,)`, and return the model."""
        few = spread(len(rows))
        super().fit(rows[few], labels[few])
        return self


class BlockScaler(StandardScaler):  # type: ignore[misc]
    """Scales rows to mean 0 and deviation 1, measured in blocks, because all at once takes twice their memory."""

    def fit(self, rows: npt.NDArray[np.float32], labels: object = None) -> "BlockScaler":
        """Measure the rows `(n, d)`, and return the model."""
        self._reset()
        for start in range(0, len(rows), MOST_NEIGHBOURS):
            self.partial_fit(rows[start : start + MOST_NEIGHBOURS])
        return self


class Suggest(params.Section):
    """The section `suggest` of params.yaml."""

    network: str
    folds: int = Field(ge=2)
    seed: int = Field(ge=0)
    mislabelled_share: float = Field(ge=0, le=1)
    outlier_share: float = Field(ge=0, le=1)


def run(settings: Suggest, inputs: Inputs, index: pd.DataFrame, target: Path) -> dict[str, Any]:
    """Write the table of suggestions, the most suspicious image first, and return the counts.

    Two models of different kinds, a logistic regression and the nearest neighbours, predict each image from its
    activations. They are fitted on folds that hold neither the image nor its look-alikes. A class that both contradict
    is likely wrong. Outliers are the images that are farthest from their nearest neighbours. Flat images among
    photographs, which may say "not available", come first. No image is removed: a person decides in the review.

    Raises:
        ValueError: The inputs and the index are about different images, or a class has fewer than two groups.
    """
    if inputs.image_ids != list(index["image_id"]):
        raise ValueError(f"suggest: expected the {len(index)} images of the index, got {len(inputs.image_ids)} others.")
    features = pool(inputs.array)
    classes, labels = np.unique(index["class"].to_numpy(dtype=str), return_inverse=True)
    with config_context(working_memory=DISTANCES_MB):
        opinions = predict_out_of_fold(features, labels, index, settings)
        outliers = find_outliers(index, features, settings.outlier_share)
    misfits = find_mislabelled(index, classes, labels, opinions, settings.mislabelled_share)
    found = pd.concat([find_placeholders(index), misfits, outliers])
    order = found.assign(is_first=found["kind"] == PLACEHOLDER)
    order = order.sort_values(["is_first", "score", "image_id"], ascending=[False, False, True])
    with replacing(target) as unfinished:
        write_table(order[COLUMNS], unfinished)
    accuracy = float((pool_opinions(opinions).argmax(axis=1) == labels).mean())
    return {"listed": len(index), "suggested": tally(found["kind"]), "out_of_fold_accuracy": round(accuracy, 4)}


def predict_out_of_fold(
    features: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], index: pd.DataFrame, settings: Suggest
) -> npt.NDArray[np.float64]:
    """Return what each kind of model says `(kinds, n, classes)`, fitted without the image and its look-alikes.

    Raises:
        ValueError: A class has fewer than two groups.
    """
    fewest = int(index.groupby("class")["group"].nunique().min())
    if fewest < 2:
        raise ValueError(f"suggest: expected at least 2 groups of look-alikes in every class, got one with {fewest}.")
    groups = index["group"].to_numpy(dtype=str)
    dealer = StratifiedGroupKFold(min(settings.folds, fewest), shuffle=True, random_state=settings.seed)
    folds = [*dealer.split(features, labels, groups)]
    neighbours = min(NEIGHBOURS, *(len(fitted) for fitted, _ in folds))
    kinds = [
        LogisticRegression(C=REGULARISATION, max_iter=1000),
        FewNeighbours(neighbours, weights="distance", metric="cosine"),
    ]
    pipelines = [make_pipeline(BlockScaler(copy=False), kind) for kind in kinds]  # of rows that are copies already
    return np.stack([
        cross_val_predict(each, features, labels, cv=folds, method="predict_proba") for each in pipelines
    ])  # fmt: skip


def pool_opinions(opinions: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the geometric means of the kinds' probabilities `(n, classes)`: high only where all kinds agree."""
    pooled: npt.NDArray[np.float64] = np.exp(np.log(np.maximum(opinions, LEAST)).mean(axis=0))
    return pooled


def find_mislabelled(
    index: pd.DataFrame,
    classes: npt.NDArray[np.str_],
    labels: npt.NDArray[np.int64],
    opinions: npt.NDArray[np.float64],
    share: float,
) -> pd.DataFrame:
    """Return at most the given share of rows: those whose class all kinds contradict, for another that they agree on.

    The score, from 0 to 1, is the probability of the suggested class against that of the row's own.
    """
    own = labels[:, None] == np.arange(len(classes))
    pooled = pool_opinions(opinions)
    others = np.where(own, 0, pooled)
    score = others.max(axis=1) / (others.max(axis=1) + pooled[own])
    rows = index.assign(kind="mislabelled", suggested=classes[others.argmax(axis=1)], score=np.round(score, 4))
    found: pd.DataFrame = rows[(opinions.argmax(axis=2) != labels).all(axis=0) & (score > 0.5)]
    return found.sort_values(["score", "image_id"], ascending=[False, True]).head(int(share * len(index)))


def find_placeholders(index: pd.DataFrame) -> pd.DataFrame:
    """Return the flat images of a set of photographs, with the share of their area that has no fine structure."""
    texture = index["texture"].astype(float)
    is_flat = (texture < FLAT) & bool(texture.quantile(FLAT_SHARE) >= TEXTURED)
    found: pd.DataFrame = index.assign(kind=PLACEHOLDER, suggested="", score=np.round(1 - texture, 4))[is_flat]
    return found


def find_outliers(index: pd.DataFrame, features: npt.NDArray[np.float32], share: float) -> pd.DataFrame:
    """Return the given share of rows: the rows least like their nearest neighbours, with a score from 0 to 1."""
    typical = rate_typical(features)
    rows = index.assign(kind="outlier", suggested="", score=np.round(1 - typical, 4))
    return rows.sort_values(["score", "image_id"], ascending=[False, True]).head(round(share * len(index)))


def rate_typical(features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return for each row `(n, d)` how near its nearest neighbours are, 0 to 1.

    Of very many rows those at even places are compared with some at odd places, and these with some at even places: so
    no row is its own neighbour.
    """
    if len(features) <= MOST_NEIGHBOURS:
        typical: npt.NDArray[np.float64] = OutOfDistribution().fit_score(features=features, verbose=False)
        return typical
    typical = np.empty(len(features))
    for place in (0, 1):
        others = features[1 - place :: 2]
        scorer = OutOfDistribution()
        scorer.fit(features=others[spread(len(others))], verbose=False)
        typical[place::2] = scorer.score(features=features[place::2])
    return typical


def spread(number: int) -> npt.NDArray[np.int64]:
    """Return at most MOST_NEIGHBOURS places, evenly spread over so many rows, all if they are few."""
    return np.linspace(0, number - 1, min(number, MOST_NEIGHBOURS)).round().astype(np.int64)


def main() -> None:
    """Suggest images to look at again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("inputs", type=Path, help="the folder of activations")
    parser.add_argument("index", type=Path, help="the table of their images")
    parser.add_argument("target", type=Path, help="the table of suggestions to write")
    parser.add_argument("metrics", type=Path, help="the counts to write, as JSON")
    arguments = parser.parse_args()
    settings = params.read(Suggest, "suggest")
    inputs, index = read_inputs(arguments.inputs), read_table(arguments.index, "image_id", "class", "group", "texture")
    write_json(run(settings, inputs, index, arguments.target), arguments.metrics)


if __name__ == "__main__":
    command(main)
