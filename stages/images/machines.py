"""The machines on which joblib's work on images runs: the threads of this one, or the workers of a Ray cluster."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import joblib

from stages.web.ray_cluster import as_line, connect

ADDRESS = "RAY_ADDRESS"  # as Ray itself has it; no param, because it changes no result
CALLS_AT_ONCE = 64  # of a cluster, which gives results together
T = TypeVar("T")


@contextmanager
def machines() -> Iterator[None]:
    """Let the workers of the cluster that RAY_ADDRESS names do the work of the block; without it, threads do it here.

    Workers read the files themselves: code and data must lie at the same paths on all machines, as on a shared disk.
    Results are the same on any number of workers.

    Raises:
        ValueError: Ray is not installed, the cluster does not answer, or it loses a machine.
    """
    address = os.environ.get(ADDRESS)
    if not address:
        yield
        return
    if address.startswith("ray://"):
        raise ValueError(
            f"{ADDRESS}={address}: expected <host>:<port> and this to be a machine of the cluster, got the address of "
            "its clients."
        )
    here = Path.cwd()

    def enter() -> None:
        os.chdir(here)

    surroundings = {"env_vars": {"PYTHONPATH": str(here)}, "worker_process_setup_hook": enter}
    ray = connect(address, f"{ADDRESS}={address}", runtime_env=surroundings)
    from ray.util.joblib import register_ray

    logging.getLogger("ray.util.multiprocessing.pool").setLevel(logging.ERROR)  # It warns of joblib's own argument.
    register_ray()
    try:
        with joblib.parallel_config(backend="ray"):
            yield
    except ray.exceptions.RayError as error:
        raise ValueError(f"{ADDRESS}={address}: expected its machines to stay, got: {as_line(str(error))}") from error
    finally:
        ray.shutdown()


def spread(function: Callable[..., T], calls: Sequence[tuple[Any, ...]], threads: int = -1) -> Iterator[T]:
    """Yield what the function returns for each call's arguments, in order.

    A cluster is given some calls at a time. Without one, so many threads of this machine make the calls, all it has
    for -1.
    """
    work = [joblib.delayed(function)(*arguments) for arguments in calls]
    if not os.environ.get(ADDRESS):
        yield from joblib.Parallel(n_jobs=threads, prefer="threads", return_as="generator")(work)
        return
    with joblib.Parallel(n_jobs=-1) as parallel:
        for start in range(0, len(work), CALLS_AT_ONCE):
            yield from parallel(work[start : start + CALLS_AT_ONCE])
