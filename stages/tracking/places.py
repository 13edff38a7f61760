"""Where the runs of a study or search are made, and the team that gets them, as the command line says."""

import argparse
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from stages.tracking.dvc_experiments import find_current, find_done, references
from stages.tracking.experiment_clone import Clone, hand_over
from stages.tracking.records import Record
from stages.tracking.run import Run
from stages.tracking.runner import attempt, log_of, make_data, only_study
from stages.tracking.team import Team, connect, fetch, find_team, listed, push


@dataclass(frozen=True)
class Where:
    """The Ray cluster that makes the runs, empty for this machine, and the Git remote they go to, empty for none."""

    cluster: str = ""
    remote: str = ""


HERE = Where()


class Place(ABC):
    """A place where runs are made, from the code, params and images of a clone; a team may share what is made."""

    def __init__(self, clone: Clone, team: Team | None) -> None:
        self.clone, self.team = clone, team
        self.unsent: dict[str, str] = {}  # runs that are made and not pushed, with the reasons

    @abstractmethod
    def make(
        self, runs: Mapping[str, Run], records: dict[str, Record], failures: dict[str, str], keep: Callable[[], object]
    ) -> None:
        """Make the experiment of each run under its title, and add its record or the reason of its failure.

        Whenever a run has ended, `keep` is called.
        """

    def take_up(self, runs: Iterable[Run]) -> None:
        """Take up the runs' experiments from the team, if there is one, where they are not done here."""
        if not self.team:
            return
        waiting = {run.name: run for run in runs if not find_done(run)}
        log = log_of("team", self.clone)
        try:
            found = listed(self.team, waiting) if waiting else []
            reason = fetch(self.team, found, log, with_data=False)
            current = [each for each in found if any(find_current(waiting[each.rpartition("/")[2]]))]
            reason = reason or fetch(self.team, current, log, with_data=True)
        except ValueError as error:
            reason = str(error)
        if reason:
            print(f"not taken up from {self.team.git_name}: {reason}", flush=True)
        hand_over(self.clone.folder, self.clone.repository)

    def push(self, runs: Iterable[Run]) -> None:
        """Push the runs' experiments to the team, if there is one, and note those that cannot be pushed."""
        done = {run.name: find_done(run) for run in runs} if self.team else {}
        commits = {name: experiment.commit for name, experiment in done.items() if experiment}
        if not self.team or not commits:
            return
        for name in commits:
            self.unsent.pop(name, None)
        named = references()
        found = [each for name, commit in commits.items() for each, its in named[name].items() if its == commit]
        if reason := push(self.team, found, log_of("team", self.clone)):
            self.unsent |= dict.fromkeys(commits, reason)
            print(f"not pushed to {self.team.git_name}: {reason}", flush=True)

    def check_pushed(self) -> None:
        """Check that what was made is pushed.

        Raises:
            ValueError: Something is not.
        """
        if self.team and self.unsent:
            raise ValueError(
                f"{self.team.git_name}: expected all experiments to be pushed, got {len(self.unsent)} that are only "
                f"here: {next(iter(self.unsent.values())).rstrip('.')}. The same command pushes them."
            )


class Here(Place):
    """This machine, which makes one run after the other."""

    def make(
        self, runs: Mapping[str, Run], records: dict[str, Record], failures: dict[str, str], keep: Callable[[], object]
    ) -> None:
        """Make the runs one after the other."""
        for title, run in runs.items():
            print(f"\n{title}", flush=True)
            attempt(run, self.clone, records, failures)
            keep()
            if run.name in records:
                self.push([run])


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
            make_data(clone, source, team)
            place = Here(clone, team)
        yield place
