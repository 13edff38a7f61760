"""Measured differences between settings of a study, with the uncertainty that their images leave.

Intervals and differences are those of `results.grouped_accuracy`, by which `compare` tells networks apart. Several
seeds of a setting are drawn from all that there could be; of a single seed an interval does not contain what others
would change. The folds of a seed are put together: every image was validated, and tested, by one of its trainings.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.results.grouped_accuracy import LEVEL, accuracy_difference, accuracy_interval
from stages.study.findings import FINAL, Setting
from stages.study.result_tables import DONE, FAILED, NOT_RUN, Results
from stages.tracking.records import ANSWER, as_text

MOST_IMAGES = 100_000  # above which it does not matter how many
NO_FINITE_LOSS = "loss stays finite"  # in the reason why a training failed
UNKNOWN = 2.0  # the width of an interval of differences that says nothing: -1 to 1


@dataclass(frozen=True)
class Evidence:
    """Results, up to which difference two settings are the same, and whether the images are the document's own."""

    results: Results
    margin: float
    on_own_images: bool = True

    def status(self, setting: Setting) -> str:
        """Return `done` if all runs of a seed are done, else `failed` if a run failed, else `not run`."""
        if not self.done(setting).empty:
            return DONE
        return FAILED if FAILED in list(self._rows(setting)["status"]) else NOT_RUN

    def diverges(self, setting: Setting) -> bool:
        """Return whether every run of the setting has failed because its loss was no finite number."""
        rows = self._rows(setting)
        return bool((rows["status"] == FAILED).all() and rows["reason"].str.contains(NO_FINITE_LOSS).all())

    def done(self, setting: Setting) -> pd.DataFrame:
        """Return the setting's finished runs, a row for each seed and fold, without seeds that lack a fold."""
        rows = self._rows(setting)
        return rows[~rows["seed"].isin(rows.loc[rows["status"] != DONE, "seed"])]

    def _rows(self, setting: Setting) -> pd.DataFrame:
        runs = self.results.runs
        rows = runs[(runs["network"] == setting.network) & (runs["sweep"] == setting.sweep)]
        return rows if setting.sweep == FINAL else rows[rows["value"] == as_text(setting.value)]

    def swept(self, network: str, sweep: str) -> list[Setting]:
        """Return all values of a sweep that are done, in order."""
        runs = self.results.runs
        rows = runs[(runs["network"] == network) & (runs["sweep"] == sweep)]
        settings = [Setting(network=network, sweep=sweep, value=value) for value in dict.fromkeys(rows["value"])]
        return [setting for setting in settings if self.status(setting) == DONE]

    def right(self, setting: Setting, split: str = "val") -> pd.DataFrame:
        """Return whether each seed was right about each image: 1, 0 or NaN, by image, split, group and class."""
        answers = self.results.answers[self.results.answers["split"] == split].set_index(ANSWER)
        seeds = {seed: join_folds(answers[list(runs["run"])]) for seed, runs in self.done(setting).groupby("seed")}
        return pd.DataFrame(seeds, answers.index).astype("Float64").dropna(how="all").astype(float)

    def largest(self, setting: Setting) -> pd.DataFrame:
        """Return, like `right`, whether naming the largest class of the training images is right, in one column."""
        answers = self.results.answers[self.results.answers["split"] == "val"].set_index(ANSWER)
        runs = self.done(setting)
        first = runs[runs["seed"] == runs["seed"].iloc[0]]
        classes = answers.index.get_level_values("class")
        pairs = zip(first["run"], first["largest_class"], strict=True)
        hits = {run: pd.Series(classes == name, answers.index).where(answers[run].notna()) for run, name in pairs}
        return join_folds(pd.DataFrame(hits, answers.index)).dropna().astype(float).to_frame("largest class")

    def interval(self, right: pd.DataFrame, level: float = LEVEL) -> tuple[float, float]:
        """Return the interval of a setting's accuracy."""
        return accuracy_interval(right.to_numpy(), groups_of(right), level)

    def difference(self, one: pd.DataFrame, other: pd.DataFrame, level: float = LEVEL) -> tuple[float, float]:
        """Return the interval of the accuracy of `one` less that of `other`.

        Where the two answered other images, because their splits differ, the intervals of both accuracies are combined
        (Newcombe 1998, Statistics in Medicine 17, 873-890, method 10), as if they had no image in common.
        """
        if one.index.equals(other.index):
            low, high, _ = accuracy_difference(one.to_numpy(), other.to_numpy(), groups_of(one), level)
            return low, high
        gap = accuracy_of(one) - accuracy_of(other)
        (low, high), (other_low, other_high) = self.interval(one, level), self.interval(other, level)
        if (0, 1) in ((low, high), (other_low, other_high)):  # too few groups
            return -1.0, 1.0
        down = np.hypot(accuracy_of(one) - low, other_high - accuracy_of(other))
        up = np.hypot(high - accuracy_of(one), accuracy_of(other) - other_low)
        return float(max(-1, gap - down)), float(min(1, gap + up))


def join_folds(answers: pd.DataFrame) -> pd.Series:
    """Return the answers of the trainings of one seed, of which each answered its own images, as one column.

    Raises:
        ValueError: Two of them answered the same image, because they were made on other divisions.
    """
    if (answers.notna().sum(axis=1) > 1).any():
        raise ValueError(
            f"{answers.columns[0]}: expected folds of one division of the images, got some of another; delete the "
            "study's folder in metrics/studies to run all folds again."
        )
    return answers.astype("Float64").max(axis=1)


def level_of(*settings: pd.DataFrame) -> float:
    """Return the level of a verdict: 5 %, shared out among the looks that were taken.

    Who adds seeds where a verdict is still open looks again at the same question, once with each seed (Bonferroni).
    """
    return LEVEL / max(right.shape[1] for right in settings)


def accuracy_of(right: pd.DataFrame) -> float:
    """Return the accuracy over all images and runs."""
    return float(np.nanmean(right.to_numpy()))


def groups_of(right: pd.DataFrame) -> npt.NDArray[np.str_]:
    """Return the group of each image."""
    return right.index.get_level_values("group").to_numpy(dtype=str)


@dataclass(frozen=True)
class Gap:
    """A difference between two settings on as many images, with its interval and the ends for other questions.

    `low_of_all` and `high_of_all` are the ends of an interval that is widened for several comparisons (Bonferroni), and
    `least` and `most` those of an interval at twice the level, each of which is passed half as often. The level is that
    of `level_of`, 5 % with one seed.
    """

    value: float
    images: int
    low: float
    high: float
    low_of_all: float
    high_of_all: float
    least: float
    most: float

    def is_within(self, margin: float) -> bool:
        """Return whether the two settings are the same up to the margin."""
        return -margin < self.least and self.most < margin


def compare(one: pd.DataFrame, other: pd.DataFrame, evidence: Evidence, comparisons: int = 1) -> Gap:
    """Return the difference between two settings, one of several that are judged together."""
    level = level_of(one, other)
    return Gap(
        accuracy_of(one) - accuracy_of(other), len(one),
        *evidence.difference(one, other, level), *evidence.difference(one, other, level / comparisons),
        *evidence.difference(one, other, 2 * level),
    )  # fmt: skip


def to_judge_best(gaps: list[Gap], margin: float) -> float:
    """Return how many images would decide whether a setting beats all its rivals, if the differences stayed.

    An interval is as wide as one over the root of the number of images. Whichever verdict takes the fewest counts: that
    it beats all, that one rival beats it, or that all are the same. Without a possible verdict the number is infinite.
    """
    beats = max(grow(gap, gap.high - gap.low, gap.value) for gap in gaps)
    beaten = min(grow(gap, gap.high_of_all - gap.low_of_all, -gap.value) for gap in gaps)
    same = max(grow(gap, gap.most - gap.least, margin - abs(gap.value)) for gap in gaps)
    return min(beats, beaten, same)


def to_judge_learning(gaps: list[Gap], margin: float) -> float:
    """Return how many images would decide whether settings are no better than a guess, in the same way."""
    nothing = max(grow(gap, gap.most - gap.least, margin - gap.value) for gap in gaps)
    something = min(grow(gap, gap.high_of_all - gap.low_of_all, gap.value) for gap in gaps)
    return min(nothing, something)


def grow(gap: Gap, width: float, room: float) -> float:
    """Return the number of images at which half the width of an interval fits into the room."""
    return gap.images * (width / 2 / room) ** 2 if room > 0 else math.inf


def needed(number: float, widest: float, whole: float = UNKNOWN) -> str:
    """Return how many images would decide, in words with two digits.

    Args:
        number: How many.
        widest: The width of the widest interval that was looked at.
        whole: The width of an interval that says nothing, because there are too few groups.
    """
    if widest >= whole:
        return "it takes images in more groups, or more seeds, to decide it"
    if number > MOST_IMAGES:
        return f"more than {MOST_IMAGES:,} images like these would decide it"
    return f"about {float(f'{number:.2g}'):,.0f} images like these would decide it"
