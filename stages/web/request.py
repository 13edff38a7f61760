"""One question and its answer over HTTP: what status, headers and body have to be."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import IO

from urllib3 import BaseHTTPResponse, PoolManager
from urllib3.exceptions import DecodeError, HTTPError, LocationValueError, SSLError
from urllib3.exceptions import TimeoutError as Urllib3Timeout

from stages.web.addresses import join, redact, split_url
from stages.web.connections import limited_to
from stages.web.errors import FetchError

CHUNK = 1 << 16
REDIRECTS = (301, 302, 303, 307, 308)
GONE, FORBIDDEN, SLOW_DOWN = (404, 410), (401, 403, 451), (429, 503)
PASSING = (408, 425)  # 5xx too
ENCODINGS = ("", "identity", "gzip", "x-gzip", "deflate")
# https://www.deviantart.com/team/journal/UPDATE-All-Deviations-Are-Opted-Out-of-AI-Datasets-934500371
NO_AI = ("noai", "noimageai")
# Directives with a value, which looks like the name of a robot:
# https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag
VALUED = ("unavailable_after", "max-snippet", "max-image-preview", "max-video-preview")


def exchange(
    pools: PoolManager, url: str, headers: Mapping[str, str], sink: IO[bytes], max_bytes: int, deadline_s: float
) -> str:
    """The address that the answer redirects to; or empty, and the sink has the whole body.

    Raises:
        FetchError: the address is none of the web's, or gave no answer, none in time, none that may be used, or one
            of more bytes than so many, unpacked.
    """
    split_url(url)
    with limited_to(deadline_s):
        with _translated(url):
            response = pools.request(
                "GET", url, headers=headers, redirect=False, retries=False, preload_content=False, decode_content=True
            )
        try:
            check_robots(response, url, headers.get("User-Agent", ""))
            if response.status in REDIRECTS and (location := response.headers.get("Location")):
                return join(url, location)
            check_status(response, url)
            copy_body(response, url, sink, max_bytes)
            return ""
        finally:
            response.close()  # An unread rest would be taken for the next answer; a read one left the connection.


@contextmanager
def _translated(url: str) -> Iterator[None]:
    """What goes wrong on the way, as one kind of error whose text is the same each time."""
    where = redact(url)
    try:
        yield
    except (Urllib3Timeout, TimeoutError) as error:
        raise FetchError(where, "too slow", is_passing=True) from error
    except SSLError as error:
        raise FetchError(where, "no valid certificate", str(error)[:100], is_passing=True) from error
    except DecodeError as error:
        raise FetchError(where, "broken off", "its compression is damaged", is_passing=True) from error
    except LocationValueError as error:
        raise FetchError(where, "no web address", "it cannot be read") from error
    except (HTTPError, HTTPException, OSError) as error:
        raise FetchError(where, "broken off", type(error).__name__, is_passing=True) from error


def check_status(response: BaseHTTPResponse, url: str) -> None:
    """Nothing, where the status is 200.

    Raises:
        FetchError: it is another; with how long to wait, where the answer says so.
    """
    status, where = response.status, redact(url)
    if status == 200:
        return
    if status in SLOW_DOWN or status in PASSING or status >= 500:
        reason = "too many requests" if status == 429 else "server error"
        raise FetchError(where, reason, f"HTTP {status}", is_passing=True, wait_s=read_wait(response))
    reason = "gone" if status in GONE else "forbidden" if status in FORBIDDEN else "unexpected status"
    raise FetchError(where, reason, f"HTTP {status}")


def read_wait(response: BaseHTTPResponse) -> float:
    """The seconds that Retry-After asks for, as a number or a date; 0 where it does not."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0


def check_robots(response: BaseHTTPResponse, url: str, user_agent: str) -> None:
    """Nothing, where X-Robots-Tag does not keep the answer from what learns.

    Raises:
        FetchError: it does, for all or for a robot of our name.
    """
    for line in response.headers.getlist("X-Robots-Tag"):
        if denies(line, user_agent.partition("/")[0].lower()):
            raise FetchError(redact(url), "not for learning", f"X-Robots-Tag: {line[:100]}")


def denies(line: str, name: str) -> bool:
    """Whether a value of X-Robots-Tag denies use by what learns, to all or to the robot of this name."""
    robot = ""
    for directive in line.lower().split(","):
        before, colon, after = directive.strip().partition(":")
        if colon and before.strip() not in VALUED:
            robot, before = before.strip(), after
        if before.strip() in NO_AI and robot in ("", "*", name):
            return True
    return False


def copy_body(response: BaseHTTPResponse, url: str, sink: IO[bytes], max_bytes: int) -> None:
    """The sink has the body, unpacked, never more of it in memory than a chunk.

    Raises:
        FetchError: it is packed in a way that was not asked for, broken off, or larger.
    """
    where = redact(url)
    if (encoding := response.headers.get("Content-Encoding", "").strip().lower()) not in ENCODINGS:
        raise FetchError(where, "broken off", f"it is packed as {encoding[:50]!r}", is_passing=True)
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
