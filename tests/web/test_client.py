"""The client and the download of many images, against a server that fails like the web."""

import hashlib
import io
import random
import socket
import threading
import time

import pytest

from stages.downloads.download import Bounds, download, find_gone
from stages.downloads.placeholders import DELETED
from stages.downloads.store import Store
from stages.web.client import Client, Fetch, FetchError
from tests.web.fault_server import LASTING, PASSING, FaultServer

pytestmark = pytest.mark.usefixtures("short_waits")
BOUNDS = Bounds(max_megabytes=1, max_megapixels=1)


def settings(**changes):
    quick = {
        "threads": 8, "per_host": 4, "per_second": 1000, "timeout_s": 2, "deadline_s": 1, "retries": 3, "max_wait_s": 2,
        "max_megabytes": 1, "allow_private": True, "user_agent": "tester/1.0 (nobody@example.org)",
    }  # fmt: skip
    return Fetch(**{**quick, **changes})


@pytest.fixture
def server():
    with FaultServer() as server:
        yield server


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture(scope="module")
def image(draw):
    stream = io.BytesIO()
    draw(0).save(stream, "JPEG")
    return stream.getvalue()


def outcomes(urls, store, bounds=BOUNDS, **changes):
    return {
        url: failure and failure.reason for url, failure in download(urls, store, settings(**changes), bounds)
    }  # fmt: skip


def test_an_image_comes_as_it_is(server, store, image):
    server.pages["/a"] = image
    assert outcomes([server.url("/a")], store) == {server.url("/a"): None}
    assert store.read(server.url("/a")) == image
    assert server.visits[0].headers["user-agent"] == "tester/1.0 (nobody@example.org)"


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_is_tried_again(server, store, image, fault):
    server.pages["/a"] = image
    server.plan["127.0.0.1", "/a"].append(fault)
    assert outcomes([server.url("/a")], store) == {server.url("/a"): None}
    assert store.read(server.url("/a")) == image
    assert [visit.answer for visit in server.visits] == [fault, "whole"]


@pytest.mark.parametrize(("fault", "reason"), LASTING.items())
def test_what_lasts_is_asked_once_and_named(server, store, image, fault, reason):
    server.pages["/a"] = image
    server.plan["127.0.0.1", "/a"].append(fault)
    assert outcomes([server.url("/a")], store) == {server.url("/a"): reason}
    assert len(server.visits) == (6 if fault == "loop" else 1)
    assert not store.holds(server.url("/a"))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("429", "too many requests"), ("503", "server error"), ("reset", "broken off"), ("truncated", "broken off"),
        ("slow", "too slow"), ("page", "wrong type"), ("too short", "truncated"), ("bad gzip", "broken off"),
    ],
)  # fmt: skip
def test_what_does_not_pass_after_all_tries_is_named(server, store, image, fault, reason):
    server.pages["/a"] = image
    server.plan["127.0.0.1", "/a"].extend([fault] * 9)
    assert outcomes([server.url("/a")], store, retries=1) == {server.url("/a"): reason}
    assert len(server.visits) == 2


def test_what_is_there_is_not_fetched_again(server, store, image):
    server.pages["/a"] = image
    urls = [server.url("/a"), server.url("/none")]
    assert outcomes([*urls, *urls], store) == {urls[0]: None, urls[1]: "gone"}
    assert len(server.visits) == 2
    again = Store(store.root)
    assert outcomes(urls, again) == {urls[0]: None, urls[1]: "gone"}
    assert len(server.visits) == 2
    assert again.read(urls[0]) == image


def test_damage_in_the_store_is_noticed(server, store, image):
    server.pages["/a"] = image
    outcomes([server.url("/a")], store)
    [path] = store.root.glob("??/*")
    path.write_bytes(image[:-1])
    assert outcomes([server.url("/a")], Store(store.root)) == {server.url("/a"): None}
    assert len(server.visits) == 2


def test_no_unfinished_file_is_left(server, store, image):
    server.pages["/a"] = image
    server.plan["127.0.0.1", "/a"].extend(["truncated", "page", "slow"])
    outcomes([server.url("/a"), server.url("/none")], store)
    assert list((store.root / "unfinished").iterdir()) == []


def test_a_passing_failure_is_not_remembered(server, store, image):
    server.pages["/a"] = image
    server.plan["127.0.0.1", "/a"].append("500")
    assert outcomes([server.url("/a")], store, retries=0) == {server.url("/a"): "server error"}
    assert outcomes([server.url("/a")], store) == {server.url("/a"): None}


def test_an_image_of_too_many_pixels_is_not_decoded(server, store, draw):
    for name, width in (("/at", 1000), ("/over", 1001)):
        stream = io.BytesIO()
        draw(0, (width, 1000)).save(stream, "PNG")
        server.pages[name] = stream.getvalue()
    urls = [server.url("/at"), server.url("/over")]
    assert outcomes(urls, store, Bounds(max_megabytes=9, max_megapixels=1)) == {
        urls[0]: None,
        urls[1]: "too many pixels",
    }


@pytest.mark.parametrize(("excess", "reason"), [(0, None), (1, "too many bytes")])
@pytest.mark.parametrize("announced", [True, False])
def test_the_limit_of_bytes_holds_at_its_edge(server, store, image, excess, reason, announced):
    """JPEG decoders ignore bytes after the image."""
    body = image + bytes(1_000_000 + excess - len(image))
    server.pages["/a"] = body if announced else b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    if not announced:
        server.headers["/a"] = "Transfer-Encoding: chunked\r\n"
    assert outcomes([server.url("/a")], store) == {server.url("/a"): reason}


def test_smaller_bounds_hold_for_what_is_there(server, store, draw):
    stream = io.BytesIO()
    draw(0, (1001, 1000)).save(stream, "PNG")
    server.pages["/a"] = stream.getvalue() + bytes(1_000_000)
    url, larger = server.url("/a"), Bounds(max_megabytes=3, max_megapixels=2)
    for bounds, expected in (
        (larger, None),
        (Bounds(max_megabytes=1, max_megapixels=2), "too many bytes"),
        (Bounds(max_megabytes=3, max_megapixels=1), "too many pixels"),
        (larger, None),
    ):
        assert outcomes([url], store, bounds) == {url: expected}
    assert len(server.visits) == 1


def test_what_failed_under_other_terms_is_asked_again(server, store, draw):
    stream = io.BytesIO()
    draw(0, (1001, 1000)).save(stream, "PNG")
    server.pages["/a"] = stream.getvalue()
    url, larger = server.url("/a"), Bounds(max_megabytes=1, max_megapixels=2)
    assert outcomes([url], store, allow_private=False) == {url: "refused address"}
    assert outcomes([url], store) == {url: "too many pixels"}
    assert outcomes([url], store, larger) == {url: None}


def test_the_smallest_images_are_taken(server, store, draw):
    for format_ in ("JPEG", "PNG", "GIF", "WEBP"):
        for size in ((1, 1), (7, 40), (8, 8)):
            stream = io.BytesIO()
            draw(1, size).save(stream, format_)
            server.pages[f"/{format_}{size[0]}"] = stream.getvalue()
    urls = [server.url(path) for path in server.pages]
    assert outcomes(urls, store) == dict.fromkeys(urls)


@pytest.mark.parametrize("length", ["²", "-5"])
def test_a_length_that_is_no_number_ends_nothing(server, store, image, length):
    server.pages |= {"/a": image, "/b": image}
    server.headers["/a"] = f"Content-Length: {length}\r\nTransfer-Encoding: none\r\nConnection: close\r\n"
    found = outcomes([server.url("/a"), server.url("/b")], store, retries=0)
    assert found[server.url("/b")] is None
    assert set(found) == {server.url("/a"), server.url("/b")}


def test_a_hosts_placeholder_for_a_deleted_image_is_no_image(server, store, image, monkeypatch):
    monkeypatch.setitem(DELETED, hashlib.md5(image).hexdigest(), "a placeholder")
    server.pages["/a"] = image
    assert outcomes([server.url("/a")], store) == {server.url("/a"): "deleted"}
    assert dict(find_gone([server.url("/a")], settings())) == {server.url("/a"): "deleted"}


def test_only_what_is_gone_counts_as_gone(server, image):
    paths = ["/there", "/404", "/410", "/403", "/500", "/large", "/loop"]
    for path in paths:
        server.pages[path] = image
        if path != "/there":
            server.plan["127.0.0.1", path].extend([path[1:]] * 9)
    found = dict(find_gone([*map(server.url, paths), "ftp://example.org/a"], settings(retries=1)))
    assert {url for url, reason in found.items() if reason} == {server.url("/404"), server.url("/410")}
    assert len(found) == 8


def test_retry_after_is_kept_for_the_whole_host_and_capped(server, store, image):
    for number in range(6):
        server.pages[f"/{number}"] = image
    server.headers["/0"] = ""
    server.plan["127.0.0.1", "/0"].append("429")
    outcomes([server.url(f"/{number}") for number in range(6)], store, per_host=1)
    starts = [visit.start for visit in server.visits]
    assert starts[1] - starts[0] >= 1.0
    server.visits.clear()
    server.plan["127.0.0.1", "/0"].append("429")
    outcomes([server.url("/0")], Store(store.root / "other"), max_wait_s=0.1)
    assert server.visits[1].start - server.visits[0].start < 0.9


@pytest.mark.slow
def test_one_slow_host_does_not_hold_up_another(image, store):
    with FaultServer(["127.0.0.2", "127.0.0.3"]) as server:
        for number in range(20):
            server.pages[f"/{number}"] = image
            server.plan["127.0.0.2", f"/{number}"].append("slow")
        urls = [server.url(f"/{number}", host) for host in ("127.0.0.2", "127.0.0.3") for number in range(20)]
        done = {}
        for url, _ in download(urls, store, settings(threads=4, per_host=2), BOUNDS):
            done[url] = time.monotonic()
        assert max(done[url] for url in urls[20:]) < min(done[url] for url in urls[:20])


def test_an_error_of_our_own_ends_the_work_and_is_shown(server, image, tmp_path):
    store = Store(tmp_path / "store")
    server.pages["/a"] = image
    store._unfinished.rmdir()
    with pytest.raises(FileNotFoundError):
        outcomes([server.url("/a")], store)


def test_leaving_early_stops_the_work(server, store, image):
    for number in range(100):
        server.pages[f"/{number}"] = image
    iterator = download([server.url(f"/{number}") for number in range(100)], store, settings(per_second=50), BOUNDS)
    next(iterator)
    iterator.close()
    time.sleep(0.3)
    number = len(server.visits)
    time.sleep(0.3)
    assert len(server.visits) == number < 20


def test_the_client_reads_json_with_a_query(server):
    server.pages["/api?q=%C3%A4+b&page=2"] = b'{"a": ["\xc3\xa4"]}'
    assert Client(settings()).json(server.url("/api"), {"q": "ä b", "page": 2}) == {"a": ["ä"]}


def test_the_client_tries_again_and_gives_bytes(server):
    server.pages["/a"] = b"bytes"
    server.plan["127.0.0.1", "/a"].extend(["503", "truncated", "reset"])
    assert Client(settings()).get(server.url("/a")) == b"bytes"


@pytest.mark.parametrize(
    ("path", "reason", "detail"),
    [("/none", "gone", "HTTP 404"), ("/text", "no JSON", "b'text'"), ("/deep", "no JSON", "b'[[[[")],
)
def test_the_client_says_in_one_line_what_it_got(server, path, reason, detail):
    server.pages |= {"/text": b"text", "/deep": b"[" * 100_000}
    with pytest.raises(FetchError) as caught:
        Client(settings()).json(server.url(path))
    assert caught.value.reason == reason
    assert caught.value.detail.startswith(detail)
    assert str(caught.value).startswith(f"{server.url(path)}: expected an answer, got {reason}: {detail}")


def test_a_secret_reaches_no_other_host_and_no_message(image):
    with FaultServer(["127.0.0.2", "127.0.0.3"]) as server:
        server.pages |= {"/a?key=s3cret": b"", "/b": b"{}"}
        for status in ("302", "404"):
            server.visits.clear()
            server.plan["127.0.0.2", "/a?key=s3cret"].append(status)
            server.headers["/a?key=s3cret"] = f"Location: {server.url('/b', '127.0.0.3')}\r\n"
            client = Client(settings())
            try:
                client.json(server.url("/a", "127.0.0.2"), {"key": "s3cret"}, {"Authorization": "Bearer s3cret"})
            except FetchError as error:
                assert status == "404"
                assert "s3cret" not in f"{error} {error.reason} {error.detail} {error.__cause__}"
            first, *others = server.visits
            assert first.headers["authorization"] == "Bearer s3cret"
            assert len(others) == (status == "302")
            assert "s3cret" not in str(others)


def test_a_secret_is_sent_again_on_another_try_and_within_its_host(server):
    server.pages |= {"/a": b"", "/b": b"{}"}
    server.headers["/a"] = "Location: /b\r\n"
    server.plan["127.0.0.1", "/a"].extend(["503", "302"])
    assert Client(settings()).json(server.url("/a"), headers={"X-Key": "k"}) == {}
    assert [visit.headers.get("x-key") for visit in server.visits] == ["k", "k", "k"]


def test_the_deadline_holds_while_headers_drip(store):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip():
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                try:
                    for byte in b"HTTP/1.1 200 OK\r\nX-Header: " + b"x" * 200:
                        connection.sendall(bytes([byte]))
                        time.sleep(0.05)
                except OSError:
                    pass

        threading.Thread(target=drip, daemon=True).start()
        url, start = f"http://127.0.0.1:{listener.getsockname()[1]}/", time.monotonic()
        assert outcomes([url], store, retries=0) == {url: "too slow"}
        assert time.monotonic() - start < 5


def test_it_connects_to_the_address_that_it_checked(server, store, image, monkeypatch):
    """A name server may give another address between the check and the connection."""
    server.pages["/a"] = image
    answers = iter(["127.0.0.1", "203.0.113.1", "203.0.113.1"])
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *more, **options: real(next(answers), *more, **options))
    url = f"http://images.test:{server.port}/a"
    assert outcomes([url], store) == {url: None}
    assert next(answers) == "203.0.113.1"


def seeded_plan(server, hosts, number, image_of):
    """Plan addresses of which 30 % answer wrongly, at first or always; return {url: expected reason}."""
    chance, expected = random.Random(7), {}
    for count in range(number):
        host, path = hosts[count % len(hosts)], f"/{count}.jpg"
        server.pages[path] = image_of(count)
        reason = None
        if chance.random() < 0.30:
            if chance.random() < 0.7:
                server.plan[host, path].extend(chance.choices(PASSING, k=chance.randint(1, 2)))
            else:
                fault = chance.choice(list(LASTING))
                server.plan[host, path].append(fault)
                reason = LASTING[fault]
        expected[server.url(path, host)] = reason
    return expected


@pytest.mark.slow
def test_of_1000_faulty_addresses_every_image_comes_once_and_no_host_is_hurried(store, image):
    hosts = [f"127.0.0.{number}" for number in range(2, 7)]
    with FaultServer(hosts, latency_s=0.02) as server:
        expected = seeded_plan(server, hosts, 1000, lambda count: image + b"%d" % count)
        found = outcomes(expected, store, threads=16, per_host=3, per_second=25, retries=4)
        assert found == expected
        assert sum(reason is None for reason in expected.values()) > 850
        for url, reason in expected.items():
            assert store.holds(url) == (reason is None)
        times = server.count("whole")
        for url, reason in expected.items():
            host, path = url.removeprefix("http://").split(":")[0], "/" + url.split("/")[-1]
            assert times[host, path] == (reason is None), url
        for host in hosts:
            assert server.most_at_once(host) <= 3
            assert server.most_within(host, 1.0) <= 25
        # The limit is used: the rest is the seconds for which a 429 pauses its host.
        taken = max(visit.end for visit in server.visits) - min(visit.start for visit in server.visits)
        assert len(server.visits) / taken > 0.4 * 5 * 25
