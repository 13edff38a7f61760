"""The machines on which joblib's work on images runs: the threads of this one, or the workers of a Ray cluster."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import joblib

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
    try:
        import ray
        from ray.util.joblib import register_ray
    except ImportError as error:
        raise ValueError(
            f"{ADDRESS}={address}: expected Ray, got none: pip install --requirement requirements-ray.txt"
        ) from error
    here = Path.cwd()
    surroundings = {"env_vars": {"PYTHONPATH": str(here)}, "worker_process_setup_hook": partial(os.chdir, here)}
    try:
        ray.init(address, runtime_env=surroundings, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        raise ValueError(f"{ADDRESS}={address}: expected a Ray cluster that answers, got: {error}") from error
    register_ray()
    try:
        with joblib.parallel_config(backend="ray"):
            yield
    finally:
        ray.shutdown()
