"""A bar for work of which some fails: how much is done, how fast, and what failed why."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress_by_reason(items: Iterable[T], total: int | None, title: str, reason_of: Callable[[T], str]) -> Iterator[T]:
    """The items, with a bar on standard error while they pass; silent where that is no terminal.

    `total` is None where it is not known; `reason_of` says why an item failed, nothing where it did not.
    """
    reasons: Counter[str] = Counter()
    with tqdm(total=total, desc=title, unit="image", disable=not sys.stderr.isatty()) as bar:
        for item in items:
            if reason := reason_of(item):
                reasons[reason] += 1
                bar.set_postfix_str(", ".join(f"{number} {name}" for name, number in reasons.most_common()))
            bar.update()
            yield item
