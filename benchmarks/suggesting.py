"""How many planted errors of the classes are among the first images that `suggest` names, beside cleanlab's.

    python -m benchmarks.suggesting

Of the images behind a table of activations, 5 % get another class, drawn at random, several times. The 5 % of all
images that each way finds most suspicious are then looked through: precision is the share of them that were planted,
and recall, of as many, is the same number. Cleanlab's are those of its default, which finds label issues in the
logistic regression's probabilities and ranks them by the probability of the given class.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from cleanlab.filter import find_label_issues

from benchmarks.rounds import publish, to_table
from stages.core import params
from stages.core.tables import read_table
from stages.core.terminal import command, progress
from stages.networks.inputs import pool, read_inputs
from stages.suggest import Suggest, find_mislabelled, predict_out_of_fold

PLANTED = 0.05
FEATURES, INDEX = Path("data/5_features/xception"), Path("data/3_pixels/index.csv")

Labels = npt.NDArray[np.int64]
Opinions = npt.NDArray[np.float64]
Way = Callable[[pd.DataFrame, npt.NDArray[np.str_], Labels, Opinions], list[str]]


def main() -> None:
    """Plant the errors, look for them, and publish the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=Path, default=FEATURES, help="the folder of activations")
    parser.add_argument("--index", type=Path, default=INDEX, help="the table of their images")
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    index = read_table(arguments.index)
    features = pool(read_inputs(arguments.features).array)
    rows = look_through(features, index, arguments.rounds)
    header = ["way", "named", "planted among them", "of all planted", "planted among the first 5 %"]
    publish(
        "suggesting",
        f"{len(index)} images, {PLANTED:.0%} of the classes planted wrong, mean of {arguments.rounds} rounds "
        "(and deviation).\n",
        to_table(header, rows),
    )


def look_through(features: npt.NDArray[np.float32], index: pd.DataFrame, rounds: int) -> list[list[str]]:
    """Return a row of the table for each way."""
    settings = params.read(Suggest, "suggest")
    found: dict[str, list[list[float]]] = {name: [] for name in WAYS}
    for seed in progress(range(rounds), rounds, "planting"):
        changed, wrong = plant(index, seed)
        classes, labels = np.unique(changed["class"].to_numpy(dtype=str), return_inverse=True)
        of_round = settings.model_copy(update={"seed": seed})
        opinions = predict_out_of_fold(features, labels, changed, of_round)
        for name, way in WAYS.items():
            named = way(changed, classes, labels, opinions)
            first = named[: len(wrong)]
            hits, early = len(wrong & set(named)), len(wrong & set(first))
            found[name].append([len(named), hits / max(1, len(named)), hits / len(wrong), early / len(wrong)])
    return [describe(name, np.array(values)) for name, values in found.items()]


def describe(name: str, values: npt.NDArray[np.float64]) -> list[str]:
    """Return a row of the table from what each round found."""
    named, precision, recall, first = values.mean(axis=0)
    spread = values[:, 3].std(ddof=1)
    return [name, f"{named:.0f}", f"{precision:.3f}", f"{recall:.3f}", f"{first:.3f} ({spread:.3f})"]


def plant(index: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, set[str]]:
    """Return the index with another class for some images, and the ids of these."""
    random = np.random.default_rng(seed)
    names = sorted(index["class"].unique())
    chosen = random.choice(len(index), round(PLANTED * len(index)), replace=False)
    changed = index["class"].to_numpy(dtype=object, copy=True)
    for row in chosen:
        changed[row] = names[(names.index(changed[row]) + random.integers(1, len(names))) % len(names)]
    return index.assign(**{"class": changed}), set(index["image_id"].iloc[chosen])


def by_agreement(index: pd.DataFrame, classes: npt.NDArray[np.str_], labels: Labels, opinions: Opinions) -> list[str]:
    """Return the ids as `suggest` ranks them, without its limit."""
    return list(find_mislabelled(index, classes, labels, opinions, 1.0)["image_id"])


def by_regression(index: pd.DataFrame, classes: npt.NDArray[np.str_], labels: Labels, opinions: Opinions) -> list[str]:
    """Return the ids by the logistic regression alone."""
    return list(find_mislabelled(index, classes, labels, opinions[:1], 1.0)["image_id"])


def by_cleanlab(index: pd.DataFrame, classes: npt.NDArray[np.str_], labels: Labels, opinions: Opinions) -> list[str]:
    """Return the ids as cleanlab's default finds and ranks them."""
    order = find_label_issues(labels, opinions[0], return_indices_ranked_by="self_confidence", n_jobs=1)
    return list(index["image_id"].iloc[order])


WAYS: dict[str, Way] = {
    "both kinds agree": by_agreement, "logistic regression alone": by_regression, "cleanlab": by_cleanlab,
}  # fmt: skip

if __name__ == "__main__":
    command(main)
