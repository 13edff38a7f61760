"""What a URL answers, in bounded time and memory."""

import time
from http.client import HTTPException, HTTPResponse
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit, urlunsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

SCHEMES = ("http://", "https://")
AGENT = "dvc-image-classification"  # some sites refuse whoever has no name
TIMEOUT_S = 30
# Not `build_opener`'s, which go on to FTP, and to files.
HANDLERS = (
    ProxyHandler, UnknownHandler, HTTPHandler, HTTPSHandler, HTTPDefaultErrorHandler, HTTPRedirectHandler,
    HTTPErrorProcessor,
)  # fmt: skip


def is_url(name: str) -> bool:
    """Whether the name is one that `fetch` takes, and no path."""
    return name.lower().startswith(SCHEMES)


def fetch(url: str, max_megabytes: float) -> bytes:
    """What the URL answers, and where it leads on, over HTTP or HTTPS alone.

    Raises:
        ValueError: it answers too late, with an error, or with more than is allowed or less than it announced.
    """
    opener = OpenerDirector()
    for handler in HANDLERS:
        opener.add_handler(handler())
    try:
        with opener.open(Request(as_ascii(url), headers={"User-Agent": AGENT}), timeout=TIMEOUT_S) as response:
            return read_body(response, max_megabytes, TIMEOUT_S)
    except HTTPError as error:
        raise ValueError(f"HTTP status {error.code}") from error
    except (OSError, HTTPException) as error:
        raise ValueError(f"no answer: {str(getattr(error, 'reason', error)) or type(error).__name__}") from error


def as_ascii(url: str) -> str:
    """The URL as it is sent: a host of other letters in IDNA, what else needs it percent-encoded.

    Raises:
        ValueError: it is none.
    """
    parts = urlsplit(url)
    host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode()
    path, query = (quote(each, safe="/%:=&?~#+!$,;'@()*[]") for each in (parts.path, parts.query))
    return urlunsplit((parts.scheme, host, path, query, ""))


def read_body(response: HTTPResponse, max_megabytes: float, timeout_s: float) -> bytes:
    """The body of an answer, whole.

    Raises:
        ValueError: it takes longer, or is more than allowed or less than announced.
    """
    deadline, content = time.monotonic() + timeout_s, b""
    while chunk := response.read1(2**16):
        content += chunk
        if len(content) > max_megabytes * 1e6:
            raise ValueError(f"more than {max_megabytes:g} megabytes")
        # A socket's timeout holds for each read; one byte at a time would take days.
        if time.monotonic() > deadline:
            raise ValueError(f"{len(content)} bytes in {timeout_s} seconds")
    if response.length:
        raise ValueError(f"{len(content)} of {len(content) + response.length} bytes")
    return content
