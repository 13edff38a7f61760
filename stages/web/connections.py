"""Connections that lead only to allowed machines and end when their time is over."""

import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import certifi
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection

from stages.web.addresses import find_addresses
from stages.web.errors import FetchError

HOSTS = 64  # whose connections stay open for the next request
_this_thread = threading.local()


@contextmanager
def limited_to(seconds: float) -> Iterator[None]:
    """Limit all reading of this thread from connections inside the block to the seconds."""
    _this_thread.deadline = time.monotonic() + seconds
    try:
        yield
    finally:
        del _this_thread.deadline


def _shorten(timeout_s: float | None) -> float:
    """Return the timeout, or the time that is left of the block if that is less.

    Raises:
        TimeoutError: No time is left.
    """
    left_s: float = _this_thread.deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("deadline")
    return left_s if timeout_s is None else min(timeout_s, left_s)


# A socket's own timeout begins anew with each byte: one byte a second would keep it for days.
class _Socket(socket.socket):
    def recv_into(self, *arguments: Any, **options: Any) -> int:
        self.settimeout(_shorten(self.gettimeout()))
        return super().recv_into(*arguments, **options)


class _TLSSocket(ssl.SSLSocket):
    def recv_into(self, *arguments: Any, **options: Any) -> int:
        self.settimeout(_shorten(self.gettimeout()))
        return super().recv_into(*arguments, **options)


def connect(host: str, port: int, timeout_s: float, allow_private: bool) -> socket.socket:
    """Connect to one of the host's addresses as it was checked: a second look-up could give another address.

    Raises:
        FetchError: The host has no address that may be asked, or none of them answers.
    """
    reason = ""
    for family, address in find_addresses(host, port, allow_private):
        connection = _Socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(_shorten(timeout_s))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.connect(address)
        except OSError as error:
            connection.close()
            reason = error.strerror or str(error)
            continue
        return connection
    raise FetchError(host, "no connection", reason, is_passing=True)


class _HTTP(HTTPConnection):
    def __init__(self, *arguments: Any, allow_private: bool, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.allow_private = allow_private

    def _new_conn(self) -> socket.socket:
        return connect(self._dns_host, self.port, float(self.timeout or 0), self.allow_private)


class _HTTPS(HTTPSConnection):
    def __init__(self, *arguments: Any, allow_private: bool, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.allow_private = allow_private

    def _new_conn(self) -> socket.socket:
        return connect(self._dns_host, self.port, float(self.timeout or 0), self.allow_private)


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPS


@cache  # Reading all certificates takes 70 ms, more than a request on a fast connection.
def tls_context() -> ssl.SSLContext:
    """Return the checks of all TLS connections: the system's authorities and those of `certifi`."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    context.sslsocket_class = _TLSSocket
    return context


def open_pools(per_host: int, timeout_s: float, allow_private: bool) -> PoolManager:
    """Return pools of connections that use no proxy and keep no cookie."""
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # Its warnings show whole addresses, keys included.
    timeout = Timeout(connect=timeout_s, read=timeout_s)
    pools = PoolManager(num_pools=HOSTS, maxsize=per_host, timeout=timeout, ssl_context=tls_context())
    kinds = {"http": _HTTPPool, "https": _HTTPSPool}
    guarded: Any = {scheme: partial(kind, allow_private=allow_private) for scheme, kind in kinds.items()}
    pools.pool_classes_by_scheme = guarded
    return pools
