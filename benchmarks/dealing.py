"""How near to the classes' quotas groups are dealt: ours, the optimum, and scikit-learn's StratifiedGroupKFold.

    python -m benchmarks.dealing

The cases are hard ones: few large groups, one giant group, groups of several classes, a hundred classes of five images.
The imbalance is the sum over splits and classes of the difference between images and quota, as a share of all images;
ours is the worst of five seeds. The optimum comes from integer programming (HiGHS), or is its lower bound where it did
not end in a minute.
"""

import time
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array
from sklearn.model_selection import StratifiedGroupKFold

from benchmarks.rounds import publish, to_table
from stages.core.terminal import command, progress
from stages.split.dealing import assign, quotas

SEEDS = range(5)
LONGEST_S = 60
THREE, FIVE = (70, 15, 15), (1,) * 5

Integers = npt.NDArray[np.int64]


def draw_cases() -> list[tuple[str, pd.DataFrame, tuple[int, ...]]]:
    """Return twenty cases: a name, a table of images with group and class, and the shares."""
    cases = []
    for shares in (THREE, FIVE):
        for number in range(3):
            rng = np.random.default_rng([len(shares), number])
            cases.append((f"{12 + 6 * number} large groups of 3 classes", large_groups(rng, 12 + 6 * number), shares))
        for giant in (0.2, 0.4, 0.6):
            cases.append((f"a giant group of {giant:.0%}", giant_group(giant), shares))
        for number in range(2):
            rng = np.random.default_rng([len(shares), number, 2])
            cases.append((f"groups of several classes, {number + 1}", mixed_groups(rng), shares))
        cases.append(("100 classes of 5 images", small_classes(False), shares))
        cases.append(("100 classes of 5 images, 50 pairs across classes", small_classes(True), shares))
    return cases


def to_index(rows: list[tuple[str, str, int]]) -> pd.DataFrame:
    """Return a table of images from rows of group, class and number."""
    table = [(group, name) for group, name, number in rows for _ in range(number)]
    return pd.DataFrame(table, columns=["group", "class"], dtype=str)


def large_groups(rng: np.random.Generator, count: int) -> pd.DataFrame:
    """Return groups of 5 to 40 images of one class each, and six single images of each class."""
    rows = [(f"g{n}", "abc"[n % 3], int(rng.integers(5, 41))) for n in range(count)]
    return to_index(rows + [(f"{name}{n}", name, 1) for name in "abc" for n in range(6)])


def giant_group(share: float) -> pd.DataFrame:
    """Return 300 images of three classes, of which a giant group holds a share of one class, and pairs the rest."""
    giant = round(100 * share)
    rows = [("giant", "a", giant), *((f"a{n}", "a", 2) for n in range((100 - giant) // 2))]
    return to_index(rows + [(f"{name}{n}", name, 4) for name in "bc" for n in range(25)])


def mixed_groups(rng: np.random.Generator) -> pd.DataFrame:
    """Return 60 groups that hold images of one to three of five classes, and ten single images of each class."""
    rows = [
        (f"g{n}", name, int(rng.integers(1, 6)))
        for n in range(60)
        for name in rng.choice(list("abcde"), rng.integers(1, 4), replace=False)
    ]
    return to_index(rows + [(f"{name}{n}", name, 1) for name in "abcde" for n in range(10)])


def small_classes(is_paired: bool) -> pd.DataFrame:
    """Return 100 classes of five images; if paired, one of every other class is in a group with one of the next."""
    rows = []
    for label in range(100):
        rows += [(f"pair{label // 2}", f"c{label:02}", 1)] if is_paired else []
        rows += [(f"{label}-{n}", f"c{label:02}", 1) for n in range(4 if is_paired else 5)]
    return to_index(rows)


def imbalance(index: pd.DataFrame, parts: Any, shares: tuple[int, ...]) -> float:
    """Return the sum of the differences between images and quota, as a share of all images."""
    counts = pd.crosstab(pd.Series(np.asarray(parts)), index["class"]).reindex(range(len(shares)), fill_value=0)
    wanted = quotas(counts.to_numpy().sum(axis=0), shares)
    return float(np.abs(counts.to_numpy() - wanted).sum() / len(index))


def ours(index: pd.DataFrame, shares: tuple[int, ...], seed: int) -> float:
    """Return the imbalance of our dealing with a seed."""
    names = tuple(str(part) for part in range(len(shares)))
    return imbalance(index, assign(index, shares, names, seed).astype(int), shares)


def optimum(index: pd.DataFrame, shares: tuple[int, ...]) -> tuple[float, bool]:
    """Return the least imbalance that any parts have in which no class is missing, and whether it is proven.

    Equal groups are one integer variable for each part; the differences are variables too.
    """
    counts = pd.crosstab(index["group"], index["class"]).to_numpy()
    kinds, numbers = np.unique(counts, axis=0, return_counts=True)
    n_kinds, n_classes, n_parts = len(kinds), counts.shape[1], len(shares)
    wanted = quotas(counts.sum(axis=0), shares)
    n_dealt, n_cells = n_parts * n_kinds, n_parts * n_classes
    got = np.kron(np.eye(n_parts), kinds.T)  # (parts x classes, parts x kinds)
    away = np.eye(n_cells)
    rows = [
        LinearConstraint(csr_array(np.hstack([np.tile(np.eye(n_kinds), n_parts), np.zeros((n_kinds, n_cells))])),
                         numbers, numbers),
        LinearConstraint(csr_array(np.hstack([got, -away])), -np.inf, wanted.ravel()),
        LinearConstraint(csr_array(np.hstack([got, away])), wanted.ravel(), np.inf),
        LinearConstraint(csr_array(np.hstack([got, np.zeros((n_cells, n_cells))])), 1, np.inf),
    ]  # fmt: skip
    found = milp(
        np.r_[np.zeros(n_dealt), np.ones(n_cells)], constraints=rows, bounds=Bounds(0, np.inf),
        integrality=np.r_[np.ones(n_dealt), np.zeros(n_cells)], options={"time_limit": LONGEST_S},
    )  # fmt: skip
    bound = found.mip_dual_bound if found.status else found.fun
    return max(0.0, float(bound)) / len(index), found.status == 0


def peer(index: pd.DataFrame) -> float:
    """Return the imbalance of scikit-learn's five folds."""
    parts = np.empty(len(index), dtype=int)
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0).split(index, index["class"], index["group"])
    for number, (_, test) in enumerate(folds):
        parts[test] = number
    return imbalance(index, parts, FIVE)


def main() -> None:
    """Deal all cases and publish the table."""
    rows = []
    cases = draw_cases()
    for name, index, shares in progress(cases, len(cases), "cases"):
        start = time.perf_counter()
        worst = max(ours(index, shares, seed) for seed in SEEDS)
        seconds = (time.perf_counter() - start) / len(SEEDS)
        least, is_proven = optimum(index, shares)
        its = f"{peer(index):.3f}" if shares == FIVE else "-"
        parts = "5 folds" if shares == FIVE else "70/15/15"
        rows.append([name, parts, f"{worst:.3f}", f"{'' if is_proven else 'at least '}{least:.3f}", its])
        rows[-1].append(f"{seconds:.2f}")
    header = ["groups", "parts", "ours, worst of 5 seeds", "optimum", "StratifiedGroupKFold", "our seconds"]
    publish("dealing", "Imbalance of groups dealt into parts.\n", to_table(header, rows))


if __name__ == "__main__":
    command(main)
