"""Polite requests: one set of limits for everything that is fetched, further tries included."""

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
from stages.web.rate_limit import Task, TaskQueue
from stages.web.request import exchange
from stages.web.secrets import hide_in, quote_start

__all__ = ["Client", "Fetch", "FetchError", "Fetcher", "Task"]

MAX_REDIRECTS = 5
FIRST_WAIT_S = 0.5  # before the second try; each further try waits twice as long


class Fetch(Section):
    """The table `collect.fetch` of params.yaml: the speed and patience of fetching; a change reruns no step."""

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
    """A worker on tasks, for any number of threads; each redirect is a task of its own at the host that it leads to.

    Args:
        settings: The limits.
        is_for_training: Whether networks may be trained on the answers; a host can deny this use by X-Robots-Tag.
    """

    def __init__(self, settings: Fetch, is_for_training: bool = True) -> None:
        self.settings = settings
        self.is_for_training = is_for_training
        self.queue = TaskQueue(settings.per_host, settings.per_second)
        self._pools = open_pools(settings.per_host, settings.timeout_s, settings.allow_private)

    def add(self, url: str, headers: Mapping[str, str]) -> None:
        """Put the address into the queue.

        Raises:
            FetchError: The text is not an address of the web.
        """
        self.queue.add(Task(key=url, url=url, host=host_of(url), headers=headers))

    def send(self, task: Task, sink: IO[bytes], max_bytes: int) -> str:
        """Do one `request.exchange` under this fetcher's settings; no other host gets the task's own headers."""
        headers = {"Accept-Encoding": "identity", "User-Agent": self.settings.user_agent}
        if origin(task.url) == origin(task.key):
            headers |= task.headers
        return exchange(
            self._pools,
            task.url,
            headers,
            sink,
            max_bytes=max_bytes,
            deadline_s=self.settings.deadline_s,
            is_for_training=self.is_for_training,
        )

    def work(self, receive: Callable[[Task], str], deliver: Callable[[str, Exception | None], None]) -> None:
        """Work on tasks until none is left, and deliver the outcome of each.

        Args:
            receive: Sends a task and takes its answer; returns the address that the answer redirects to, or "".
            deliver: Gets the address that was added, and the error if it gave no usable answer. An error that is not a
                `FetchError` is not the host's fault, and ends the work.
        """
        while (task := self.queue.take()) is not None:
            try:
                self._advance(task, receive, deliver)
            except Exception as error:
                self.queue.close()
                deliver(task.key, error)
            finally:
                self.queue.finish(task)

    def fetch(self, url: str, headers: Mapping[str, str], sink: IO[bytes], max_bytes: int) -> None:
        """Write the body of one address's answer into the sink; no other thread may use the fetcher meanwhile.

        Raises:
            FetchError: The address gives no usable answer.
        """
        outcome: list[Exception | None] = []

        def receive(task: Task) -> str:
            sink.seek(0)
            sink.truncate()
            return self.send(task, sink, max_bytes)

        self.add(url, headers)
        self.work(receive, lambda _, error: outcome.append(error))
        if outcome[0] is not None:
            raise outcome[0]

    def _advance(
        self, task: Task, receive: Callable[[Task], str], deliver: Callable[[str, Exception | None], None]
    ) -> None:
        try:
            target = receive(task)
            if target:
                self.queue.add(follow(task, target))
        except FetchError as error:
            if error.is_passing and task.failures < self.settings.retries:
                self._try_again(task, error)
            else:
                deliver(task.key, error)
        else:
            if not target:
                deliver(task.key, None)

    def _try_again(self, task: Task, error: FetchError) -> None:
        """Queue a failed task again; if its host asked for a pause, all tasks at this host wait."""
        wait_s = FIRST_WAIT_S * 2**task.failures * random.uniform(0.5, 1)
        if error.wait_s:
            self.queue.pause(task.host, min(error.wait_s, self.settings.max_wait_s))
        first = replace(task, url=task.key, host=host_of(task.key), redirects=0, failures=task.failures + 1)
        self.queue.add(first, min(max(wait_s, error.wait_s), self.settings.max_wait_s))


def follow(task: Task, target: str) -> Task:
    """Return the task for the address that a task was redirected to.

    Raises:
        FetchError: The task was redirected too often.
    """
    if task.redirects == MAX_REDIRECTS:
        raise FetchError(redact(task.key), "too many redirects", f"more than {MAX_REDIRECTS}")
    return replace(task, url=target, host=host_of(target), redirects=task.redirects + 1)


def origin(url: str) -> tuple[str | None, str | None, int | None]:
    """Return scheme, host and port; a secret may be sent again to the same three."""
    parts = split_url(url)
    return parts.scheme, parts.host, parts.port


class Client:
    """A client that makes one request after the other, under the same rules and limits as the fetching of images."""

    def __init__(self, settings: Fetch) -> None:
        self._fetcher = Fetcher(settings)
        self._max_bytes = settings.max_megabytes * 1_000_000
        self._is_free = threading.Lock()

    def json(self, url: str, query: Mapping[str, str | int] = {}, headers: Mapping[str, str] = {}) -> Any:
        """Return the answer to the query, read as JSON, without keys that the server sends back.

        Raises:
            FetchError: The address gives no usable answer, or an answer that is not JSON.
        """
        joint = "&" if "?" in url else "?"
        content = self.get(f"{url}{joint}{urlencode(query)}" if query else url, headers)
        try:
            return hide_in(json.loads(content))
        except (ValueError, RecursionError):
            raise FetchError(redact(url), "no JSON", quote_start(content, 60)) from None

    def get(self, url: str, headers: Mapping[str, str] = {}) -> bytes:
        """Return the whole body of the answer.

        Raises:
            FetchError: The address gives no usable answer.
        """
        body = io.BytesIO()
        with self._is_free:
            self._fetcher.fetch(url, headers, body, self._max_bytes)
        return body.getvalue()
