"""Addresses that lead into this machine or its network are never connected to, not even after a redirect."""

import socket
import threading

import pytest

from stages.downloads.download import Bounds, download
from stages.downloads.store import Store
from stages.web import addresses
from stages.web.addresses import is_public
from stages.web.client import Client, Fetch, FetchError
from tests.web.fault_server import FaultServer

FETCH = Fetch(
    threads=4, per_host=4, per_second=1000, timeout_s=1, deadline_s=2, retries=0, max_wait_s=0, max_megabytes=1,
    allow_private=False, user_agent="tester/1.0",
)  # fmt: skip
BOUNDS = Bounds(max_megabytes=1, max_megapixels=1)
# Each entry names a machine by a number, or by a name in /etc/hosts, so that no name server is asked.
LOOPBACK = [
    "127.0.0.1", "127.0.0.9", "127.255.255.254", "0.0.0.0", "localhost", "LOCALHOST", "127.1", "127.0.1", "2130706433",
    "0x7f000001", "0x7f.0x0.0x0.0x1", "0177.0.0.1", "017700000001", "0", "[::1]", "[0:0:0:0:0:0:0:1]", "[::]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
]  # fmt: skip
ELSEWHERE = [
    "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "198.18.0.1", "192.0.2.1", "224.0.0.1",
    "255.255.255.255", "240.0.0.1", "[fe80::1]", "[fc00::1]", "[fec0::1]", "[ff02::1]", "[2001:db8::1]",
    "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::1]", "[2002:7f00:1::]", "[2001:0:7f00:1::80ff:fefe]",
    "[::ffff:10.0.0.1]", "[::ffff:0:127.0.0.1]", "192.0.0.192", "[2001:1::1]", "[2001:20::1]", "[2002:a00:1::]",
]  # fmt: skip
SCHEMES = [
    "file:///etc/passwd", "ftp://127.0.0.1:{port}/", "gopher://127.0.0.1:{port}/", "//127.0.0.1:{port}/", "http://",
    "javascript:alert(1)", "data:image/png;base64,AAAA", "http://user:password@127.0.0.1:{port}/", "http://[::1",
    "unix:///var/run/docker.sock", "http+unix://%2Fvar%2Frun/", "127.0.0.1:{port}",
]  # fmt: skip
HOSTILE = [f"http://{host}:{{port}}/" for host in LOOPBACK + ELSEWHERE]
HOSTILE += [f"https://{host}:{{port}}/" for host in ("127.0.0.1", "[::1]")] + SCHEMES
# The test without redirects has all hostile addresses; a redirect goes through the same checks.
REDIRECTS = [
    f"http://{host}:{{port}}/" for host in ("127.0.0.1", "localhost", "2130706433", "[::1]", "[::ffff:127.0.0.1]")
]
REDIRECTS += [
    "http://169.254.169.254:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "https://127.0.0.1:{port}/",
    *SCHEMES,
]
REASONS = {"refused address", "no web address", "no such host"}


@pytest.fixture
def canary():
    """Listen at one port on all addresses of this machine; yield the port and the list of visitors."""
    visitors = []
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:

        def count():
            while True:
                try:
                    connection, address = listener.accept()
                except OSError:
                    return
                visitors.append(address)
                connection.close()

        threading.Thread(target=count, daemon=True).start()
        yield listener.getsockname()[1], visitors
        listener.shutdown(socket.SHUT_RDWR)


def test_the_canary_notices_visitors(canary):
    port, visitors = canary
    for host in ("127.0.0.1", "127.0.0.9", "::1"):
        socket.create_connection((host, port)).close()
    for _ in range(100):
        if len(visitors) == 3:
            break
        threading.Event().wait(0.05)
    assert len(visitors) == 3


def test_no_hostile_address_reaches_the_canary(canary, tmp_path):
    port, visitors = canary
    urls = [url.format(port=port) for url in HOSTILE]
    assert len(set(urls)) == len(urls) >= 40
    found = {url: failure.reason for url, failure in download(urls, Store(tmp_path), FETCH, BOUNDS)}
    assert set(found) == set(urls)
    assert set(found.values()) <= REASONS
    assert visitors == []


@pytest.mark.parametrize("url", REDIRECTS)
def test_no_redirect_to_a_hostile_address_reaches_the_canary(canary, monkeypatch, url):
    """127.0.0.2 stands for a public machine, since the first machine that is asked has to be on loopback too."""
    port, visitors = canary
    monkeypatch.setattr(addresses, "is_public", lambda text: text == "127.0.0.2" or is_public(text))
    with FaultServer(["127.0.0.2"]) as server:
        target = url.format(port=port)
        server.pages["/a"] = b""
        server.plan["127.0.0.2", "/a"].extend(["302"] * 9)
        server.headers["/a"] = f"Location: {target}\r\n"
        with pytest.raises(FetchError) as caught:
            Client(FETCH).get(server.url("/a", "127.0.0.2"))
        # An address without a scheme or host leads back to where it stands.
        assert caught.value.reason in {*REASONS, "gone", "too many redirects"}
        assert server.visits[0].path == "/a"
    assert visitors == []


@pytest.mark.parametrize("host", ELSEWHERE)
def test_an_address_of_another_network_is_refused_before_a_connection(host, monkeypatch):
    def connect(*_):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(FetchError, match=r"expected an answer, got refused address: .* which is not public\.$"):
        Client(FETCH).get(f"http://{host}/")


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::808:808", "2002:808:808::"]
)
def test_public_addresses_may_be_asked(address):
    assert is_public(address)


@pytest.mark.parametrize("address", ["fe80::1%eth0", "2606:2800::1%lo"])
def test_an_address_of_one_network_card_is_not_public(address):
    assert not is_public(address)


def test_a_name_with_public_and_private_machines_leads_to_the_public_ones_only(monkeypatch):
    found = [(socket.AF_INET, 1, 6, "", (text, 80)) for text in ("127.0.0.1", "93.184.216.34", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert addresses.find_addresses("images.test", 80, False) == [(socket.AF_INET, ("93.184.216.34", 80))]
    assert len(addresses.find_addresses("images.test", 80, True)) == 3


def test_private_addresses_are_asked_where_that_is_allowed():
    with FaultServer(["127.0.0.2"]) as server:
        server.pages["/a"] = b"a"
        allowed = FETCH.model_copy(update={"allow_private": True})
        assert Client(allowed).get(server.url("/a", "127.0.0.2")) == b"a"
