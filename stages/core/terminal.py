"""What a person sees of a step: one line for what is wrong, a bar for what is going on."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def command(main: Callable[[], None]) -> None:
    """Run a step; what a person got wrong becomes one line on standard error and exit status 1.

    With TRACEBACK=1 in the environment the traceback is shown instead.
    """
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("interrupted: nothing half-written is left; the same command goes on with this step.")
    except (ValueError, TypeError, OSError) as error:
        if os.environ.get("TRACEBACK"):
            raise
        sys.exit(" ".join(str(error).split()))


def progress(items: Iterable[T], total: int, title: str) -> Iterator[T]:
    """The items, with a bar on standard error while they pass; silent where that is no terminal."""
    yield from tqdm(items, total=total, desc=title, unit="image", disable=not sys.stderr.isatty())


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
