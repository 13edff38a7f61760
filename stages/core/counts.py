"""Counts of a step: listed = kept + rejected + failed, the last two by reason."""

from collections import Counter
from collections.abc import Iterable


def tally(values: Iterable[str]) -> dict[str, int]:
    """Return how often each value occurs, sorted by value."""
    return dict(sorted(Counter(values).items()))
