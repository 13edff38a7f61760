"""The table of a person's decisions: each row is written whole or not at all."""

import csv
import io
import os
import re
from contextlib import AbstractContextManager
from dataclasses import astuple, replace
from pathlib import Path

from stages.core.locks import locked
from stages.images.decisions import Decision, is_whole


def writing_alone(path: Path) -> AbstractContextManager[None]:
    """Return a block for one process and thread at a time: whoever enters it for the same table waits for its turn."""
    return locked(path.with_name(f".{path.name}.lock"), timeout_s=-1)


def append(path: Path, decision: Decision) -> None:
    """Append a decision to the table in one write and sync it to the disk; a line break in the reason becomes a space.

    The caller holds the table by `writing_alone`: another writer's unfinished row would look like a last row without
    a newline.

    Raises:
        OSError: The table is missing, or the disk is full.
    """
    reason = re.sub(r"\r\n|\r|\n", " ", decision.reason)
    row = io.StringIO()
    csv.writer(row, lineterminator="\n").writerow(astuple(replace(decision, reason=reason)))
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
    try:
        size = os.fstat(descriptor).st_size
        # A row that another program left without a newline is not continued.
        start = b"\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else b""
        content = start + row.getvalue().encode()
        if os.write(descriptor, content) != len(content):
            raise OSError(f"{path}: expected room for a row, got a full disk.")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def mend(path: Path) -> str:
    """Drop the last row if it was not written to its end, and end the table with a newline; return the dropped row.

    The returned text is empty where nothing was dropped. The caller holds the table by `writing_alone`.
    """
    with path.open("r+b") as stream:
        content = stream.read()
        start = content.rfind(b"\n") + 1
        last = content[start:]
        is_torn = start > 0 and last != b"" and not is_whole(last)
        if is_torn:
            stream.truncate(start)
        elif last:
            stream.write(b"\n")
        stream.flush()
        os.fsync(stream.fileno())
    return last.decode(errors="replace") if is_torn else ""
