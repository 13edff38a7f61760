"""Where the runs of a study or search are made, as the arguments of the command line say."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from stages.tracking.runner import Here, Place, make_data, only_study
from stages.tracking.team import connect, find_team


@dataclass(frozen=True)
class Where:
    """The Ray cluster that makes the runs, empty for this machine, and the Git remote they go to, empty for none."""

    cluster: str = ""
    remote: str = ""


HERE = Where()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that `read_where` reads."""
    parser.add_argument(
        "--push", nargs="?", const="origin", default="", metavar="REMOTE",
        help="push each experiment with its data as it ends, to this Git remote (origin) and DVC's default remote, and "
        "take up those that are there",
    )  # fmt: skip
    parser.add_argument(
        "--on", default="", metavar="ADDRESS",
        help="let the machines of a Ray cluster make the runs, such as ray://host:10001; implies --push",
    )  # fmt: skip


def read_where(arguments: argparse.Namespace) -> Where:
    """Return what the arguments say."""
    return Where(arguments.on, arguments.push or ("origin" if arguments.on else ""))


@contextmanager
def place_of_runs(source: str, where: Where) -> Iterator[Place]:
    """Offer the place while no other study runs.

    Args:
        source: The value of `collect.source` in all runs.
        where: The cluster and the remote.

    Raises:
        ValueError: Another study is running, DVC or Git cannot work here, or a remote or the cluster does not answer.
    """
    team = find_team(where.remote) if where.remote else None
    with only_study(source) as clone:
        if team:
            connect(team, clone.folder)
        place: Place
        if where.cluster and team:
            from stages.tracking.cluster import Cluster

            place = Cluster(where.cluster, clone, team)
        else:
            make_data(clone, team)
            place = Here(clone, team)
        yield place
