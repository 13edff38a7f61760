"""The download of many images at once into a store; an image that is in the store is not fetched again."""

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
from stages.images.opening import UnusableImage, decode, draft, open_image
from stages.sources.listed_image import Failure
from stages.web.addresses import redact
from stages.web.client import Fetch, Fetcher, Task
from stages.web.errors import UNANSWERED, FetchError

# To bound the memory, as many threads as cores decode images, at most 8, and only one thread decodes large images.
LARGE_PIXELS = 16_000_000
PLACEHOLDER_BYTES = 100_000  # more than any placeholder of a host for a deleted image
GONE = ("gone", "deleted")
_decoders = threading.BoundedSemaphore(min(os.cpu_count() or 1, 8))
_large_decoder = threading.Lock()
T = TypeVar("T")


class Bounds(Section):
    """The largest file and the most pixels of an image that are accepted."""

    max_megabytes: int = Field(ge=1)
    max_megapixels: int = Field(ge=1)


def download(
    urls: Iterable[str], store: Store, settings: Fetch, bounds: Bounds
) -> Iterator[tuple[str, Failure | None]]:
    """Yield each address once, in any order, with the reason why it gave no image, or None if the store has the image.

    Leaving the iteration early stops the work; a later call does not repeat the finished part.
    """
    fetcher = Fetcher(settings)
    terms = f"{bounds} {settings.allow_private} {settings.user_agent}"
    number = 0
    for url in dict.fromkeys(urls):
        if store.holds(url):
            yield url, find_excess(store.read(url), bounds)
        elif failure := store.recall(url, terms) or queue_address(url, fetcher):
            yield url, failure
        else:
            number += 1
    receive = partial(receive_image, fetcher=fetcher, store=store, bounds=bounds)
    yield from run_tasks(fetcher, number, receive, partial(record_failure, store=store, terms=terms))


def find_excess(content: bytes, bounds: Bounds) -> Failure | None:
    """Return why an image that was fetched under other bounds exceeds these bounds, or None if it does not."""
    max_bytes = bounds.max_megabytes * 1_000_000
    if len(content) > max_bytes:
        return Failure("too many bytes", f"{len(content)} of at most {max_bytes}")
    with open_image(io.BytesIO(content)) as image:
        if image.width * image.height > bounds.max_megapixels * 1_000_000:
            return Failure("too many pixels", f"{image.width}x{image.height}")
    return None


def queue_address(url: str, fetcher: Fetcher) -> Failure | None:
    """Put the address into the fetcher's queue, or return the reason why it cannot be asked."""
    try:
        fetcher.add(url, {})
    except FetchError as error:
        return Failure(error.reason, error.detail)
    return None


def run_tasks(
    fetcher: Fetcher, number: int, receive: Callable[[Task], str], explain_failure: Callable[[str, FetchError], T]
) -> Iterator[tuple[str, T | None]]:
    """Run the fetcher's tasks in threads; yield each address with None, or with `explain_failure` of its error.

    Args:
        fetcher: Its queue holds the tasks.
        number: The number of tasks.
        receive: As in `Fetcher.work`.
        explain_failure: Turns an address and its error into the result for this address.
    """
    outcomes: SimpleQueue[tuple[str, T | Exception | None]] = SimpleQueue()

    def deliver(url: str, error: Exception | None) -> None:
        outcomes.put((url, explain_failure(url, error) if isinstance(error, FetchError) else error))

    for _ in range(min(fetcher.settings.threads, number)):
        threading.Thread(target=fetcher.work, args=(receive, deliver), daemon=True).start()
    try:
        for _ in range(number):
            url, outcome = outcomes.get()
            if isinstance(outcome, Exception):
                raise outcome
            yield url, outcome
    finally:
        fetcher.queue.close()


def receive_image(task: Task, fetcher: Fetcher, store: Store, bounds: Bounds) -> str:
    """Fetch the task's image into the store and return "", or return the address that the task is redirected to.

    Raises:
        FetchError: The address gave no usable image.
    """
    with store.receiving() as stream:
        target = fetcher.send(task, stream, bounds.max_megabytes * 1_000_000)
        if not target:
            stream.flush()
            check_image(Path(stream.name), task.url, bounds)
            store.keep(task.key, stream)
        return target


def check_image(path: Path, url: str, bounds: Bounds) -> None:
    """Check that the file is a whole image, by its first bytes and by decoding it to its end.

    A file that is not an image may be a page that asks to wait, or an answer that broke off, so that the error counts
    as passing.

    Raises:
        FetchError: The file is not a whole image, is a host's placeholder for a deleted image, or has too many pixels.
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
                # At an eighth of its sides a JPEG is still read to its end, with a sixty-fourth of the memory.
                draft(image, "L", (max(1, image.width // 8), max(1, image.height // 8)))
                with _large_decoder if pixels > LARGE_PIXELS else nullcontext():
                    decode(image)
        except UnusableImage as error:
            raise FetchError(redact(url), error.reason, error.detail, is_passing=True) from error


def record_failure(url: str, error: FetchError, store: Store, terms: str) -> Failure:
    """Return the failure; remember it in the store if asking again under the same terms would give the same."""
    failure = Failure(error.reason, error.detail)
    if error.reason not in UNANSWERED:
        store.remember(url, terms, failure)
    return failure


def find_gone(urls: Iterable[str], settings: Fetch) -> Iterator[tuple[str, str | None]]:
    """Yield each address once, in any order, with "gone" or "deleted" if its image is, and None if not.

    An address that does not answer, or refuses to, is not gone. Only as many bytes of an image are read as the largest
    placeholder has.
    """
    fetcher = Fetcher(settings)
    number = 0
    for url in dict.fromkeys(urls):
        if queue_address(url, fetcher):
            yield url, None
        else:
            number += 1

    def look_for_placeholder(task: Task) -> str:
        body = io.BytesIO()
        target = fetcher.send(task, body, PLACEHOLDER_BYTES)
        if not target and name_placeholder(task.url, body.getvalue()):
            raise FetchError(redact(task.url), "deleted")
        return target

    def reason_if_gone(_: str, error: FetchError) -> str | None:
        return error.reason if error.reason in GONE else None

    yield from run_tasks(fetcher, number, look_for_placeholder, reason_if_gone)
