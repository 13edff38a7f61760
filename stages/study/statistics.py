"""Measured differences between settings of a study, with the uncertainty that their images leave.

Groups of near-duplicates are drawn anew with replacement, and in each draw both settings answer the same images (see
`results.bootstrap`). Several seeds of a setting are averaged image by image; an interval contains the effect of other
seeds only as far as several seeds were run.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.results import bootstrap
from stages.study.findings import FINAL, Setting
from stages.study.result_tables import DONE, FAILED, NOT_RUN, Results
from stages.tracking.records import ANSWER, as_text

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """Results, how often their images are drawn anew, and the seed of the draws."""

    results: Results
    draws: int
    seed: int

    def status(self, setting: Setting) -> str:
        """Return `done` if a run of the setting is done, else `failed` if a run failed, else `not run`."""
        status = list(self._rows(setting)["status"])
        return DONE if DONE in status else FAILED if FAILED in status else NOT_RUN

    def done(self, setting: Setting) -> pd.DataFrame:
        """Return the setting's finished runs, a row for each seed."""
        rows = self._rows(setting)
        return rows[rows["status"] == DONE]

    def _rows(self, setting: Setting) -> pd.DataFrame:
        runs = self.results.runs
        rows = runs[(runs["network"] == setting.network) & (runs["sweep"] == setting.sweep)]
        return rows if setting.sweep == FINAL else rows[rows["value"] == as_text(setting.value)]

    def swept(self, network: str, sweep: str) -> list[Setting]:
        """Return all values of a sweep that are done, in order."""
        runs = self.results.runs
        rows = runs[(runs["network"] == network) & (runs["sweep"] == sweep) & (runs["status"] == DONE)]
        return [Setting(network=network, sweep=sweep, value=value) for value in dict.fromkeys(rows["value"])]

    def right(self, setting: Setting, split: str = "val") -> pd.Series:
        """Return the share of runs that were right about each image, in [0, 1], by image, split, group and class."""
        answers = self.results.answers[self.results.answers["split"] == split].set_index(ANSWER)
        return answers[list(self.done(setting)["run"])].astype("Float64").mean(axis=1).dropna().astype(float)

    def largest(self, setting: Setting) -> pd.Series:
        """Return, like `right`, whether naming the largest class of the training images is right: 1 or 0 by image."""
        right = self.right(setting)
        name = self.done(setting)["largest_class"].iloc[0]
        return pd.Series((right.index.get_level_values("class") == name).astype(float), right.index)

    def gaps(self, one: pd.Series, other: pd.Series) -> Doubles:
        """Return the mean of `one` minus the mean of `other` in each draw, shape `(draws,)`, dtype float64.

        Each mean is over the images that its setting answered.
        """
        both = pd.concat([one.rename("one"), other.rename("other")], axis=1)
        n_groups, group = bootstrap.number_groups(both.index.get_level_values("group").to_numpy(dtype=str))
        values = both.to_numpy().T  # (2, images)
        rows = [row for means in values for row in (np.nan_to_num(means), (~np.isnan(means)).astype(float))]
        sums = np.stack([np.bincount(group, row, n_groups) for row in rows])  # (4, groups)
        draws = bootstrap.draw_groups(n_groups, self.draws, self.seed, bootstrap.draws_at_once(len(group)))
        right, count, right_other, count_other = np.concatenate([sums @ weights for weights in draws], axis=1)
        gaps: Doubles = right / np.maximum(count, 1) - right_other / np.maximum(count_other, 1)
        return gaps

    def interval(self, right: pd.Series) -> tuple[float, float]:
        """Return the 95 % interval of a setting's accuracy."""
        return ends(self.gaps(right, right * 0))


def ends(gaps: Doubles, comparisons: int = 1) -> tuple[float, float]:
    """Return the ends of the draws' 95 % interval, widened so that several comparisons hold together (Bonferroni)."""
    tail = 2.5 / comparisons
    low, high = np.percentile(gaps, [tail, 100 - tail])
    return float(low), float(high)
