"""Asking hosts, politely: one set of limits for whatever is fetched, tries again included."""

import io
import json
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import IO, Any
from urllib.parse import urlencode

from pydantic import Field

from stages.core.params import Section
from stages.web.addresses import host_of, redact, split_url
from stages.web.connections import open_pools
from stages.web.errors import FetchError
from stages.web.rate_limit import Task, Turns
from stages.web.request import exchange

__all__ = ["Client", "Fetch", "FetchError", "Fetcher", "Task"]

MAX_REDIRECTS = 5
FIRST_WAIT_S = 0.5  # before the second try; each further one waits twice as long


class Fetch(Section):
    """The table `collect.fetch` of params.yaml: how fast and how patiently to fetch; a change reruns nothing."""

    threads: int = Field(ge=1)
    per_host: int = Field(ge=1)
    per_second: float = Field(gt=0)
    timeout_s: float = Field(gt=0)
    deadline_s: float = Field(gt=0)
    retries: int = Field(ge=0)
    max_wait_s: float = Field(ge=0)
    max_megabytes: int = Field(ge=1)
    allow_private: bool
    user_agent: str = Field(min_length=1, pattern=r"^[\x20-\x7e]+$")


class Fetcher:
    """Works off tasks, from any number of threads; each redirect is a task of its own at the host that it leads to."""

    def __init__(self, settings: Fetch) -> None:
        self.settings = settings
        self.turns = Turns(settings.per_host, settings.per_second)
        self._pools = open_pools(settings.per_host, settings.timeout_s, settings.allow_private)

    def add(self, url: str, headers: Mapping[str, str]) -> None:
        """The address waits for its turn.

        Raises:
            FetchError: it is none of the web's.
        """
        self.turns.add(Task(key=url, url=url, host=host_of(url), headers=headers))

    def send(self, task: Task, sink: IO[bytes], max_bytes: int) -> str:
        """As `exchanges.exchange`, under this fetcher's settings; no other host gets the task's own headers."""
        headers = {"Accept-Encoding": "identity", "User-Agent": self.settings.user_agent}
        if origin(task.url) == origin(task.key):
            headers |= task.headers
        return exchange(self._pools, task.url, headers, sink, max_bytes, self.settings.deadline_s)

    def work(self, receive: Callable[[Task], str], deliver: Callable[[str, Exception | None], None]) -> None:
        """All tasks that this thread gets have their outcome delivered.

        Args:
            receive: sends a task and takes what comes, or gives the address that it redirects to.
            deliver: told the address that was added, and why it gave nothing, if it did not. An error that is no
                `FetchError` is none of the host's, and ends the work.
        """
        while (task := self.turns.take()) is not None:
            try:
                self._advance(task, receive, deliver)
            except Exception as error:
                self.turns.close()
                deliver(task.key, error)
            finally:
                self.turns.finish(task)

    def _advance(
        self, task: Task, receive: Callable[[Task], str], deliver: Callable[[str, Exception | None], None]
    ) -> None:
        try:
            target = receive(task)
            if target:
                self.turns.add(follow(task, target))
        except FetchError as error:
            if error.is_passing and task.failures < self.settings.retries:
                self._try_again(task, error)
            else:
                deliver(task.key, error)
        else:
            if not target:
                deliver(task.key, None)

    def _try_again(self, task: Task, error: FetchError) -> None:
        """The task waits, the longer the more often it failed; where the host asked for it, all others wait too."""
        wait_s = FIRST_WAIT_S * 2**task.failures * random.uniform(0.5, 1)
        if error.wait_s:
            self.turns.pause(task.host, min(error.wait_s, self.settings.max_wait_s))
        first = replace(task, url=task.key, host=host_of(task.key), redirects=0, failures=task.failures + 1)
        self.turns.add(first, min(max(wait_s, error.wait_s), self.settings.max_wait_s))


def follow(task: Task, target: str) -> Task:
    """The task at the address that it was redirected to.

    Raises:
        FetchError: it was redirected too often.
    """
    if task.redirects == MAX_REDIRECTS:
        raise FetchError(redact(task.key), "too many redirects", f"more than {MAX_REDIRECTS}")
    return replace(task, url=target, host=host_of(target), redirects=task.redirects + 1)


def origin(url: str) -> tuple[str | None, str | None, int | None]:
    """Scheme, host and port: what may see the same secrets."""
    parts = split_url(url)
    return parts.scheme, parts.host, parts.port


class Client:
    """Asks one thing after the other, under the same rules, limits and patience as the fetching of images."""

    def __init__(self, settings: Fetch) -> None:
        self._fetcher = Fetcher(settings)
        self._max_bytes = settings.max_megabytes * 1_000_000
        self._is_free = threading.Lock()

    def json(self, url: str, query: Mapping[str, str | int] = {}, headers: Mapping[str, str] = {}) -> Any:
        """What the address answers to the query, read as JSON.

        Raises:
            FetchError: it does not answer, or with something else.
        """
        joint = "&" if "?" in url else "?"
        content = self.get(f"{url}{joint}{urlencode(query)}" if query else url, headers)
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise FetchError(redact(url), "no JSON", repr(content[:60])) from None

    def get(self, url: str, headers: Mapping[str, str] = {}) -> bytes:
        """What the address answers, all of it.

        Raises:
            FetchError: nothing, or nothing that may be used.
        """
        body = io.BytesIO()
        outcome: list[Exception | None] = []

        def receive(task: Task) -> str:
            body.seek(0)
            body.truncate()
            return self._fetcher.send(task, body, self._max_bytes)

        with self._is_free:
            self._fetcher.add(url, headers)
            self._fetcher.work(receive, lambda _, error: outcome.append(error))
        if outcome[0] is not None:
            raise outcome[0]
        return body.getvalue()
