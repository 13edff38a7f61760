"""Connections with TLS are checked, limited in time and kept open, like connections without TLS."""

import datetime
import ipaddress
import socket
import ssl
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from stages.web.client import Client, Fetch, FetchError
from stages.web.connections import tls_context
from tests.web.fault_server import FaultServer

FETCH = Fetch(
    threads=1, per_host=1, per_second=1000, timeout_s=2, deadline_s=1, retries=0, max_wait_s=1, max_megabytes=1,
    allow_private=True, user_agent="tester/1.0",
)  # fmt: skip


class SecureServer(FaultServer):
    """The fault server behind TLS, with its own certificate for 127.0.0.1."""

    def __init__(self, certificate):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self.connections = 0
        super().__init__()

    def serve(self, connection, host):
        try:
            secure = self.context.wrap_socket(connection, server_side=True)
        except OSError:
            return
        self.connections += 1
        super().serve(secure, host)

    def url(self, path, host="127.0.0.1"):
        return f"https://{host}:{self.port}{path}"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Write a file with a key and a self-signed certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tester")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    signed = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    path.write_bytes(key.private_bytes(*private) + signed)
    return path


@pytest.fixture
def server(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls_context.cache_clear()
    with SecureServer(certificate) as server:
        server.pages["/a"] = b"{}" + b" " * 100
        yield server
    tls_context.cache_clear()


def test_a_connection_with_tls_is_kept_for_the_next_request(server):
    client = Client(FETCH)
    for _ in range(5):
        assert client.json(server.url("/a")) == {}
    assert (server.connections, len(server.visits)) == (1, 5)


def test_an_unknown_certificate_is_refused(server, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    tls_context.cache_clear()
    with pytest.raises(FetchError, match=r"no valid certificate: .*self-signed"):
        Client(FETCH).get(server.url("/a"))
    assert server.visits == []


def test_a_certificate_of_another_host_is_refused(server):
    with pytest.raises(FetchError, match="no valid certificate"):
        Client(FETCH).get(server.url("/a", "localhost"))
    assert server.visits == []


def test_the_deadline_holds_with_tls(server):
    server.plan["127.0.0.1", "/a"].append("slow")
    start = time.monotonic()
    with pytest.raises(FetchError, match="got too slow"):
        Client(FETCH).get(server.url("/a"))
    assert time.monotonic() - start < 5


def test_a_server_that_never_shakes_hands_is_too_slow():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=listener.accept, daemon=True).start()
        start = time.monotonic()
        with pytest.raises(FetchError, match=r"got (too slow|broken off|no valid certificate)"):
            Client(FETCH).get(f"https://127.0.0.1:{listener.getsockname()[1]}/")
        assert time.monotonic() - start < 5


def test_private_addresses_are_refused_with_tls(server):
    with pytest.raises(FetchError, match="got refused address"):
        Client(FETCH.model_copy(update={"allow_private": False})).get(server.url("/a"))
    assert server.connections == 0
