"""The output of a step in the terminal: one line for an error or the counts, and a bar for the progress."""

import errno
import gc
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from stages.core import stage_inputs
from stages.core.files import is_full

T = TypeVar("T")


def command(main: Callable[[], None]) -> None:
    """Run a step, and turn an error of its user into one line on standard error and exit status 1.

    An edit of the inputs of a stage that DVC runs is such an error, because DVC would record it as what the stage read.
    If the environment has TRACEBACK=1, the traceback is shown instead. What the step has imported and made goes with
    the process: Python need not search it for cycles, which takes a second and a half once Keras is imported.
    """
    gc.freeze()
    try:
        stage_inputs.remember()
        main()
        stage_inputs.check_unchanged()
        gc.freeze()
    except KeyboardInterrupt:
        sys.exit("interrupted: nothing half-written is left; the same command goes on with this step.")
    except (ValueError, TypeError, OSError) as error:
        if os.environ.get("TRACEBACK"):
            raise
        sys.exit(" ".join(describe(error).split()))


def describe(error: Exception) -> str:
    """Return what the error says, and of one of the system where, what was expected and what was met."""
    if not isinstance(error, OSError):
        return str(error)
    path = error.filename2 or error.filename or Path.cwd()  # A copy names its source first.
    if is_full(error):
        return f"{path}: expected room on the disk to write to, got a full one."
    if error.filename and error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"{path}: expected to be allowed to read and write it, got: {os.strerror(error.errno)}."
    return str(error)


def state_counts(step: str, listed: int, outcomes: Mapping[str, int]) -> str:
    """Return the counts of a step in one line: listed = kept + rejected(reason) + failed(reason)."""
    shown = " + ".join(f"{number:,} {name}" for name, number in outcomes.items())
    return f"{step}: {listed:,} {'image' if listed == 1 else 'images'} listed = {shown}"


def progress(items: Iterable[T], total: int, title: str, unit: str = "image") -> Iterator[T]:
    """Yield the items, and show a progress bar on standard error if it is a terminal."""
    yield from tqdm(items, total=total, desc=title, unit=unit, disable=not sys.stderr.isatty())


def progress_by_reason(items: Iterable[T], total: int | None, title: str, reason_of: Callable[[T], str]) -> Iterator[T]:
    """Yield the items, and show a bar that counts failures by reason on standard error if it is a terminal.

    Args:
        items: The items to pass on.
        total: The number of items; None if it is unknown.
        title: The text before the bar.
        reason_of: Returns the reason why an item failed; an empty text for an item that did not fail.
    """
    reasons: Counter[str] = Counter()
    with tqdm(total=total, desc=title, unit="image", disable=not sys.stderr.isatty()) as bar:
        for item in items:
            if reason := reason_of(item):
                reasons[reason] += 1
                bar.set_postfix_str(", ".join(f"{number} {name}" for name, number in reasons.most_common()))
            bar.update()
            yield item
