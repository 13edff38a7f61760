"""Locks between processes and threads, so that two of them never write to the same place at once."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

POLL_S = 0.01  # between two attempts of whoever waits


@contextmanager
def locked(path: Path, refusal: str = "", *, is_inherited: bool = False, timeout_s: float = 0) -> Iterator[None]:
    """Hold the lock file until the block ends, and then delete it: who waits for it makes it anew.

    The operating system keeps the lock, and releases it when the process that holds it ends for any reason.

    Args:
        path: The lock file, which is created.
        refusal: The text of the error that is raised if the lock is still held by another after `timeout_s`.
        is_inherited: Whether processes started inside the block hold the lock too, and keep it if this process is
            killed. The file of such a lock stays.
        timeout_s: How long to wait for the lock; 0 does not wait, -1 waits for ever.

    Raises:
        ValueError: Another process or thread still holds the lock after `timeout_s`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(
        path,
        timeout=timeout_s,
        poll_interval=POLL_S,
        on_acquired=lambda descriptor: os.set_inheritable(descriptor, is_inherited),
    )
    try:
        lock.acquire()
    except Timeout as error:
        raise ValueError(refusal) from error
    try:
        yield
    finally:
        if not is_inherited:
            path.unlink(missing_ok=True)
        lock.release()
