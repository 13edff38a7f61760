"""A connection to a Ray cluster, which is not needed for anything that one machine does."""

import os
import re
import socket
from typing import Any

PATIENCE_S = 10
HOST = re.compile(r"(?:ray://)?(?P<host>[^/:]+|\[[^]]+\]):(?P<port>\d+)")


def connect(address: str, argument: str, **options: Any) -> Any:
    """Return the package `ray`, connected to the cluster.

    Args:
        address: What Ray understands: `ray://<host>:10001`, `<host>:6379`, or `auto` for the cluster of this machine.
        argument: What a person gave the address by, for the error's text.
        options: Further arguments of `ray.init`.

    Raises:
        ValueError: Ray is not installed, or the cluster does not answer.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise ValueError(
            f"{argument}: expected Ray, got none: pip install --requirement requirements-ray.txt"
        ) from error
    try:
        knock(address)
        ray.init(address, log_to_driver=False, logging_level="ERROR", configure_logging=False, **options)
    except (RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        raise ValueError(f"{argument}: expected a Ray cluster that answers, got: {as_line(str(error))}") from error
    return ray


def knock(address: str) -> None:
    """Try to reach the host, because Ray itself goes on trying for minutes.

    Raises:
        OSError: Nobody answers.
    """
    if match := HOST.fullmatch(address):
        socket.create_connection((match["host"].strip("[]"), int(match["port"])), PATIENCE_S).close()


def as_line(text: str) -> str:
    """Return the beginning of a message of Ray's in a line, without colours."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", text).split())[:300]
