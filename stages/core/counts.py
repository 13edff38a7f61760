"""Accounting: listed = kept + rejected(reason) + failed(reason) at every step."""

from collections import Counter
from collections.abc import Iterable


def tally(values: Iterable[str]) -> dict[str, int]:
    """How often each value occurs, sorted by value."""
    return dict(sorted(Counter(values).items()))
