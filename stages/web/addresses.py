"""Checks of web addresses, so that only public machines are asked."""

import ipaddress
import socket
from typing import Any
from urllib.parse import urljoin

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from stages.web.errors import FetchError
from stages.web.secrets import hide

# IPv6 networks whose last 32 bits are an IPv4 address. An address in one of the first two always means that IPv4
# address; the networks in EMBEDDING are out of use.
# https://www.iana.org/assignments/iana-ipv6-special-registry
NAT64, MAPPED = ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::ffff:0:0/96")
EMBEDDING = ipaddress.IPv6Network("::/96"), ipaddress.IPv6Network("::ffff:0:0:0/96")
# Networks for protocols, not for machines that anybody may ask; versions of Python differ about both.
PROTOCOLS = ipaddress.IPv4Network("192.0.0.0/24"), ipaddress.IPv6Network("2001::/23")
LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")  # leads into the local network of its operator
IP = ipaddress.IPv4Address | ipaddress.IPv6Address


def split_url(url: str) -> Url:
    """Split an address of the web into its parts.

    Raises:
        FetchError: The text is not an http or https address, or holds a name or a password.
    """
    try:
        parts = parse_url(url)
    except LocationParseError:
        raise FetchError("a listed address", "no web address", f"{hide(url)[:100]!r} cannot be read") from None
    if parts.scheme not in ("http", "https") or not parts.host:
        raise FetchError("a listed address", "no web address", f"{hide(url)[:100]!r} is not http or https")
    if parts.auth:
        raise FetchError(parts.host, "no web address", "it holds a name or a password")
    return parts


def host_of(url: str) -> str:
    """Return the name of the host, in lower case, without the dot that may end it.

    Raises:
        FetchError: The text is not an address of the web.
    """
    return str(split_url(url).host).lower().rstrip(".")


def redact(url: str) -> str:
    """Return the address without its query, which may hold a key."""
    return url.partition("?")[0].partition("#")[0]


def join(url: str, location: str) -> str:
    """Return the address that a redirect leads to.

    Raises:
        FetchError: The redirect does not lead to an address of the web.
    """
    try:
        target = urljoin(url, location)
    except ValueError:
        raise FetchError(redact(url), "no web address", f"it redirects to {hide(location)[:100]!r}") from None
    split_url(target)
    return target


def find_addresses(host: str, port: int, allow_private: bool) -> list[tuple[int, Any]]:
    """Return family and socket address of each machine behind the host's name that may be connected to.

    Raises:
        FetchError: There is no such host, or none of its machines may be connected to.
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
    """Return whether anybody on the Internet can reach the IP address, and an IPv4 address inside it."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return _is_global(address)
    last = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address in NAT64 or address in MAPPED:
        return _is_global(last)
    if "%" in text or address in LOCAL_NAT64 or address.is_site_local:
        return False
    if address.sixtofour is not None:
        return _is_global(address.sixtofour)
    wrapped = [last for network in EMBEDDING if address in network]
    return _is_global(address) and all(_is_global(inner) for inner in wrapped)


def _is_global(address: IP) -> bool:
    is_odd = address.is_multicast or address.is_reserved or address.is_unspecified
    return address.is_global and not is_odd and not any(address in network for network in PROTOCOLS)
