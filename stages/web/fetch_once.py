"""One URL that a person gave, fetched once, in bounded time and memory."""

import io
from urllib.parse import quote, urlsplit, urlunsplit

from stages.web.addresses import find_addresses, split_url
from stages.web.client import Fetch, Fetcher
from stages.web.errors import FetchError

SCHEMES = ("http://", "https://")
REFUSED = "refused address"  # the reason of `find_addresses`
PORTS = {"http": 80, "https": 443}
TIMEOUT_S = 30
AGENT = "dvc-image-classification"  # Some hosts refuse a request without a name.


def is_url(name: str) -> bool:
    """Return whether the name is a URL that `fetch_once` takes, and not a path."""
    return name.lower().startswith(SCHEMES)


def fetch_once(url: str, max_megabytes: float) -> bytes:
    """Return the whole body that the URL, or the address that it redirects to, answers with.

    A person has chosen this URL, so that an address in the person's own network is allowed, and the wish of a host
    that nothing be trained on its images is not asked for. Any other address may not redirect into that network.

    Raises:
        ValueError: The URL is not an address of the web, or its host answers too late, with an error, with more bytes
            than allowed or with fewer bytes than announced. The message is one line without the URL.
    """
    settings = Fetch(
        threads=1, per_host=1, per_second=1000, timeout_s=TIMEOUT_S, deadline_s=TIMEOUT_S, retries=0, max_wait_s=0,
        max_megabytes=1, allow_private=is_private(url), user_agent=AGENT,
    )  # fmt: skip
    body = io.BytesIO()
    try:
        Fetcher(settings, is_for_training=False).fetch(as_ascii(url), {}, body, int(max_megabytes * 1e6))
    except FetchError as error:
        raise ValueError(error.finding) from error
    return body.getvalue()


def is_private(url: str) -> bool:
    """Return whether the URL's host is known to be in the person's own network; False if there is no such host."""
    try:
        parts = split_url(as_ascii(url))
        find_addresses(str(parts.host), parts.port or PORTS[str(parts.scheme)], allow_private=False)
    except FetchError as error:
        return error.reason == REFUSED
    return False


def as_ascii(url: str) -> str:
    """Return the URL as it is sent: its host in IDNA, its path and query percent-encoded where they need it.

    Raises:
        ValueError: The text is not a URL.
    """
    parts = urlsplit(url)
    host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode()
    path, query = (quote(part, safe="/%:=&?~#+!$,;'@()*[]") for part in (parts.path, parts.query))
    return urlunsplit((parts.scheme, host, path, query, ""))
