"""The score of reported pairs of files, against the truth about a planted set.

Pairs count transitively, for every method alike: a planted pair is found when both of its files end up in one group,
and every pair within a group of files that are not planted as the same is wrong.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from benchmarks.methods import Pairs, read_rows


@dataclass(frozen=True)
class Truth:
    """The original of each file, which is the file itself unless it is a copy, and the kind of each file."""

    originals: dict[str, str]
    kinds: dict[str, str]

    def count(self, kinds: Iterable[str]) -> int:
        """Return how many files are of one of the kinds."""
        return sum(self.kinds[file] in kinds for file in self.kinds)


@dataclass(frozen=True)
class Score:
    """How often each kind was found, how many pairs are right and wrong, and how often each kind was refused."""

    found: Counter[str]
    right: int
    wrong: int
    refused: Counter[str]

    @property
    def precision(self) -> float:
        """The share of the reported pairs that are right; 0 if no pair is reported."""
        return self.right / max(1, self.right + self.wrong)


def read_truth(folder: Path) -> Truth:
    """Return the truth of a planted set."""
    rows = list(read_rows(folder / "truth.csv"))
    originals = {row["file"]: row["original"] or row["file"] for row in rows}
    return Truth(originals, {row["file"]: row["kind"] for row in rows})


def group_files(pairs: Pairs) -> list[set[str]]:
    """Return the groups that the pairs form."""
    groups: dict[str, set[str]] = {}
    for first, second, *_ in pairs:
        one, other = groups.setdefault(first, {first}), groups.setdefault(second, {second})
        if one is not other:
            one |= other
            groups.update(dict.fromkeys(other, one))
    return list({id(each): each for each in groups.values()}.values())


def score(pairs: Pairs, refused: list[str], truth: Truth) -> Score:
    """Return the score of the pairs and the refused files."""
    found: Counter[str] = Counter()
    right = wrong = 0
    for each in group_files(pairs):
        same = Counter(truth.originals[file] for file in each)
        hits = sum(number * (number - 1) // 2 for number in same.values())
        right, wrong = right + hits, wrong + len(each) * (len(each) - 1) // 2 - hits
        found.update(truth.kinds[file] for file in each if file != truth.originals[file] in each)
    return Score(found, right, wrong, Counter(truth.kinds[file] for file in refused))


def find_unplanted(pairs: Pairs, truth: Truth) -> list[tuple[str, ...]]:
    """Return the pairs of different originals that the reported pairs bring into one group, sorted."""
    groups = [sorted({truth.originals[file] for file in each}) for each in group_files(pairs)]
    return sorted(pair for each in groups for pair in combinations(each, 2))
