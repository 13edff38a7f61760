"""A queue of tasks at many hosts, which limits how often each host is asked and by how many at once."""

import heapq
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

NEVER = float("inf")


@dataclass(frozen=True)
class Task:
    """A request to make; `key` is the address that was added, `url` the address to ask after redirects."""

    key: str
    url: str
    host: str
    headers: Mapping[str, str] = field(default_factory=dict)
    redirects: int = 0
    failures: int = 0


@dataclass
class _Host:
    """The tasks that wait for a host, soonest first, and its recent requests; times are from the monotonic clock."""

    waiting: list[tuple[float, int, Task]] = field(default_factory=list)
    active: int = 0
    next_start: float = 0.0
    ends: deque[float] = field(default_factory=deque)
    lined_up_for: float = NEVER


class TaskQueue:
    """Waiting tasks, which any number of threads take.

    At most `per_host` requests to a host are under way at once, and at most `per_second` requests reach it in any
    second. Requests start evenly spaced. A request counts until a second after its end, because its arrival at the host
    is not known, only that it was before the end. A `per_second` of 0.5 means one request in two seconds.
    """

    def __init__(self, per_host: int, per_second: float) -> None:
        self.per_host = per_host
        self.gap_s = 1 / per_second
        self.burst = max(1, int(per_second))
        self.window_s = self.burst / per_second
        self._hosts: dict[str, _Host] = {}
        self._ready: list[tuple[float, str]] = []
        self._number = self._waiting = self._active = 0
        self._is_closed = False
        self._changed = threading.Condition()

    def add(self, task: Task, wait_s: float = 0) -> None:
        """Put the task into the queue; it starts after `wait_s` seconds at the earliest."""
        with self._changed:
            host = self._hosts.setdefault(task.host, _Host())
            self._number += 1
            self._waiting += 1
            heapq.heappush(host.waiting, (time.monotonic() + wait_s if wait_s else 0, self._number, task))
            self._line_up(task.host)

    def pause(self, host: str, seconds: float) -> None:
        """Start no task at the host for the seconds."""
        with self._changed:
            paused = self._hosts[host]
            paused.next_start = max(paused.next_start, time.monotonic() + seconds)

    def take(self) -> Task | None:
        """Wait for the next task that may start; return None if all are finished or the queue is closed."""
        with self._changed:
            while self._waiting or self._active:
                if self._is_closed:
                    break
                now = time.monotonic()
                if self._ready and self._ready[0][0] <= now:
                    if task := self._start(*heapq.heappop(self._ready), now):
                        return task
                else:
                    self._changed.wait(self._ready[0][0] - now if self._ready else None)
            return None

    def finish(self, task: Task) -> None:
        """Mark the task as finished; tasks that follow from it must be added before."""
        with self._changed:
            host = self._hosts[task.host]
            host.active -= 1
            self._active -= 1
            host.ends.append(time.monotonic())
            self._line_up(task.host)
            if not self._waiting and not self._active:
                self._changed.notify_all()

    def close(self) -> None:
        """Hand out no further task."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _start(self, lined_up_for: float, name: str, now: float) -> Task | None:
        """Return the host's first task, or None if its time has changed since the host was lined up."""
        host = self._hosts[name]
        if lined_up_for != host.lined_up_for:
            return None
        host.lined_up_for = NEVER
        if self._when(host, now) > now:
            self._line_up(name)
            return None
        task = heapq.heappop(host.waiting)[2]
        host.active += 1
        host.next_start = now + self.gap_s
        self._waiting -= 1
        self._active += 1
        self._line_up(name)
        return task

    def _line_up(self, name: str) -> None:
        """Line the host up with the time of its next task, if it has a task that may start."""
        host = self._hosts[name]
        if host.waiting and host.active < self.per_host:
            when = self._when(host, time.monotonic())
            if when < host.lined_up_for:
                host.lined_up_for = when
                heapq.heappush(self._ready, (when, name))
                self._changed.notify()

    def _when(self, host: _Host, now: float) -> float:
        """Return when the host's first task may start; NEVER as long as another request has to end first."""
        while host.ends and host.ends[0] <= now - self.window_s:
            host.ends.popleft()
        excess = host.active + len(host.ends) - self.burst
        if excess >= 0 and excess >= len(host.ends):
            return NEVER
        when = max(host.waiting[0][0], host.next_start)
        return when if excess < 0 else max(when, host.ends[excess] + self.window_s)
