"""The names of the splits, and counting: listed = kept + rejected(reason) + failed(reason) at every step."""

from collections import Counter
from collections.abc import Iterable, Mapping

SPLITS = ("train", "val", "test")


def tally(values: Iterable[str]) -> dict[str, int]:
    """Return how often each value occurs, sorted by value."""
    return dict(sorted(Counter(values).items()))


def state_counts(step: str, listed: int, outcomes: Mapping[str, int]) -> str:
    """Return the counts of a step in one line: all that it was given, and what became of them."""
    shown = " + ".join(f"{number:,} {name}" for name, number in outcomes.items())
    return f"{step}: {listed:,} {'image' if listed == 1 else 'images'} listed = {shown}"
