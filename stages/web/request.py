"""One request and its answer over HTTP, with checks of status, headers and body."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from typing import IO

from urllib3 import BaseHTTPResponse, PoolManager
from urllib3.exceptions import DecodeError, HTTPError, LocationValueError, SSLError
from urllib3.exceptions import TimeoutError as Urllib3Timeout

from stages.web.addresses import join, redact, split_url
from stages.web.connections import limited_to
from stages.web.errors import FetchError
from stages.web.retry_after import read_retry_after
from stages.web.secrets import hide

CHUNK = 1 << 16
REDIRECTS = (301, 302, 303, 307, 308)
GONE, FORBIDDEN = (404, 410), (401, 403, 451)
PASSING = (408, 425, 429)  # and 5xx
ENCODINGS = ("", "identity", "gzip", "x-gzip", "deflate")
# https://www.deviantart.com/team/journal/UPDATE-All-Deviations-Are-Opted-Out-of-AI-Datasets-934500371
NO_AI = ("noai", "noimageai")
# Directives with a value: `unavailable_after: <date>` looks like `<name of a robot>: <directive>`.
# https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag
VALUED = ("unavailable_after", "max-snippet", "max-image-preview", "max-video-preview")


def exchange(
    pools: PoolManager,
    url: str,
    headers: Mapping[str, str],
    sink: IO[bytes],
    *,
    max_bytes: int,
    deadline_s: float,
    is_for_training: bool,
) -> str:
    """Ask the address once; return the address that it redirects to, or "" after the sink has the whole body.

    Raises:
        FetchError: The text is not an address of the web, or the host gives no usable answer in time, denies its use
            for training if that is the purpose, or answers with more than `max_bytes`, unpacked.
    """
    split_url(url)
    with limited_to(deadline_s):
        with _translated(url):
            response = pools.request(
                "GET", url, headers=headers, redirect=False, retries=False, preload_content=False, decode_content=True
            )
        try:
            if is_for_training:
                check_robots(response, url, headers.get("User-Agent", ""))
            if response.status in REDIRECTS and (location := response.headers.get("Location")):
                return join(url, location)
            check_status(response, url)
            copy_body(response, url, sink, max_bytes)
            return ""
        finally:
            response.close()  # An unread rest would be taken for the next answer.


@contextmanager
def _translated(url: str) -> Iterator[None]:
    """Turn all errors of a connection into FetchError, with the same text for the same fault."""
    where = redact(url)
    try:
        yield
    except (Urllib3Timeout, TimeoutError) as error:
        raise FetchError(where, "too slow", is_passing=True) from error
    except SSLError as error:
        raise FetchError(where, "no valid certificate", hide(str(error))[:100], is_passing=True) from error
    except DecodeError as error:
        raise FetchError(where, "broken off", "its compression is damaged", is_passing=True) from error
    except LocationValueError as error:
        raise FetchError(where, "no web address", "it cannot be read") from error
    except (HTTPError, HTTPException, OSError) as error:
        raise FetchError(where, "broken off", type(error).__name__, is_passing=True) from error


def check_status(response: BaseHTTPResponse, url: str) -> None:
    """Check that the status is 200.

    Raises:
        FetchError: The status is another. The error has the seconds to wait if the answer says so.
    """
    status, where = response.status, redact(url)
    if status == 200:
        return
    if status in PASSING or status >= 500:
        reason = "too many requests" if status == 429 else "server error"
        wait_s = read_retry_after(response.headers.get("Retry-After", ""), otherwise=0)
        raise FetchError(where, reason, f"HTTP {status}", is_passing=True, wait_s=wait_s)
    reason = "gone" if status in GONE else "forbidden" if status in FORBIDDEN else "unexpected status"
    raise FetchError(where, reason, f"HTTP {status}")


def check_robots(response: BaseHTTPResponse, url: str, user_agent: str) -> None:
    """Check that X-Robots-Tag does not deny the training of networks.

    Raises:
        FetchError: The header denies it to all robots or to the robot of our name.
    """
    for line in response.headers.getlist("X-Robots-Tag"):
        if denies_training(line, user_agent.partition("/")[0].lower()):
            raise FetchError(redact(url), "not for learning", f"X-Robots-Tag: {hide(line)[:100]}")


def denies_training(line: str, name: str) -> bool:
    """Return whether a value of X-Robots-Tag denies training to all robots or to the robot of this name."""
    robot = ""
    for directive in line.lower().split(","):
        before, colon, after = directive.strip().partition(":")
        if colon and before.strip() not in VALUED:
            robot, before = before.strip(), after
        if before.strip() in NO_AI and robot in ("", "*", name):
            return True
    return False


def copy_body(response: BaseHTTPResponse, url: str, sink: IO[bytes], max_bytes: int) -> None:
    """Write the unpacked body into the sink, with one chunk in memory at a time.

    Raises:
        FetchError: The body is packed in an unknown way, broken off, or larger than `max_bytes` when unpacked.
    """
    where = redact(url)
    if (encoding := response.headers.get("Content-Encoding", "").strip().lower()) not in ENCODINGS:
        raise FetchError(where, "broken off", f"it is packed as {hide(encoding)[:50]!r}", is_passing=True)
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced[:18]) > max_bytes:
        raise FetchError(where, "too many bytes", f"{announced[:18]} of at most {max_bytes}")
    left, chunks = max_bytes, response.stream(CHUNK, decode_content=True)
    while True:
        with _translated(url):
            chunk = next(chunks, b"")
        if not chunk:
            return
        left -= len(chunk)
        if left < 0:
            raise FetchError(where, "too many bytes", f"more than {max_bytes}")
        sink.write(chunk)
