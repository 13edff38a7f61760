"""Verdicts on a document's findings by measured results.

That two settings are the same is a claim of its own, which needs evidence: their difference must lie within a stated
margin with 95 % certainty (two one-sided tests: Schuirmann 1987, https://doi.org/10.1007/BF01068419). Without evidence
for either claim a finding stays open, and the images are counted that would decide it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.core.tables import read_table
from stages.study.findings import Beats, BestOf, Costs, DoesNotLearn, Finding, Overfits, Precise, Reaches, Unchecked
from stages.study.result_tables import FAILED, NOT_RUN
from stages.study.statistics import (
    UNKNOWN,
    Evidence,
    accuracy_of,
    compare,
    level_of,
    needed,
    to_judge_best,
    to_judge_learning,
)
from stages.tracking.records import as_text

CONFIRMED, CONTRADICTED, SAME, OPEN = "confirmed", "contradicted", "the same", "not distinguishable"
NOT_CHECKED, OTHER_DATA = "not checked", "other data"
COSTS = Path("benchmarks/results/training.csv")  # benchmarks/training.py writes it


@dataclass(frozen=True)
class Verdict:
    """A verdict on a finding, and the numbers from which it follows."""

    verdict: str
    measured: str


def verdict_on(finding: Finding, evidence: Evidence) -> Verdict:
    """Return the verdict of the results on a finding."""
    if isinstance(finding, Unchecked):
        return Verdict(NOT_CHECKED, finding.why)
    if isinstance(finding, Costs):
        return judge_cost(finding, COSTS)
    status = [evidence.status(setting) for setting in finding.settings()]
    if NOT_RUN in status:
        return Verdict(NOT_RUN, "")
    if FAILED in status and not (isinstance(finding, DoesNotLearn) and diverged(finding, evidence)):
        return Verdict(OPEN, "a run of it failed")
    checks: dict[type, Callable[[Any, Evidence], Verdict]] = {
        DoesNotLearn: judge_learning, BestOf: judge_best, Beats: judge_pair, Overfits: judge_gap, Reaches: judge_final,
        Precise: judge_precision,
    }  # fmt: skip
    return checks[type(finding)](finding, evidence)


def diverged(finding: DoesNotLearn, evidence: Evidence) -> bool:
    """Return whether each of the finding's settings that failed did so because it has no finite loss."""
    failed = [setting for setting in finding.settings() if evidence.status(setting) == FAILED]
    return all(map(evidence.diverges, failed))


def judge_learning(finding: DoesNotLearn, evidence: Evidence) -> Verdict:
    """Confirm if every value is the same as naming the largest class, or worse; contradict if one is better."""
    gaps, measured = [], []
    for setting in finding.settings():
        text = as_text(setting.value)
        if evidence.status(setting) == FAILED:
            measured.append(f"{text}: no finite loss")
            continue
        right, largest = evidence.right(setting), evidence.largest(setting)
        gaps.append(compare(right, largest, evidence, len(finding.values)))
        means = f"{accuracy_of(right):.3f} - {accuracy_of(largest):.3f} of the largest class"
        measured.append(f"{text}: {means} {between(gaps[-1].low, gaps[-1].high)}")
    if all(gap.most < evidence.margin for gap in gaps):
        return Verdict(CONFIRMED, "; ".join(measured))
    if any(gap.low_of_all > 0 for gap in gaps):
        return Verdict(CONTRADICTED, "; ".join(measured))
    more = needed(to_judge_learning(gaps, evidence.margin), max(gap.high - gap.low for gap in gaps))
    return Verdict(OPEN, "; ".join([*measured, more]))


def judge_best(finding: BestOf, evidence: Evidence) -> Verdict:
    """Confirm if the value beats each other value; contradict if another beats it; or all of them are the same."""
    own = as_text(finding.value)
    others = [other for other in evidence.swept(finding.network, finding.sweep) if other.value != own]
    if not others:
        return Verdict(NOT_RUN, "")
    right, gaps, measured = evidence.right(finding.settings()[0]), [], []
    for other in others:
        theirs = evidence.right(other)
        gap = compare(right, theirs, evidence, len(others))
        gaps.append(gap)
        measured.append(
            f"{accuracy_of(theirs) - accuracy_of(right):+.3f} with {other.value} {between(-gap.high, -gap.low)}"
        )
    measured = [f"{accuracy_of(right):.3f} with {own}", *measured]
    if any(gap.high_of_all < 0 for gap in gaps):
        return Verdict(CONTRADICTED, "; ".join(measured))
    if all(gap.low > 0 for gap in gaps):
        return Verdict(CONFIRMED, "; ".join(measured))
    if all(gap.is_within(evidence.margin) for gap in gaps):
        return Verdict(SAME, "; ".join(measured))
    more = needed(to_judge_best(gaps, evidence.margin), max(gap.high - gap.low for gap in gaps))
    return Verdict(OPEN, "; ".join([*measured, more]))


def judge_pair(finding: Beats, evidence: Evidence) -> Verdict:
    """Confirm if the interval of the difference lies above 0, contradict if below; or the two are the same."""
    better, worse = evidence.right(finding.better, finding.split), evidence.right(finding.worse, finding.split)
    gap = compare(better, worse, evidence)
    low, high = gap.low, gap.high
    means = f"{accuracy_of(better):.3f} - {accuracy_of(worse):.3f} = {accuracy_of(better) - accuracy_of(worse):+.3f}"
    measured = f"{means} {between(low, high)}"
    verdict = decide(low, high, 0)
    if verdict == OPEN and gap.is_within(evidence.margin):
        verdict = SAME
    if verdict == OPEN:
        measured += f"; {needed(to_judge_best([gap], evidence.margin), high - low)}"
    return Verdict(verdict, measured)


def judge_gap(finding: Overfits, evidence: Evidence) -> Verdict:
    """Judge by the training accuracy, which has no interval here, minus the interval of the validation accuracy."""
    setting = finding.settings()[0]
    right = evidence.right(setting)
    train = evidence.done(setting)["train_accuracy"].astype(float).mean()
    low, high = evidence.interval(right, level_of(right))
    measured = f"training {train:.3f} - validation {accuracy_of(right):.3f} = {train - accuracy_of(right):+.3f} "
    measured += f"{between(train - high, train - low)}; more than {finding.gap:g} counts"
    verdict = decide(train - high, train - low, finding.gap)
    if verdict == OPEN:
        away = max(abs(train - accuracy_of(right) - finding.gap), 1e-9)
        measured += f"; {needed(len(right) * ((high - low) / 2 / away) ** 2, high - low, whole=1.0)}"
    return Verdict(verdict, measured)


def judge_final(finding: Reaches, evidence: Evidence) -> Verdict:
    """Judge whether the test accuracy is at least the reported accuracy; of other images it says nothing."""
    right = evidence.right(finding.settings()[0], "test")
    low, high = evidence.interval(right, level_of(right))
    measured = f"{accuracy_of(right):.3f} ({low:.3f} to {high:.3f})"
    return Verdict(decide(low, high, finding.accuracy) if evidence.on_own_images else OTHER_DATA, measured)


def judge_precision(finding: Precise, evidence: Evidence) -> Verdict:
    """Judge whether the test precision at the threshold chosen on validation is at least the wanted precision.

    With several seeds or folds, the interval spans those of all of them: each has a threshold of its own. Of other
    images it says nothing.
    """
    rows = evidence.done(finding.settings()[0])
    if "wanted_precision" not in rows or (rows["wanted_precision"].astype(str) == "").any():
        without = "no threshold on validation gives the wanted precision, or none was asked for"
        return Verdict(OPEN if evidence.on_own_images else OTHER_DATA, without)
    columns = [list(rows[f"wanted_{each}"].astype(float)) for each in ("precision", "low", "high", "recall")]
    measured = [
        f"{precision:.3f} ({low:.3f} to {high:.3f}) at recall {recall:.3f}"
        for precision, low, high, recall in zip(*columns, strict=True)
    ]
    verdict = decide(min(columns[1]), max(columns[2]), finding.precision)
    return Verdict(verdict if evidence.on_own_images else OTHER_DATA, "; ".join(measured))


def judge_cost(finding: Costs, path: Path) -> Verdict:
    """Judge whether the benchmark's ratio lies within the factor of the reported ratio."""
    found = read_ratio(path, finding.value, finding.against)
    if found is None:
        return Verdict(NOT_RUN, f"{path} has no row {finding.value} against {finding.against}")
    ratio, low, high = found
    least, most = finding.times / finding.within, finding.times * finding.within
    measured = f"{ratio:.1f} times ({low:.1f} to {high:.1f}); {least:.1f} to {most:.1f} counts as {finding.times:g}"
    if high < least or low > most:
        return Verdict(CONTRADICTED, measured)
    return Verdict(CONFIRMED if least <= low and high <= most else OPEN, measured)


def read_ratio(path: Path, value: int, against: int) -> tuple[float, float, float] | None:
    """Return median, lowest and highest ratio of CPU seconds a step in the benchmark's table; None without the row."""
    if not path.is_file():
        return None
    table = read_table(path)
    rows = table[(table["kernel_size"] == str(value)) & (table["against"] == str(against))]
    if rows.empty:
        return None
    ratio, low, high = rows[["ratio", "low", "high"]].astype(float).iloc[0]
    return ratio, low, high


def decide(low: float, high: float, least: float) -> str:
    """Return the verdict: confirmed if the interval lies above `least`, contradicted if below, open otherwise."""
    return CONFIRMED if low > least else CONTRADICTED if high < least else OPEN


def between(low: float, high: float) -> str:
    """Return an interval of differences in words."""
    return "(too few groups or seeds to tell)" if high - low >= UNKNOWN else f"({low:+.3f} to {high:+.3f})"
