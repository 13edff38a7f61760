"""Which addresses may be asked: those of the web, at machines that are public."""

import ipaddress
import socket
from typing import Any
from urllib.parse import urljoin

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from stages.core.failures import FetchError

# IPv6 networks whose last 32 bits are an IPv4 address: compatible, mapped, translated, and NAT64's.
# https://www.iana.org/assignments/iana-ipv6-special-registry
EMBEDDING = [ipaddress.IPv6Network(text) for text in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")]
LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")  # leads into the network of whoever runs it
IP = ipaddress.IPv4Address | ipaddress.IPv6Address


def split_url(url: str) -> Url:
    """The parts of an address of the web.

    Raises:
        FetchError: it is none, or holds a name and password.
    """
    try:
        parts = parse_url(url)
    except LocationParseError:
        raise FetchError("a listed address", "no web address", f"{url[:100]!r} cannot be read") from None
    if parts.scheme not in ("http", "https") or not parts.host:
        raise FetchError("a listed address", "no web address", f"{url[:100]!r} is not http or https")
    if parts.auth:
        raise FetchError(parts.host, "no web address", "it holds a name or a password")
    return parts


def host_of(url: str) -> str:
    """The name of the host, in lower case.

    Raises:
        FetchError: it is no address of the web.
    """
    return str(split_url(url).host).lower()


def redact(url: str) -> str:
    """The address without its query, which may hold a key."""
    return url.partition("?")[0].partition("#")[0]


def join(url: str, location: str) -> str:
    """Where a redirect at the address leads.

    Raises:
        FetchError: nowhere on the web.
    """
    try:
        target = urljoin(url, location)
    except ValueError:
        raise FetchError(redact(url), "no web address", f"it redirects to {location[:100]!r}") from None
    split_url(target)
    return target


def find_addresses(host: str, port: int, allow_private: bool) -> list[tuple[int, Any]]:
    """Family and socket address of each machine that the name stands for and that may be connected to.

    Raises:
        FetchError: there is none.
    """
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise FetchError(host, "no such host", host, is_passing=True) from None
    allowed: list[tuple[int, Any]] = [
        (family, address) for family, *_, address in found if allow_private or is_public(str(address[0]))
    ]
    if not allowed:
        raise FetchError(host, "refused address", f"{host} is {found[0][4][0]}, which is not public")
    return allowed


def is_public(text: str) -> bool:
    """Whether the IP address, and the one that it may wrap, is one that anybody on the Internet can reach."""
    address = ipaddress.ip_address(text.partition("%")[0])
    return "%" not in text and all(map(_is_global, (address, *_wrapped(address))))


def _is_global(address: IP) -> bool:
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _wrapped(address: IP) -> list[IP]:
    """The IPv4 addresses that an IPv6 address leads to; a private one stands for a network that is no one's guest."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    if address in LOCAL_NAT64:
        return [ipaddress.IPv4Address("0.0.0.0")]
    wrapped: list[IP | None] = [address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in EMBEDDING):
        wrapped.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in wrapped if each is not None]
