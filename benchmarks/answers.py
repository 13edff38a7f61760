"""What the limits of answers do to the test images of many splits: how many they refuse, and what likely classes hold.

    python -m benchmarks.answers

The drawings are split anew with 20 seeds. Each time a logistic head is fitted to the activations of the pipeline, its
limits are set on validation, and the test images are asked. A network with epochs would have to be trained 20 times.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import t

from benchmarks.rounds import publish, to_table
from stages.core import params
from stages.core.tables import SPLITS, read_table
from stages.core.terminal import command, progress
from stages.evaluate.answering import score_answers, set_limits
from stages.evaluate.predictions import Predictions
from stages.evaluate.run import Evaluate
from stages.networks.inputs import SplitRows, divide, pool, read_inputs
from stages.networks.novelty import make_references, measure_novelty
from stages.split.run import Split, assign_splits
from stages.training.batches import Batches, balanced_weights
from stages.training.calibration import fit_temperature
from stages.training.logistic import LogisticHead, fit_rows

NETWORK, SEEDS = "efficientnet_lite0", range(20)
FEATURES = Path("data/5_features") / NETWORK
Floats = npt.NDArray[np.float32]


def main() -> None:
    """Ask the test images of all splits and publish the table."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    index, pooled = read_table(Path("data/3_pixels/index.csv")), pool(read_inputs(FEATURES).array)
    settings = params.read(Split, "split")
    limits = params.read(Evaluate, "evaluate")
    scores = [
        ask(pooled, index, settings.model_copy(update={"seed": seed}), limits)
        for seed in progress(SEEDS, len(SEEDS), "splits")
    ]
    rows = [
        describe(scores, name, stated)
        for name, stated in (("refused", limits.refused_share), ("covered", limits.set_coverage))
    ]
    header = [
        "share of test images",
        "stated",
        "mean of splits (95 %)",
        "lowest",
        "highest",
        "intervals with the stated",
    ]
    text = f"{NETWORK} with a logistic head, {len(SEEDS)} splits of {len(index)} drawings.\n"
    publish("answers", text, to_table(header, rows))


def ask(pooled: Floats, index: pd.DataFrame, settings: Split, limits: Evaluate) -> dict[str, Any]:
    """Return what the limits that the validation images of a split set do to its test images."""
    inputs = read_inputs(FEATURES)
    classes, parts = divide(inputs, index.assign(split=assign_splits(settings, index)))
    train, val, test = (parts[name] for name in SPLITS)
    head = fit(pooled, train, val, len(classes))
    references = make_references(pooled[train.rows])
    predictions, novelty = {}, {}
    for name, part in (("val", val), ("test", test)):
        groups = index["group"].to_numpy(dtype=str)[part.rows]
        predictions[name] = Predictions(head.probabilities(pooled[part.rows]), part.labels, groups, classes)
        novelty[name] = measure_novelty(pooled[part.rows], references)
    found = set_limits(predictions["val"], novelty["val"], limits.refused_share, limits.set_coverage)
    return score_answers(found, predictions["test"], novelty["test"])


def fit(pooled: Floats, train: SplitRows, val: SplitRows, n_classes: int) -> LogisticHead:
    """Return a head with the params of params.yaml, calibrated."""
    decay = params.find_table(params.load(), f"train.{NETWORK}")["weight_decay"]
    batches = Batches(np.empty(0), train, len(train.rows), 0, balanced_weights(train.labels, n_classes))
    head = fit_rows(pooled[train.rows], batches, decay)
    temperature = fit_temperature(val.labels, head.probabilities(pooled[val.rows]))
    return LogisticHead(head.kernel / temperature, head.bias / temperature)


def describe(scores: list[dict[str, Any]], name: str, stated: float) -> list[str]:
    """Return a row of the table."""
    shares = np.array([score[name] for score in scores])
    half = t.ppf(0.975, len(shares) - 1) * shares.std(ddof=1) / np.sqrt(len(shares))
    holding = sum(low <= stated <= high for low, high in (score["intervals"][name] for score in scores))
    mean = f"{shares.mean():.3f} ({shares.mean() - half:.3f} to {shares.mean() + half:.3f})"
    return [name, f"{stated:g}", mean, f"{shares.min():.3f}", f"{shares.max():.3f}", f"{holding} of {len(shares)}"]


if __name__ == "__main__":
    command(main)
