"""The connection to a Ray cluster: what is said where there is none."""

import socket
import sys
from types import ModuleType, SimpleNamespace

import pytest

from stages.web.ray_cluster import as_line, connect, knock


class RayError(Exception):
    """An error of Ray's own."""


@pytest.fixture
def ray(monkeypatch):
    """A stand-in for Ray that answers as its `answer` says."""
    fake = ModuleType("ray")
    fake.answer, fake.asked = None, []

    def init(address, **options):
        fake.asked.append((address, options["runtime_env"]))
        if fake.answer:
            raise fake.answer

    fake.init, fake.exceptions = init, SimpleNamespace(RayError=RayError)
    monkeypatch.setitem(sys.modules, "ray", fake)
    return fake


def test_a_cluster_that_answers_is_connected_to(ray):
    assert connect("auto", "--on auto", runtime_env={"a": 1}) is ray
    assert ray.asked == [("auto", {"a": 1})]


def test_without_ray_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"--on auto: expected Ray, got none: pip install .* requirements-ray\.txt"):
        connect("auto", "--on auto")


@pytest.mark.parametrize(
    "error", [RayError("no cluster"), ConnectionError("\x1b[36mno\x1b[0m\n  cluster"), RuntimeError("no cluster")]
)
def test_what_ray_says_is_one_line(ray, error):
    ray.answer = error
    with pytest.raises(ValueError, match=r"--on auto: expected a Ray cluster that answers, got: no cluster$"):
        connect("auto", "--on auto", runtime_env={})


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "ray://[::1]:1"])
def test_ray_does_not_try_for_minutes_where_nobody_is(ray, address):
    with pytest.raises(ValueError, match=r"--on it: expected a Ray cluster that answers, got: \[Errno"):
        connect(address, "--on it", runtime_env={})
    assert ray.asked == []


def test_somebody_there_is_enough_to_let_ray_try():
    with socket.create_server(("127.0.0.1", 0)) as server:
        knock(f"ray://127.0.0.1:{server.getsockname()[1]}")
    knock("auto")
    knock("local")


def test_a_long_message_is_cut():
    assert as_line("word " * 100) == ("word " * 60)[:300]
