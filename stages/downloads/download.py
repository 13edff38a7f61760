"""Many images at once, from their addresses into the store: what is there is not fetched again, what fails says why."""

import io
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from pydantic import Field

from stages.core.params import Section
from stages.downloads.placeholders import name_placeholder
from stages.downloads.store import Store
from stages.images.formats import check_type, check_whole
from stages.images.reading import UnusableImage, decode, open_image
from stages.sources.listed_image import Failure
from stages.web.addresses import redact
from stages.web.client import Fetch, Fetcher, Task
from stages.web.errors import UNANSWERED, FetchError

# Pictures are decoded by as many threads as there are cores, at most 8, larger ones by one: that bounds the memory.
LARGE_PIXELS = 16_000_000
PLACEHOLDER_BYTES = 100_000  # more than any host's picture for a deleted image has
GONE = ("gone", "deleted")
_decoders = threading.BoundedSemaphore(min(os.cpu_count() or 1, 8))
_large_decoder = threading.Lock()
T = TypeVar("T")


class Bounds(Section):
    """What is no longer taken: larger files, and pictures of more pixels."""

    max_megabytes: int = Field(ge=1)
    max_megapixels: int = Field(ge=1)


def download(
    urls: Iterable[str], store: Store, settings: Fetch, bounds: Bounds
) -> Iterator[tuple[str, Failure | None]]:
    """Each address once, in any order, and why it gave no image; where there is no such reason, the store has it.

    Leaving the iteration early stops the work; what is done by then is not done again.
    """
    fetcher = Fetcher(settings)
    terms = f"{bounds} {settings.allow_private} {settings.user_agent}"
    number = 0
    for url in dict.fromkeys(urls):
        if store.holds(url):
            yield url, find_excess(store.read(url), bounds)
        elif failure := store.recall(url, terms) or line_up(url, fetcher):
            yield url, failure
        else:
            number += 1
    receive = partial(take_in, fetcher=fetcher, store=store, bounds=bounds)
    yield from work_off(fetcher, number, receive, partial(settle, store=store, terms=terms))


def find_excess(content: bytes, bounds: Bounds) -> Failure | None:
    """Why an image that was fetched under other bounds is not taken under these, if it is not."""
    max_bytes = bounds.max_megabytes * 1_000_000
    if len(content) > max_bytes:
        return Failure("too many bytes", f"{len(content)} of at most {max_bytes}")
    with open_image(io.BytesIO(content)) as image:
        if image.width * image.height > bounds.max_megapixels * 1_000_000:
            return Failure("too many pixels", f"{image.width}x{image.height}")
    return None


def line_up(url: str, fetcher: Fetcher) -> Failure | None:
    """Why the address cannot be asked; if there is no reason, it waits at the fetcher."""
    try:
        fetcher.add(url, {})
    except FetchError as error:
        return Failure(error.reason, error.detail)
    return None


def work_off(
    fetcher: Fetcher, number: int, receive: Callable[[Task], str], settle: Callable[[str, FetchError], T]
) -> Iterator[tuple[str, T | None]]:
    """The outcomes of so many tasks of the fetcher as they come: the address, and what is made of its failure."""
    outcomes: SimpleQueue[tuple[str, T | Exception | None]] = SimpleQueue()

    def deliver(url: str, error: Exception | None) -> None:
        outcomes.put((url, settle(url, error) if isinstance(error, FetchError) else error))

    for _ in range(min(fetcher.settings.threads, number)):
        threading.Thread(target=fetcher.work, args=(receive, deliver), daemon=True).start()
    try:
        for _ in range(number):
            url, outcome = outcomes.get()
            if isinstance(outcome, Exception):
                raise outcome
            yield url, outcome
    finally:
        fetcher.turns.close()


def take_in(task: Task, fetcher: Fetcher, store: Store, bounds: Bounds) -> str:
    """The address that the task is redirected to; or empty, and the store has its image.

    Raises:
        FetchError: it gave none.
    """
    with store.receiving() as stream:
        target = fetcher.send(task, stream, bounds.max_megabytes * 1_000_000)
        if not target:
            stream.flush()
            check_image(Path(stream.name), task.url, bounds)
            store.keep(task.key, stream)
        return target


def check_image(path: Path, url: str, bounds: Bounds) -> None:
    """Nothing, where the file is a whole picture, by its bytes and decoded to its end.

    What is none may be a page that asks for patience, or an answer that broke off: another try may do.

    Raises:
        FetchError: it is none, a host's picture for one that was deleted, or has more pixels than are taken.
    """
    with _decoders:
        content = path.read_bytes()
        if name := name_placeholder(url, content):
            raise FetchError(redact(url), "deleted", name)
        try:
            check_type(content)
            with open_image(io.BytesIO(content)) as image:
                pixels = image.width * image.height
                if pixels > bounds.max_megapixels * 1_000_000:
                    raise FetchError(redact(url), "too many pixels", f"{image.width}x{image.height}")
                check_whole(content)
                # A JPEG is read to its end at an eighth of its sides too, in a sixty-fourth of the memory.
                image.draft("L", (max(1, image.width // 8), max(1, image.height // 8)))
                with _large_decoder if pixels > LARGE_PIXELS else nullcontext():
                    decode(image)
        except UnusableImage as error:
            raise FetchError(redact(url), error.reason, error.detail, is_passing=True) from error


def settle(url: str, error: FetchError, store: Store, terms: str) -> Failure:
    """Why the address gave nothing, remembered where asking again under these terms would show the same."""
    failure = Failure(error.reason, error.detail)
    if error.reason not in UNANSWERED:
        store.remember(url, terms, failure)
    return failure


def find_gone(urls: Iterable[str], settings: Fetch) -> Iterator[tuple[str, str | None]]:
    """Each address once, in any order, and the word for it where its image is gone or replaced by a host's picture.

    What does not answer, or refuses to, is not gone. No more of an image is read than a placeholder has bytes.
    """
    fetcher = Fetcher(settings)
    number = 0
    for url in dict.fromkeys(urls):
        if line_up(url, fetcher):
            yield url, None
        else:
            number += 1

    def look(task: Task) -> str:
        body = io.BytesIO()
        target = fetcher.send(task, body, PLACEHOLDER_BYTES)
        if not target and name_placeholder(task.url, body.getvalue()):
            raise FetchError(redact(task.url), "deleted")
        return target

    yield from work_off(fetcher, number, look, lambda _, error: error.reason if error.reason in GONE else None)
