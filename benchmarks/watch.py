"""What a command that another program starts takes: how long it lives, and how much memory it and its children have."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

INTERVAL_S = 0.1  # between two looks


class Watch(threading.Thread):
    """Looks at a step that DVC runs, until DVC ends: how long it lives, and how much memory it and its children have.

    The memory leaves out pages of files, which the system takes back where it needs them.
    """

    def __init__(self, parent: int) -> None:
        super().__init__(daemon=True)
        self.parent, self.peak_bytes, self.seen_s = psutil.Process(parent), 0, 0.0

    def run(self) -> None:
        """Look again and again."""
        first = None
        while has_not_ended(self.parent):
            held = sum(map(read_memory, self.find_steps()))
            if held:
                first = first or time.perf_counter()
                self.seen_s = time.perf_counter() - first
            self.peak_bytes = max(self.peak_bytes, held)
            time.sleep(INTERVAL_S)

    def find_steps(self) -> Iterator[int]:
        """Yield the processes of the step."""
        try:
            for child in self.parent.children(recursive=True):
                words = child.cmdline()
                if "python" in "".join(words[:1]) and "git" not in words:
                    yield child.pid
        except psutil.Error:  # it has ended
            return


def has_not_ended(process: psutil.Process) -> bool:
    """Return whether the process still runs."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def read_memory(process: int) -> int:
    """Return the bytes of memory that the process shares with no file; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    fields = dict(line.split(":", 1) for line in lines)
    return sum(int(fields[name].split()[0]) * 1024 for name in ("RssAnon", "RssShmem") if name in fields)
