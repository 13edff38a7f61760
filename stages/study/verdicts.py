"""Verdicts on a document's findings by measured results: confirmed, contradicted, or not distinguishable."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.core.files import read_table
from stages.study.findings import Beats, BestOf, Costs, DoesNotLearn, Finding, Overfits, Precise, Reaches, Unchecked
from stages.study.result_tables import FAILED, NOT_RUN
from stages.study.statistics import Evidence, ends
from stages.tracking.records import as_text

CONFIRMED, CONTRADICTED, OPEN = "confirmed", "contradicted", "not distinguishable"
NOT_CHECKED = "not checked"
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
    if FAILED in status and not isinstance(finding, DoesNotLearn):
        return Verdict(OPEN, "a run of it failed")
    checks: dict[type, Callable[[Any, Evidence], Verdict]] = {
        DoesNotLearn: judge_learning, BestOf: judge_best, Beats: judge_pair, Overfits: judge_gap, Reaches: judge_final,
        Precise: judge_precision,
    }  # fmt: skip
    return checks[type(finding)](finding, evidence)


def judge_learning(finding: DoesNotLearn, evidence: Evidence) -> Verdict:
    """Contradict if a value beats naming the largest class; confirm if only other values of the sweep do."""
    measured, lows = [], []
    for setting in finding.settings():
        text = as_text(setting.value)
        if evidence.status(setting) == FAILED:
            measured.append(f"{text}: no finite loss")
            continue
        right, largest = evidence.right(setting), evidence.largest(setting)
        low, high = ends(evidence.gaps(right, largest), len(finding.values))
        lows.append(low)
        measured.append(f"{text}: {right.mean():.3f} - {largest.mean():.3f} of the largest class {between(low, high)}")
    if max(lows, default=0) > 0:
        return Verdict(CONTRADICTED, "; ".join(measured))
    claimed = {as_text(value) for value in finding.values}
    others = [other for other in evidence.swept(finding.network, finding.sweep) if other.value not in claimed]
    does_learn = any(ends(evidence.gaps(evidence.right(other), evidence.largest(other)))[0] > 0 for other in others)
    return Verdict(CONFIRMED if does_learn else OPEN, "; ".join(measured))


def judge_best(finding: BestOf, evidence: Evidence) -> Verdict:
    """Confirm if the value beats each other value of the sweep; contradict if another value beats it."""
    own = as_text(finding.value)
    others = [other for other in evidence.swept(finding.network, finding.sweep) if other.value != own]
    if not others:
        return Verdict(NOT_RUN, "")
    right, lows, highs, measured = evidence.right(finding.settings()[0]), [], [], []
    for other in others:
        theirs = evidence.right(other)
        gaps = evidence.gaps(right, theirs)
        lows.append(ends(gaps)[0])
        highs.append(ends(gaps, len(others))[1])
        measured.append(f"{theirs.mean() - right.mean():+.3f} with {other.value} {between(*ends(-gaps))}")
    verdict = CONTRADICTED if min(highs) < 0 else CONFIRMED if min(lows) > 0 else OPEN
    return Verdict(verdict, f"{right.mean():.3f} with {own}; {'; '.join(measured)}")


def judge_pair(finding: Beats, evidence: Evidence) -> Verdict:
    """Confirm if the interval of the difference lies above 0; contradict if it lies below 0."""
    better, worse = evidence.right(finding.better, finding.split), evidence.right(finding.worse, finding.split)
    low, high = ends(evidence.gaps(better, worse))
    measured = f"{better.mean():.3f} - {worse.mean():.3f} = {better.mean() - worse.mean():+.3f} {between(low, high)}"
    return Verdict(decide(low, high, 0), measured)


def judge_gap(finding: Overfits, evidence: Evidence) -> Verdict:
    """Judge by the training accuracy, which has no interval here, minus the interval of the validation accuracy."""
    setting = finding.settings()[0]
    right = evidence.right(setting)
    train = evidence.done(setting)["train_accuracy"].astype(float).mean()
    low, high = evidence.interval(right)
    measured = f"training {train:.3f} - validation {right.mean():.3f} = {train - right.mean():+.3f} "
    measured += f"{between(train - high, train - low)}; more than {finding.gap:g} counts"
    return Verdict(decide(train - high, train - low, finding.gap), measured)


def judge_final(finding: Reaches, evidence: Evidence) -> Verdict:
    """Judge whether the test accuracy is at least the reported accuracy; on other images this is a rough measure."""
    right = evidence.right(finding.settings()[0], "test")
    low, high = evidence.interval(right)
    least = finding.accuracy - 1e-9  # if all images are right, the interval is a point
    return Verdict(decide(low, high, least), f"{right.mean():.3f} ({low:.3f} to {high:.3f})")


def judge_precision(finding: Precise, evidence: Evidence) -> Verdict:
    """Judge whether the test precision at the threshold chosen on validation is at least the wanted precision.

    With several seeds, the interval spans the intervals of all seeds.
    """
    rows = evidence.done(finding.settings()[0])
    if "wanted_precision" not in rows or (rows["wanted_precision"].astype(str) == "").any():
        return Verdict(OPEN, "no threshold on validation gives the wanted precision, or none was asked for")
    columns = [list(rows[f"wanted_{each}"].astype(float)) for each in ("precision", "low", "high", "recall")]
    measured = [
        f"{precision:.3f} ({low:.3f} to {high:.3f}) at recall {recall:.3f}"
        for precision, low, high, recall in zip(*columns, strict=True)
    ]
    return Verdict(decide(min(columns[1]), max(columns[2]), finding.precision), "; ".join(measured))


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
    return f"({low:+.3f} to {high:+.3f})"
