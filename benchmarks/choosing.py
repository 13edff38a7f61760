"""How often the worse of two networks is named champion alone, and how often both are named.

    python -m benchmarks.choosing

Each of 2,000 trials draws images in groups of look-alikes, two networks of known accuracy and what each of them answers
about the validation images; then the rule of `compare` chooses, where both were trained once and where both were
cross-validated on training and validation images, and the rule of before: the best accuracy, of equals the fewest
parameters. The worse network is the smaller. Images of a group are hard or easy together, for both networks, with a
standard deviation of 1 on the scale of the log odds.
"""

import argparse
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import expit, logit

from benchmarks.rounds import publish, to_table
from stages.compare.choice import choose
from stages.core.terminal import command, progress
from stages.results.grouped_accuracy import accuracy_difference

TRUTHS = ((0.90, 0.80), (0.80, 0.74))
COUNTS = (60, 200)
GROUP_SIZES = (1, 1, 1, 1, 2, 3, 5)  # drawn from, as among the project's drawings
SPREAD, OWN = 1.0, 0.5  # standard deviations of the log odds: of a group, and of a group for one network
TRAIN, VAL = 70, 15  # percent of all images
NAMES, SIZES = ("better", "worse"), (20, 2)  # and their parameters

Floats = npt.NDArray[np.float64]


def main() -> None:
    """Simulate all cases and publish the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000)
    arguments = parser.parse_args()
    rows = [
        [f"{better:.2f} against {worse:.2f}", str(count), *simulate((better, worse), count, arguments)]
        for better, worse in TRUTHS
        for count in COUNTS
    ]
    header = [
        "accuracies",
        "val images",
        "worse named alone",
        "both named",
        "worse is champion",
        "the same, cross-validated",
        "worse, by the old rule",
    ]
    publish("choosing", f"Shares of {arguments.trials:,} simulated choices.\n", to_table(header, rows))


def simulate(truth: tuple[float, float], count: int, arguments: argparse.Namespace) -> list[str]:
    """Return the shares of trials: the worse named alone, both named, the worse as champion, so by folds, as before."""
    offsets = [solve_offset(accuracy) for accuracy in truth]
    found = np.zeros(5)
    for trial in progress(range(arguments.trials), arguments.trials, f"{truth} {count}"):
        rng = np.random.default_rng([count, trial, round(100 * truth[0])])
        metrics, pair, folds = draw_trial(offsets, count, rng)
        once, crossed = (choose(metrics, [pair], None, known) for known in ({}, folds))
        is_alone, is_worse = len(once.contenders) == 1, once.champion == "worse"
        better, worse = (metrics[name]["val"]["accuracy"] for name in NAMES)
        found += [is_alone and is_worse, not is_alone, is_worse, crossed.champion == "worse", worse >= better]
    return [f"{share:.1%}" for share in found / arguments.trials]


def solve_offset(accuracy: float) -> float:
    """Return the mean log odds that give this mean accuracy over groups."""
    points, weights = np.polynomial.hermite_e.hermegauss(40)
    deviation = np.hypot(SPREAD, OWN)

    def excess(offset: float) -> float:
        return float((weights * expit(offset + deviation * points)).sum() / weights.sum() - accuracy)

    return float(brentq(excess, -5, 10))


def draw_trial(
    offsets: list[float], count: int, rng: np.random.Generator
) -> tuple[dict[str, dict[str, Any]], dict[str, Any], dict[str, float]]:
    """Return what evaluation, comparison and cross-validation say of two networks on drawn images.

    The first `count` of the images are for validation; the others, on which the networks learn, are in the folds too.
    """
    learned = round(count * (TRAIN + VAL) / VAL)
    groups = np.repeat(np.arange(learned), rng.choice(GROUP_SIZES, learned))[:learned]
    ease = SPREAD * rng.normal(size=learned)
    answers = [answer(offset, ease, groups[:count], rng) for offset in offsets]
    right, losses = ([each[part] for each in answers] for part in (0, 1))
    low, high, _ = accuracy_difference(right[0] > 0, right[1] > 0, groups[:count].astype(str))
    pair = {"a": NAMES[0], "b": NAMES[1], "split": "val", "low": low, "high": high}
    scores = [{"accuracy": float(right[i].mean()), "log_loss": float(losses[i].mean())} for i in range(len(NAMES))]
    metrics = {
        name: {"val": each, "pretrained": False, "parameters": n}
        for name, each, n in zip(NAMES, scores, SIZES, strict=True)
    }
    in_folds = [float(answer(offset, ease, groups, rng)[0].mean()) for offset in offsets]  # by other trainings
    return metrics, pair, dict(zip(NAMES, in_folds, strict=True))


def answer(
    offset: float, ease: Floats, groups: npt.NDArray[np.int64], rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return whether a network is right about each image, and its loss: it is as sure as it should be on average."""
    chance = expit(offset + ease + OWN * rng.normal(size=len(ease)))[groups]
    right = (rng.random(len(groups)) < chance).astype(np.float64)
    sure = expit(logit(chance) + 0.5 * rng.normal(size=len(groups)))
    return right, -np.log(np.where(right > 0, sure, 1 - sure).clip(1e-6))


if __name__ == "__main__":
    command(main)
