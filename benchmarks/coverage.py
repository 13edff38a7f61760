"""How often intervals of accuracies contain the true one, and how often a difference is found where there is none.

    python -m benchmarks.coverage

Each case draws images in groups many times. Whether a network is right about an image has a correlation within groups
(beta-binomial); two networks that are compared are equally good, and alike or not alike about the same groups. The
width of an interval is given as a multiple of Wilson's at the effective number of groups. Groups of which fewer
than 10 are effective say nothing and are drawn again. In a second table a setting is trained several times, and chance
moves each training by some points; beside it stands what averaging the trainings image by image would do.
"""

import argparse

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from scipy.stats import norm

from benchmarks.rounds import publish, to_table
from stages.core.terminal import command, progress
from stages.results.grouped_accuracy import LEAST_GROUPS, LEVEL, accuracy_difference, accuracy_interval, count_groups

COUNTS = (30, 100, 300, 1000)
ACCURACIES = (0.5, 0.8, 0.97)
CORRELATIONS = (0.0, 0.3, 0.8)
SPREADS = ((0.0, 0.0), (1.0, 0.5), (2.0, 2.0))  # log odds of a group: of both networks, and of each alone
DRAWINGS = (1,) * 70 + (2,) * 15 + (3,) * 6 + (5,) * 4 + (8,) * 3 + (16,) * 2  # sizes, about as among the drawings
TRAININGS, NOISES = (3, 5), (0.02, 0.05)  # trainings of a setting, and the deviation of their true accuracies
KINDS = ("single images", "threes", "as the drawings", "very unequal")

Integers = npt.NDArray[np.int64]


def main() -> None:
    """Draw all cases and publish the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000)
    trials = parser.parse_args().trials
    cases = [(kind, count) for kind in KINDS for count in COUNTS]
    rows = [[kind, str(count), *describe(kind, count, trials)] for kind, count in progress(cases, len(cases), "cases")]
    header = ["groups", "images", "least coverage", "greatest mean width", "most false differences", "contradictions"]
    repeated = [(n, noise, count) for n in TRAININGS for noise in NOISES for count in COUNTS[1:]]
    noisy = [
        [str(n), f"{noise:g}", str(count), *(f"{share:.3f}" for share in repeat(n, noise, count, trials))]
        for n, noise, count in progress(repeated, len(repeated), "trainings")
    ]
    noisy_header = ["trainings", "deviation", "images", "coverage", "averaged", "false differences", "averaged"]
    publish(
        "coverage",
        f"{trials:,} draws of each case; the worst case of each row.\n", to_table(header, rows),
        "Several trainings of a setting on groups as the drawings, and the same by averages over trainings:\n",
        to_table(noisy_header, noisy),
    )  # fmt: skip


def draw_sizes(kind: str, count: int, rng: np.random.Generator) -> Integers:
    """Return the sizes of groups with about so many images."""
    if kind == "single images":
        return np.ones(count, dtype=np.int64)
    if kind == "threes":
        return np.full(count // 3, 3)
    sizes: list[int] = []
    while sum(sizes) < count:
        heavy = min(count // 6 + 1, int(np.ceil(rng.pareto(1.1) + 0.5)))
        sizes.append(int(rng.choice(DRAWINGS)) if kind == "as the drawings" else heavy)
    return np.array(sizes)


def draw_groups(kind: str, count: int, rng: np.random.Generator) -> npt.NDArray[np.str_]:
    """Return the group of each image; with fewer than ten effective ones they are drawn again, up to 100 times."""
    for _ in range(100):
        sizes = draw_sizes(kind, count, rng)
        groups = np.repeat(np.arange(len(sizes)), sizes).astype(str)
        if count_groups(groups) >= LEAST_GROUPS:
            break
    return groups


def describe(kind: str, count: int, trials: int) -> list[str]:
    """Return the worst coverage, width and share of false differences over all cases of one kind of groups."""
    covered = [cover(kind, count, p, rho, trials) for p in ACCURACIES for rho in correlations_of(kind)]
    false = [differ(kind, count, offset, each, trials) for offset in (0.0, 1.5, 4.0) for each in SPREADS]
    return [
        f"{min(share for share, _ in covered):.3f}", f"{max(width for _, width in covered):.2f}",
        f"{max(share for share, _ in false):.3f}", str(sum(number for _, number in false)),
    ]  # fmt: skip


def correlations_of(kind: str) -> tuple[float, ...]:
    """Return the correlations within groups to try: single images have none."""
    return (0.0,) if kind == "single images" else CORRELATIONS


def cover(kind: str, count: int, accuracy: float, correlation: float, trials: int) -> tuple[float, float]:
    """Return how often the interval has the true accuracy, and its mean width against Wilson's."""
    rng = np.random.default_rng([count, round(100 * accuracy), round(10 * correlation), KINDS.index(kind)])
    inside, widths = 0, []
    for _ in range(trials):
        groups = draw_groups(kind, count, rng)
        _, group = np.unique(groups, return_inverse=True)
        chances = np.full(group.max() + 1, accuracy)
        if correlation:
            scale = (1 - correlation) / correlation
            chances = rng.beta(accuracy * scale, (1 - accuracy) * scale, len(chances))
        low, high = accuracy_interval(rng.random(len(group)) < chances[group], groups)
        inside += low <= accuracy <= high
        widths.append((high - low) / wilson_width(accuracy, count_groups(groups)))
    return inside / trials, float(np.mean(widths))


def wilson_width(share: float, n: float) -> float:
    """Return the width of Wilson's 95 % interval."""
    pull = norm.ppf(1 - LEVEL / 2) ** 2 / n
    return float(2 * np.sqrt(pull * (share * (1 - share) + pull / 4)) / (1 + pull))


def differ(kind: str, count: int, offset: float, spread: tuple[float, float], trials: int) -> tuple[float, int]:
    """Return how often two equally good networks are told apart, and how often interval and p contradict each other."""
    rng = np.random.default_rng([count, round(10 * offset), round(10 * spread[0]), KINDS.index(kind), 7])
    false = contradictions = 0
    for _ in range(trials):
        groups = draw_groups(kind, count, rng)
        _, group = np.unique(groups, return_inverse=True)
        ease = offset + spread[0] * rng.normal(size=group.max() + 1)
        right = [rng.random(len(group)) < expit(ease + spread[1] * rng.normal(size=len(ease)))[group] for _ in "ab"]
        found = accuracy_difference(right[0], right[1], groups)
        excludes = found.low > 0 or found.high < 0
        false += excludes
        contradictions += excludes != (found.p < LEVEL)
    return false / trials, contradictions


def repeat(trainings: int, noise: float, count: int, trials: int) -> tuple[float, float, float, float]:
    """Return how often intervals have the true accuracy, and how often two settings that are alike are told apart.

    Each share comes with that of averaging the trainings image by image.

    Args:
        trainings: How often each setting is trained.
        noise: The deviation of the trainings' true accuracies.
        count: The number of images.
        trials: The number of draws.
    """
    rng = np.random.default_rng([trainings, round(100 * noise), count])
    inside, false = np.zeros(2), np.zeros(2)
    for _ in range(trials):
        groups = draw_groups("as the drawings", count, rng)
        _, group = np.unique(groups, return_inverse=True)
        # Groups are always right, always wrong or in between, so that the mean over trainings is a half.
        ease = rng.beta(1, 1, group.max() + 1)[group]
        chances = [(ease[:, None] + noise * rng.normal(size=trainings)).clip(0, 1) for _ in "ab"]
        one, other = (rng.random(each.shape) < each for each in chances)
        for kind, change in enumerate((np.asarray, lambda right: right.mean(axis=1))):
            low, high = accuracy_interval(change(one), groups)
            inside[kind] += low <= 0.5 <= high
            false[kind] += accuracy_difference(change(one), change(other), groups).p < LEVEL
    covered, told = inside / trials, false / trials
    return float(covered[0]), float(covered[1]), float(told[0]), float(told[1])


if __name__ == "__main__":
    command(main)
