"""Measured differences between settings of a study, with the uncertainty that their images leave.

Groups of near-duplicates are drawn anew with replacement, and in each draw both settings answer the same images (see
`core.bootstrap`). Several seeds of a setting are averaged image by image; what another seed would change is in an
interval only as far as seeds were run.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.results import bootstrap
from stages.study.findings import FINAL, Setting
from stages.study.results import DONE, FAILED, MISSING, Results
from stages.tracking.records import ANSWER, as_text

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """Results, and how often their images are drawn anew."""

    results: Results
    draws: int
    seed: int

    def status(self, setting: Setting) -> str:
        """`done` where a run of it is done, else whether one failed."""
        status = list(self._rows(setting)["status"])
        return DONE if DONE in status else FAILED if FAILED in status else MISSING

    def done(self, setting: Setting) -> pd.DataFrame:
        """The setting's finished runs, one a seed."""
        rows = self._rows(setting)
        return rows[rows["status"] == DONE]

    def _rows(self, setting: Setting) -> pd.DataFrame:
        runs = self.results.runs
        rows = runs[(runs["network"] == setting.network) & (runs["sweep"] == setting.sweep)]
        return rows if setting.sweep == FINAL else rows[rows["value"] == as_text(setting.value)]

    def swept(self, network: str, sweep: str) -> list[Setting]:
        """All values of a sweep that are done, in order."""
        runs = self.results.runs
        rows = runs[(runs["network"] == network) & (runs["sweep"] == sweep) & (runs["status"] == DONE)]
        return [Setting(network=network, sweep=sweep, value=value) for value in dict.fromkeys(rows["value"])]

    def right(self, setting: Setting, split: str = "val") -> pd.Series:
        """How often the runs were right about each image, 0 to 1, by image and group."""
        answers = self.results.answers[self.results.answers["split"] == split].set_index(ANSWER)
        return answers[list(self.done(setting)["run"])].astype("Float64").mean(axis=1).dropna().astype(float)

    def largest(self, setting: Setting) -> pd.Series:
        """The same of a guess: that each image is of the class that most training images have."""
        right = self.right(setting)
        name = self.done(setting)["largest_class"].iloc[0]
        return pd.Series((right.index.get_level_values("class") == name).astype(float), right.index)

    def gaps(self, one: pd.Series, other: pd.Series) -> Doubles:
        """The mean of one minus that of the other in each draw, `(draws,)`, each of the images that it answered.

        Where both answered the same images, these are the draws of `bootstrap.difference`.
        """
        both = pd.concat([one.rename("one"), other.rename("other")], axis=1)
        n_groups, group = bootstrap.number_groups(both.index.get_level_values("group").to_numpy(dtype=str))
        values = both.to_numpy().T  # (2, images)
        rows = [row for each in values for row in (np.nan_to_num(each), (~np.isnan(each)).astype(float))]
        sums = np.stack([np.bincount(group, row, n_groups) for row in rows])  # (4, groups)
        draws = bootstrap.draw_groups(n_groups, self.draws, self.seed, bootstrap.draws_at_once(len(group)))
        right, count, right_other, count_other = np.concatenate([sums @ weights for weights in draws], axis=1)
        gaps: Doubles = right / np.maximum(count, 1) - right_other / np.maximum(count_other, 1)
        return gaps

    def interval(self, right: pd.Series) -> tuple[float, float]:
        """The 95 % interval of a setting's accuracy."""
        return ends(self.gaps(right, right * 0))


def ends(gaps: Doubles, comparisons: int = 1) -> tuple[float, float]:
    """What holds 95 % of the draws; of several comparisons so many that all hold together (Bonferroni)."""
    tail = 2.5 / comparisons
    low, high = np.percentile(gaps, [tail, 100 - tail])
    return float(low), float(high)
