import hashlib
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cv2.data import haarcascades

from stages.images import cascades
from stages.images.cascades import locate, read_cascade
from stages.web import fetch_once

NAMES = sorted(path.stem for path in Path(haarcascades).glob("*.xml"))
OWN = Path(haarcascades, "haarcascade_frontalcatface.xml")
SHA256 = hashlib.sha256(OWN.read_bytes()).hexdigest()


@pytest.fixture(autouse=True)
def kept(own_cache):
    """Return the folder of kept downloads, which does not exist yet."""
    return own_cache / "cascades"


def whole(handler, content):
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def half(handler, content):
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content[: len(content) // 2])


def after_a_while(handler, content):
    time.sleep(0.5)
    whole(handler, content)


def slowly(handler, content):
    handler.send_response(200)
    handler.end_headers()
    for start in range(40):
        handler.wfile.write(content[start : start + 1])
        time.sleep(0.1)


def elsewhere(handler, content):
    if handler.path == "/moved":
        whole(handler, content)
    else:
        handler.send_response(302)
        handler.send_header("Location", "/moved")
        handler.end_headers()


def missing(handler, content):
    handler.send_error(404)


@contextmanager
def serving(answer, content):
    """Yield the URL of a server and the list of paths that were requested from it."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            try:
                answer(self, content)
            except OSError:  # The other side has heard enough.
                self.close_connection = True

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/cascade.xml", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("name", NAMES[::6])
def test_each_of_opencvs_own_is_known_by_its_name(name):
    assert locate(name, None) == locate(f"{name}.xml", None) == Path(haarcascades, f"{name}.xml")
    assert not read_cascade(locate(name, None)).empty()


def test_an_own_name_means_opencvs_file_and_a_path_the_one_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(OWN.name).write_bytes(b"another")
    assert locate(OWN.name, None) == OWN
    assert locate(f"./{OWN.name}", None).read_bytes() == b"another"


@pytest.mark.parametrize("cascade", ["haarcascade_frontal", "haarcascade_eye.yaml", "no/such/file.xml", "", "."])
def test_an_unknown_name_is_refused_with_the_choices(cascade, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError) as caught:
        locate(cascade, None)
    expected = f"expected the path or URL of an XML file, or one of {', '.join(NAMES)}, got {cascade!r}."
    assert str(caught.value) == f"params.yaml preprocess.face.cascade: {expected}"


@pytest.mark.parametrize("cascade", [OWN.stem, str(OWN)])
def test_a_given_hash_must_be_that_of_the_file(cascade):
    assert locate(cascade, SHA256) == OWN
    message = f"^{cascade}: expected a cascade with SHA-256 {'0' * 64}, got {SHA256}\\.$"
    with pytest.raises(ValueError, match=message):
        locate(cascade, "0" * 64)


def test_a_url_is_asked_once_and_its_answer_kept(kept):
    with serving(whole, OWN.read_bytes()) as (url, asked):
        path = locate(url, SHA256)
        assert locate(url, SHA256) == path
        assert asked == ["/cascade.xml"]
    assert locate(url, SHA256) == path
    assert list(kept.glob("*.xml")) == [path]
    assert path.read_bytes() == OWN.read_bytes()
    assert not read_cascade(path).empty()


def test_a_kept_file_that_was_changed_is_fetched_again():
    with serving(whole, OWN.read_bytes()) as (url, asked):
        path = locate(url, SHA256)
        path.write_bytes(OWN.read_bytes()[:-1])
        assert locate(url, SHA256) == path
    assert len(asked) == 2
    assert path.read_bytes() == OWN.read_bytes()


@pytest.mark.parametrize("answer", [after_a_while, elsewhere])
def test_a_url_that_answers_late_or_from_elsewhere_is_as_good(answer):
    with serving(answer, OWN.read_bytes()) as (url, _):
        assert locate(url, SHA256).read_bytes() == OWN.read_bytes()


def test_an_answer_with_another_hash_is_refused_and_not_kept(kept):
    with serving(whole, b"<html>") as (url, _), pytest.raises(ValueError) as caught:
        locate(url, SHA256)
    found = hashlib.sha256(b"<html>").hexdigest()
    assert str(caught.value) == f"{url}: expected a cascade with SHA-256 {SHA256}, got {found}."
    assert not kept.exists()


@pytest.mark.parametrize(
    ("answer", "timeout_s", "reason"),
    [
        (missing, 30, r"gone: HTTP 404"),
        (half, 30, r"broken off: \w+"),
        (after_a_while, 0.2, r"too slow"),
        (slowly, 1, r"too slow"),
    ],
)
def test_a_url_that_does_not_give_the_file_in_time_is_one_line(answer, timeout_s, reason, kept, monkeypatch):
    monkeypatch.setattr(fetch_once, "TIMEOUT_S", timeout_s)
    with serving(answer, OWN.read_bytes()) as (url, _):
        with pytest.raises(ValueError, match=f"^{url}: expected a cascade, got {reason}\\.$"):
            locate(url, SHA256)
        assert not kept.exists()


def test_an_answer_may_have_the_largest_size_and_no_byte_more(monkeypatch):
    content = OWN.read_bytes()
    with serving(whole, content) as (url, _):
        monkeypatch.setattr(cascades, "MAX_MEGABYTES", (len(content) - 1) / 1e6)
        with pytest.raises(ValueError, match=f"^{url}: expected a cascade, got too many bytes: .*\\.$"):
            locate(url, SHA256)
        monkeypatch.setattr(cascades, "MAX_MEGABYTES", len(content) / 1e6)
        assert locate(url, SHA256).read_bytes() == content


def test_where_nobody_listens_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
    with pytest.raises(ValueError, match=f"^{url}: expected a cascade, got no connection: Connection refused\\.$"):
        locate(url, SHA256)


def greet(server, greeting):
    connection, _ = server.accept()
    with connection:
        connection.recv(1024)
        connection.sendall(greeting)


def test_a_server_of_another_protocol_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=greet, args=(server, b"220 mail.example ready\r\n"))
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        with pytest.raises(ValueError, match=f"^{url}: expected a cascade, got broken off: ProtocolError"):
            locate(url, SHA256)
        thread.join()


@pytest.mark.parametrize("url", ["http://", "http://[", "http://a b/", "https://127.0.0.1:port/"])
def test_what_only_begins_as_a_url_is_one_line(url):
    with pytest.raises(ValueError) as caught:
        locate(url, SHA256)
    assert str(caught.value).startswith(f"{url}: expected a cascade, got ")


FOREIGN = b'<?xml version="1.0"?><opencv_storage><width>24</width></opencv_storage>'


@pytest.mark.parametrize("content", [b"", b"no cascade", b"{}", FOREIGN, OWN.read_bytes()[:20_000], bytes(range(256))])
def test_a_file_that_is_no_cascade_is_one_line(content, tmp_path, capfd):
    path = tmp_path / "cascade.xml"
    path.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        read_cascade(path)
    assert str(caught.value) == f"{path}: expected a cascade that OpenCV can read, got another file."
    assert capfd.readouterr().err == ""
