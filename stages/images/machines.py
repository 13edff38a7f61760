"""The machines on which joblib's work on images runs: the threads of this one, or the workers of a Ray cluster."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import joblib

from stages.web.ray_cluster import connect

ADDRESS = "RAY_ADDRESS"  # as Ray itself has it; no param, because it changes no result


@contextmanager
def machines() -> Iterator[None]:
    """Let the workers of the cluster that RAY_ADDRESS names do the work of the block; without it, threads do it here.

    Workers read the files themselves: code and data must lie at the same paths on all machines, as on a shared disk.
    Results are the same on any number of workers.

    Raises:
        ValueError: Ray is not installed, or the cluster does not answer.
    """
    address = os.environ.get(ADDRESS)
    if not address:
        yield
        return
    here = Path.cwd()

    def enter() -> None:
        os.chdir(here)

    surroundings = {"env_vars": {"PYTHONPATH": str(here)}, "worker_process_setup_hook": enter}
    ray = connect(address, f"{ADDRESS}={address}", runtime_env=surroundings)
    from ray.util.joblib import register_ray

    register_ray()
    try:
        with joblib.parallel_config(backend="ray"):
            yield
    finally:
        ray.shutdown()
