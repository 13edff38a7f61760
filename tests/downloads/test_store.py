import os
import time

import pytest

from stages.downloads.store import STALE_S, Store, forget_failures
from stages.sources.listed_image import Failure


def keep(store, url, content):
    with store.receiving() as stream:
        stream.write(content)
        store.keep(url, stream)


def test_what_is_kept_is_there_for_the_next_process(tmp_path):
    keep(Store(tmp_path), "http://a/b", b"content")
    assert Store(tmp_path).holds("http://a/b")
    assert Store(tmp_path).read("http://a/b") == b"content"
    assert not Store(tmp_path).holds("http://a/c")


def test_what_is_not_kept_leaves_nothing(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(KeyError), store.receiving() as stream:
        stream.write(b"half")
        raise KeyError
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_same_bytes_of_two_addresses_are_kept_apart(tmp_path):
    store = Store(tmp_path)
    keep(store, "http://a/1", b"content")
    keep(store, "http://a/2", b"content")
    store.forget("http://a/1")
    assert not store.holds("http://a/1")
    assert store.read("http://a/2") == b"content"


@pytest.mark.parametrize(("age_s", "is_left"), [(0, True), (STALE_S - 60, True), (STALE_S + 60, False)])
def test_what_a_killed_run_left_goes_when_no_request_can_last_so_long(tmp_path, age_s, is_left):
    Store(tmp_path)
    path = tmp_path / "unfinished" / "half"
    path.write_bytes(b"half")
    os.utime(path, (time.time() - age_s,) * 2)
    Store(tmp_path)
    assert path.exists() == is_left


def test_failures_are_remembered_until_they_are_forgotten(tmp_path):
    Store(tmp_path).remember("http://a/b", "terms", Failure("gone", "HTTP 404"))
    assert Store(tmp_path).recall("http://a/b", "terms") == Failure("gone", "HTTP 404")
    assert Store(tmp_path).recall("http://a/b", "other terms") is None
    assert Store(tmp_path).recall("http://a/c", "terms") is None
    forget_failures(tmp_path)
    forget_failures(tmp_path)
    assert Store(tmp_path).recall("http://a/b", "terms") is None


@pytest.mark.parametrize("content", [b"", b'["http_404"', b"[]", b'["a", "b", "c"]', b"\xff", b'["a", 1]', b"{}"])
def test_a_failure_that_a_crash_left_in_part_is_none(tmp_path, content):
    store = Store(tmp_path)
    store.remember("http://a/b", "terms", Failure("http_404", "gone"))
    [file] = (tmp_path / "failed").iterdir()
    file.write_bytes(content)
    assert store.recall("http://a/b", "terms") is None
    store.remember("http://a/b", "terms", Failure("http_404", "gone"))
    assert store.recall("http://a/b", "terms") == Failure("http_404", "gone")


def test_what_another_process_got_is_forgotten_too(tmp_path):
    stores = [Store(tmp_path), Store(tmp_path)]
    for number, store in enumerate(stores):
        keep(store, "http://a/b", bytes([number]))
    stores[0].forget("http://a/b")
    assert not Store(tmp_path).holds("http://a/b")
