"""What a person sees of a step: one line for what is wrong, a bar for what is going on."""

import os
import sys
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
