"""On which machines image work runs: what joblib and Ray are told."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import joblib
import pytest

from stages.images import machines as image_machines
from stages.images.machines import ADDRESS, machines, spread


class RayError(Exception):
    """An error of Ray's own."""


@pytest.fixture
def ray(monkeypatch):
    """A stand-in for Ray, and what was asked of it."""
    asked = []

    def init(address, runtime_env, **_):
        assert runtime_env["worker_process_setup_hook"].__name__  # which Ray reads
        asked.append(runtime_env)

    fake = ModuleType("ray")
    fake.exceptions = SimpleNamespace(RayError=RayError)
    fake.init, fake.shutdown = init, lambda: asked.append("shut down")
    of_joblib = ModuleType("ray.util.joblib")
    of_joblib.register_ray = lambda: joblib.register_parallel_backend("ray", joblib.parallel.BACKENDS["sequential"])
    for name, module in (("ray", fake), ("ray.util", ModuleType("ray.util")), ("ray.util.joblib", of_joblib)):
        monkeypatch.setitem(sys.modules, name, module)
    return asked


def backend():
    """Return the backend that the work on images would have."""
    return type(joblib.Parallel(n_jobs=2, prefer="threads")._backend).__name__


def test_threads_do_the_work_without_an_address(monkeypatch):
    monkeypatch.delenv(ADDRESS, raising=False)
    with machines():
        assert backend() == "ThreadingBackend"


def test_the_workers_have_this_folder_and_the_cluster_is_left_in_the_end(monkeypatch, ray, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(ADDRESS, "auto")
    with machines():
        assert backend() == "SequentialBackend"
        assert ray[0]["env_vars"] == {"PYTHONPATH": str(tmp_path)}
        monkeypatch.chdir("/")
        ray[0]["worker_process_setup_hook"]()
        assert Path.cwd() == tmp_path
    assert ray[1:] == ["shut down"]
    assert backend() == "ThreadingBackend"


def test_a_machine_that_is_lost_is_one_line(monkeypatch, ray):
    monkeypatch.setenv(ADDRESS, "auto")
    said = "RAY_ADDRESS=auto: expected its machines to stay, got: an actor died"
    with pytest.raises(ValueError, match=said), machines():
        raise RayError("an actor\n died")
    assert ray[1:] == ["shut down"]


def test_the_address_of_clients_is_refused(monkeypatch, ray):
    monkeypatch.setenv(ADDRESS, "ray://head:10001")
    with pytest.raises(ValueError, match=r"expected <host>:<port> .* got the address of its clients"), machines():
        pass


@pytest.mark.parametrize("address", ["", "auto"])
def test_results_come_in_order_and_of_a_cluster_some_at_a_time(monkeypatch, address):
    monkeypatch.setenv(ADDRESS, address)
    monkeypatch.setattr(image_machines, "CALLS_AT_ONCE", 2)
    begun = []

    def double(number, plus):
        begun.append(number)
        return 2 * number + plus

    with joblib.parallel_config(backend="threading"):
        results = spread(double, [(number, 1) for number in range(5)])
        assert next(results) == 1
        assert not address or sorted(begun) == [0, 1]
        assert list(results) == [3, 5, 7, 9]
        assert list(spread(double, [])) == []
