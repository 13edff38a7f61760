import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from stages.web import addresses
from stages.web import fetch_once as module
from stages.web.fetch_once import as_ascii, fetch_once, is_private, is_url


@contextmanager
def serving(answer, address="127.0.0.1"):
    """Run a server at the address whose `answer` writes to the handler that it gets; yield its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            try:
                answer(self)
            except OSError:  # The client has hung up.
                self.close_connection = True

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer((address, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/image.png"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def send(content, status=200, length=None, **headers):
    """Return an `answer` for `serving` that sends the content and announces `length` bytes, or all."""

    def answer(handler):
        handler.send_response(status)
        for name, value in {"Content-Length": len(content) if length is None else length, **headers}.items():
            handler.send_header(name, str(value))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


@pytest.mark.parametrize("name", ["http://a/b.png", "https://a", "HTTPS://A/b"])
def test_a_url_is_known_by_its_scheme(name):
    assert is_url(name)


@pytest.mark.parametrize(
    "name", ["a.png", "http", "http:/a", "file:///etc/passwd", "ftp://a/b", "/http://a", "data:,x"]
)
def test_anything_else_is_a_path(name):
    assert not is_url(name)


def test_gives_what_the_server_sends():
    with serving(send(b"x" * 100_000)) as url:
        assert fetch_once(url, 1) == b"x" * 100_000


def test_a_url_as_people_paste_it_is_asked():
    with serving(lambda handler: send(handler.path.encode())(handler)) as url:
        assert fetch_once(f"{url.rpartition('/')[0]}/bücher und mehr%20.jpg?q=ü&x=1%2F2#part", 1) == (
            b"/b%C3%BCcher%20und%20mehr%20.jpg?q=%C3%BC&x=1%2F2"
        )


def test_a_host_of_other_letters_is_asked_in_idna():
    assert as_ascii("https://bücher.example:80/a") == "https://xn--bcher-kva.example:80/a"


def test_a_host_that_denies_training_is_asked_all_the_same():
    with serving(send(b"x", **{"X-Robots-Tag": "noai"})) as url:
        assert fetch_once(url, 1) == b"x"


def test_says_who_asks():
    with serving(lambda handler: send(handler.headers["User-Agent"].encode())(handler)) as url:
        assert fetch_once(url, 1) == b"dvc-image-classification"


def test_goes_where_http_leads():
    def answer(handler):
        is_there = handler.path == "/there"
        (send(b"there") if is_there else send(b"", 302, Location="/there"))(handler)

    with serving(answer) as url:
        assert fetch_once(url, 1) == b"there"


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1:9/x", "data:,x", "gopher://127.0.0.1/"])
def test_goes_nowhere_else(location):
    with (
        serving(send(b"", 302, Location=location)) as url,
        pytest.raises(ValueError, match=r"^no web address: "),
    ):
        fetch_once(url, 1)


def redirecting_to_the_next_address(handler):
    """Answer at 127.0.0.1 with a redirect to 127.0.0.2, the same server, and there with an image."""
    port = handler.server.server_address[1]
    is_there = handler.headers["Host"].startswith("127.0.0.2")
    (send(b"inside") if is_there else send(b"", 302, Location=f"http://127.0.0.2:{port}/"))(handler)


def test_an_address_outside_leads_not_into_the_persons_network(monkeypatch):
    monkeypatch.setattr(addresses, "is_public", lambda address: address == "127.0.0.1")
    with serving(redirecting_to_the_next_address, "0.0.0.0") as url:
        with pytest.raises(ValueError, match=r"^refused address: 127\.0\.0\.2 is 127\.0\.0\.2, which is not public"):
            fetch_once(url, 1)
        assert fetch_once(url.replace("127.0.0.1", "127.0.0.2"), 1) == b"inside"
    with serving(redirecting_to_the_next_address, "0.0.0.0") as url:
        monkeypatch.setattr(addresses, "is_public", lambda address: False)
        assert fetch_once(url, 1) == b"inside"


def test_a_host_that_is_not_found_at_first_is_not_taken_for_the_persons_own(monkeypatch):
    def fail(*arguments, **options):
        raise socket.gaierror("no such host")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert not is_private("http://images.example/a.png")
    monkeypatch.undo()
    assert is_private("http://127.0.0.1:8000/a.png")
    assert is_private("http://[::1]/a.png")


def test_goes_not_in_circles():
    with (
        serving(send(b"", 302, Location="/image.png")) as url,
        pytest.raises(ValueError, match=r"^too many redirects: "),
    ):
        fetch_once(url, 1)


@pytest.mark.parametrize(
    ("status", "message"), [(403, "forbidden: HTTP 403"), (404, "gone: HTTP 404"), (500, "server error: HTTP 500")]
)
def test_an_error_is_named_after_one_request(status, message):
    visits = []

    def answer(handler):
        visits.append(handler.path)
        send(b"an error page", status)(handler)

    with serving(answer) as url, pytest.raises(ValueError, match=f"^{message}$"):
        fetch_once(url, 1)
    assert visits == ["/image.png"]


def test_the_limit_of_bytes_holds_at_its_edge():
    with serving(send(b"x" * 1_000_000)) as url:
        assert len(fetch_once(url, 1)) == 1_000_000
    for length, reason in ((1_000_001, "1000001 of at most 1000000"), (10**12, "1000000000000 of at most 1000000")):
        answer = send(b"x" * 1_000_001, length=length)
        with serving(answer) as url, pytest.raises(ValueError, match=f"^too many bytes: {reason}$"):
            fetch_once(url, 1)


def test_the_limit_of_bytes_holds_where_none_are_announced():
    def answer(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(b"x" * 1_000_001)

    with serving(answer) as url, pytest.raises(ValueError, match=r"^too many bytes: more than 1000000$"):
        fetch_once(url, 1)


def test_less_than_announced_is_an_error():
    with serving(send(b"x" * 10, length=30)) as url, pytest.raises(ValueError, match=r"^broken off: "):
        fetch_once(url, 1)


def test_a_server_that_takes_its_time_is_left(monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT_S", 0.3)

    def slowly(handler):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(40):
            handler.wfile.write(b"x")
            time.sleep(0.1)

    with serving(slowly) as url, pytest.raises(ValueError, match=r"^too slow$"):
        fetch_once(url, 1)
    with serving(lambda handler: time.sleep(1)) as url, pytest.raises(ValueError, match=r"^too slow$"):
        fetch_once(url, 1)


def test_a_server_that_is_not_there_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}/", "http://nowhere.invalid/", "http://127.0.0.1:x/", "http://", "http://[/"):
        with pytest.raises(ValueError) as caught:
            fetch_once(url, 1)
        assert "\n" not in str(caught.value)


def test_a_server_that_speaks_something_else_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-x\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ValueError, match=r"^broken off: ProtocolError$"):
            fetch_once(f"http://127.0.0.1:{listener.getsockname()[1]}/", 1)
        thread.join()
