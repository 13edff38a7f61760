"""Whose turn it is: many tasks at many hosts, none of which is asked too often or by too many at once."""

import heapq
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

NEVER = float("inf")


@dataclass(frozen=True)
class Task:
    """A request to make: what it is for, where, how often it was redirected and how often it failed."""

    key: str
    url: str
    host: str
    headers: Mapping[str, str] = field(default_factory=dict)
    redirects: int = 0
    failures: int = 0


@dataclass
class _Host:
    """What waits for a host, soonest first, and what was asked of it lately; times are those of the monotonic clock."""

    waiting: list[tuple[float, int, Task]] = field(default_factory=list)
    active: int = 0
    next_start: float = 0.0
    ends: deque[float] = field(default_factory=deque)
    lined_up_for: float = NEVER


class Turns:
    """The tasks that wait, handed out in turn to any number of threads.

    At most `per_host` requests to a host are under way at once, and at most `per_second` of them reach it in any
    second: they start evenly spaced, and one counts until a second after its end, because only the end is known to be
    later than its arrival. A number below 1 means one request in so many more seconds.
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
        """The task waits for its turn, at least so many seconds."""
        with self._changed:
            host = self._hosts.setdefault(task.host, _Host())
            self._number += 1
            self._waiting += 1
            heapq.heappush(host.waiting, (time.monotonic() + wait_s if wait_s else 0, self._number, task))
            self._line_up(task.host)

    def pause(self, host: str, seconds: float) -> None:
        """Nothing starts at the host for so many seconds."""
        with self._changed:
            one = self._hosts[host]
            one.next_start = max(one.next_start, time.monotonic() + seconds)

    def take(self) -> Task | None:
        """The next task, after waiting for its turn; None when all are finished or the line is closed."""
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
        """The task is over; what follows from it has been added."""
        with self._changed:
            host = self._hosts[task.host]
            host.active -= 1
            self._active -= 1
            host.ends.append(time.monotonic())
            self._line_up(task.host)
            if not self._waiting and not self._active:
                self._changed.notify_all()

    def close(self) -> None:
        """Nobody gets another task."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _start(self, lined_up_for: float, name: str, now: float) -> Task | None:
        """The host's first task, or None where its time has moved since it was lined up."""
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
        """The host is in the line with the time of its next task, where it has one that may start."""
        host = self._hosts[name]
        if host.waiting and host.active < self.per_host:
            when = self._when(host, time.monotonic())
            if when < host.lined_up_for:
                host.lined_up_for = when
                heapq.heappush(self._ready, (when, name))
                self._changed.notify()

    def _when(self, host: _Host, now: float) -> float:
        """When the host's first task may start; never, as long as a request has to end first."""
        while host.ends and host.ends[0] <= now - self.window_s:
            host.ends.popleft()
        excess = host.active + len(host.ends) - self.burst
        if excess >= 0 and excess >= len(host.ends):
            return NEVER
        when = max(host.waiting[0][0], host.next_start)
        return when if excess < 0 else max(when, host.ends[excess] + self.window_s)
