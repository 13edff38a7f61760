"""Writing a person's decisions: one line at a time, whole or not at all."""

import csv
import io
import os
import re
from dataclasses import astuple, replace
from pathlib import Path

from stages.images.decisions import Decision, is_whole


def append(path: Path, decision: Decision) -> None:
    """The decision is the table's last line and on the disk, in one write; line breaks in the reason became spaces.

    Nobody else may write meanwhile: a half-written line would look like one left open.

    Raises:
        OSError: the file is missing, or the disk is full.
    """
    reason = re.sub(r"\r\n|\r|\n", " ", decision.reason)
    row = io.StringIO()
    csv.writer(row, lineterminator="\n").writerow(astuple(replace(decision, reason=reason)))
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
    try:
        size = os.fstat(descriptor).st_size
        # A line that another program left open is not continued.
        start = b"\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else b""
        content = start + row.getvalue().encode()
        if os.write(descriptor, content) != len(content):
            raise OSError(f"{path}: expected room for a row, got a full disk.")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def mend(path: Path) -> str:
    """The last row if it was not written to its end and is therefore dropped, or nothing; a newline ends the file.

    Nobody else may write meanwhile.
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
