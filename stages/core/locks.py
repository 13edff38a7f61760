"""Locks between processes and threads, so that two of them never write to the same place at once."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def locked(path: Path, refusal: str, *, is_inherited: bool = False) -> Iterator[None]:
    """Hold the lock file until the block ends.

    The operating system keeps the lock, and releases it when the process that holds it ends for any reason.

    Args:
        path: The lock file, which is created.
        refusal: The text of the error that is raised if another process or thread holds the lock.
        is_inherited: Whether processes started inside the block hold the lock too, and keep it if this process is
            killed.

    Raises:
        ValueError: Another process or thread holds the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=0, on_acquired=lambda descriptor: os.set_inheritable(descriptor, is_inherited))
    try:
        lock.acquire()
    except Timeout as error:
        raise ValueError(refusal) from error
    try:
        yield
    finally:
        lock.release()
