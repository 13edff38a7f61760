"""The names of the splits, and counting: listed = kept + rejected(reason) + failed(reason) at every step."""

from collections import Counter
from collections.abc import Iterable

SPLITS = ("train", "val", "test")


def tally(values: Iterable[str]) -> dict[str, int]:
    """Return how often each value occurs, sorted by value."""
    return dict(sorted(Counter(values).items()))
