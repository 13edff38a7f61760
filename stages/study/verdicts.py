"""What a document reported, held against measured results: confirmed, contradicted, or not told apart by these data."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.study.findings import Beats, BestOf, Costs, DoesNotLearn, Finding, Overfits, Precise, Reaches, Unchecked
from stages.study.results import FAILED, MISSING
from stages.study.statistics import Evidence, ends
from stages.tracking.records import as_text

CONFIRMED, CONTRADICTED, OPEN = "confirmed", "contradicted", "not distinguishable"
NOT_CHECKED = "not checked"
KERNELS = Path("benchmarks/results/training.md")


@dataclass(frozen=True)
class Verdict:
    """What became of a finding, and the numbers that it rests on."""

    verdict: str
    measured: str


def judge(finding: Finding, evidence: Evidence) -> Verdict:
    """What the results say about a finding."""
    if isinstance(finding, Unchecked):
        return Verdict(NOT_CHECKED, finding.why)
    if isinstance(finding, Costs):
        return judge_cost(finding, KERNELS)
    status = [evidence.status(setting) for setting in finding.settings()]
    if MISSING in status:
        return Verdict(MISSING, "")
    if FAILED in status and not isinstance(finding, DoesNotLearn):
        return Verdict(OPEN, "a run of it failed")
    checks: dict[type, Callable[[Any, Evidence], Verdict]] = {
        DoesNotLearn: judge_learning, BestOf: judge_best, Beats: judge_pair, Overfits: judge_gap, Reaches: judge_final,
        Precise: judge_precision,
    }  # fmt: skip
    return checks[type(finding)](finding, evidence)


def judge_learning(finding: DoesNotLearn, evidence: Evidence) -> Verdict:
    """Contradicted where a value beats the largest class; confirmed where none does, though another value does."""
    told, lows = [], []
    for setting in finding.settings():
        text = as_text(setting.value)
        if evidence.status(setting) == FAILED:
            told.append(f"{text}: no finite loss")
            continue
        right, largest = evidence.right(setting), evidence.largest(setting)
        low, high = ends(evidence.gaps(right, largest), len(finding.values))
        lows.append(low)
        told.append(f"{text}: {right.mean():.3f} - {largest.mean():.3f} of the largest class {between(low, high)}")
    if max(lows, default=0) > 0:
        return Verdict(CONTRADICTED, "; ".join(told))
    claimed = {as_text(value) for value in finding.values}
    others = [each for each in evidence.swept(finding.network, finding.sweep) if each.value not in claimed]
    can_tell = any(ends(evidence.gaps(evidence.right(each), evidence.largest(each)))[0] > 0 for each in others)
    return Verdict(CONFIRMED if can_tell else OPEN, "; ".join(told))


def judge_best(finding: BestOf, evidence: Evidence) -> Verdict:
    """Confirmed where the value beats each other one; contradicted where another one beats it."""
    own = as_text(finding.value)
    others = [each for each in evidence.swept(finding.network, finding.sweep) if each.value != own]
    if not others:
        return Verdict(MISSING, "")
    right, lows, highs, told = evidence.right(finding.settings()[0]), [], [], []
    for other in others:
        theirs = evidence.right(other)
        gaps = evidence.gaps(right, theirs)
        lows.append(ends(gaps)[0])
        highs.append(ends(gaps, len(others))[1])
        told.append(f"{theirs.mean() - right.mean():+.3f} with {other.value} {between(*ends(-gaps))}")
    verdict = CONTRADICTED if min(highs) < 0 else CONFIRMED if min(lows) > 0 else OPEN
    return Verdict(verdict, f"{right.mean():.3f} with {own}; {'; '.join(told)}")


def judge_pair(finding: Beats, evidence: Evidence) -> Verdict:
    """Confirmed where the interval of the difference lies above 0, contradicted where below."""
    better, worse = evidence.right(finding.better, finding.split), evidence.right(finding.worse, finding.split)
    low, high = ends(evidence.gaps(better, worse))
    told = f"{better.mean():.3f} - {worse.mean():.3f} = {better.mean() - worse.mean():+.3f} {between(low, high)}"
    return Verdict(decide(low, high, 0), told)


def judge_gap(finding: Overfits, evidence: Evidence) -> Verdict:
    """Whether the training accuracy, a fact of these images, is so much higher than validation's, which is drawn."""
    setting = finding.settings()[0]
    right = evidence.right(setting)
    train = evidence.done(setting)["train_accuracy"].astype(float).mean()
    low, high = evidence.interval(right)
    told = f"training {train:.3f} - validation {right.mean():.3f} = {train - right.mean():+.3f} "
    told += f"{between(train - high, train - low)}; more than {finding.gap:g} counts"
    return Verdict(decide(train - high, train - low, finding.gap), told)


def judge_final(finding: Reaches, evidence: Evidence) -> Verdict:
    """Whether the test accuracy is the reported one or more; on other images a rough measure."""
    right = evidence.right(finding.settings()[0], "test")
    low, high = evidence.interval(right)
    least = finding.accuracy - 1e-9  # of all images right the interval is a point
    return Verdict(decide(low, high, least), f"{right.mean():.3f} ({low:.3f} to {high:.3f})")


def judge_precision(finding: Precise, evidence: Evidence) -> Verdict:
    """Whether the test precision at the threshold that validation chose is the wanted one or more, for every seed."""
    rows = evidence.done(finding.settings()[0])
    if "wanted_precision" not in rows or (rows["wanted_precision"].astype(str) == "").any():
        return Verdict(OPEN, "no threshold on validation gives the wanted precision, or none was asked for")
    columns = [list(rows[f"wanted_{each}"].astype(float)) for each in ("precision", "low", "high", "recall")]
    told = [
        f"{precision:.3f} ({low:.3f} to {high:.3f}) at recall {recall:.3f}"
        for precision, low, high, recall in zip(*columns, strict=True)
    ]
    return Verdict(decide(min(columns[1]), max(columns[2]), finding.precision), "; ".join(told))


def judge_cost(finding: Costs, path: Path) -> Verdict:
    """Whether the benchmark's ratio lies within the factor of the reported one."""
    found = read_ratio(path, finding.value, finding.against)
    if found is None:
        return Verdict(MISSING, f"{path} has no row {finding.value} against {finding.against}")
    ratio, low, high = found
    least, most = finding.times / finding.within, finding.times * finding.within
    told = f"{ratio:.1f} times ({low:.1f} to {high:.1f}); {least:.1f} to {most:.1f} counts as {finding.times:g}"
    if high < least or low > most:
        return Verdict(CONTRADICTED, told)
    return Verdict(CONFIRMED if least <= low and high <= most else OPEN, told)


def read_ratio(path: Path, value: int, against: int) -> tuple[float, float, float] | None:
    """Median, lowest and highest ratio of CPU seconds a step, from the benchmark's table of kernel sizes."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    table = re.search(rf"^\| kernel size \|.*\| against {against} \|.*\n(?:\|.*\n?)*", text, re.MULTILINE)
    ratio = rf"^\| {value} \|.*?\| ([\d.]+) \(([\d.]+) to ([\d.]+)\) \|"
    row = re.search(ratio, table[0] if table else "", re.MULTILINE)
    return (float(row[1]), float(row[2]), float(row[3])) if row else None


def decide(low: float, high: float, least: float) -> str:
    """Confirmed where an interval lies above the least, contradicted where below, neither where around it."""
    return CONFIRMED if low > least else CONTRADICTED if high < least else OPEN


def between(low: float, high: float) -> str:
    """An interval of differences."""
    return f"({low:+.3f} to {high:+.3f})"
