"""The runs of a study or search: finished runs are kept, and a failed run stops no other."""

import os
import shlex
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from stages.core.locks import locked
from stages.core.params import load
from stages.tracking.diagnosis import as_text, examine
from stages.tracking.dvc_experiments import (
    DATA,
    LOGS,
    execute,
    experiment_command,
    find_current,
    find_done,
    forget,
    missing_data,
)
from stages.tracking.experiment_clone import Clone, hand_over, inside_clone, restore
from stages.tracking.records import Record, read_record
from stages.tracking.run import Run
from stages.tracking.team import Team, push, take_up


@contextmanager
def only_study(source: str) -> Iterator[Clone]:
    """Work in a clone while no other study runs, and no experiment that a killed study left: DVC inherits the lock.

    What a killed DVC has left in part is mended first. SIGTERM ends the block as Ctrl-C does.

    Args:
        source: The value of `collect.source` in all runs.

    Raises:
        ValueError: Another study, or an experiment that a killed study left, is running; or DVC cannot work here.
    """
    lock = LOGS / "lock"
    refusal = f"{lock}: expected no other study running, got one, or the experiment that a killed one has left."
    with locked(lock, refusal, is_inherited=True):
        former = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            check_repository()
            with inside_clone([load()["collect"]["source"], source]) as clone:
                yield clone
        finally:
            signal.signal(signal.SIGTERM, former)


def check_repository() -> None:
    """Print what of the repository is mended and what may fail.

    Raises:
        ValueError: Something stops DVC until a person acts.
    """
    diagnosis = examine()
    if text := as_text(replace(diagnosis, faults=[])):
        print(text, flush=True)
    if diagnosis.faults:
        raise ValueError(diagnosis.faults[0])


def make_data(clone: Clone, team: Team | None) -> None:
    """Get the data that dvc.lock records and the cache lacks from the team, if there is one, and make the others.

    Raises:
        ValueError: The data cannot be made.
    """
    log = log_of("data", clone)
    added = Path(f"{os.path.normpath(load()['collect']['source'])}.dvc")
    if team and missing_data():
        execute(["dvc", "pull", "--with-deps", DATA, *([str(added)] if added.is_file() else [])], log)
    command = missing_data()
    if command:
        print(f"\n{shlex.join(command)}", flush=True)
        reason = execute(["dvc", "checkout", str(added)], log) if added.is_file() else ""
        reason = reason or execute(command, log)
        restore(clone)
        if reason:
            raise ValueError(f"{shlex.join(command)}: expected the data that dvc.lock records, got: {reason}")


def adopt(runs: Iterable[Run], records: dict[str, Record]) -> list[str]:
    """Add the records of runs whose experiments are done to the records, and return the names of these runs."""
    found = []
    for run in (run for run in runs if run.name not in records):
        experiment = find_done(run)
        if experiment:
            records[run.name] = read_record(run, experiment)
            found.append(run.name)
        elif any(find_current(run)):
            print(
                f"{run.name}: expected its experiment with its data, got it without: it is made again. If they were "
                f"pushed, `dvc exp pull <git remote> {run.name}` gets them.",
                file=sys.stderr,
            )
    return found


def log_of(name: str, clone: Clone) -> Path:
    """Return the file that gets what the command of a run prints."""
    return clone.repository / LOGS / f"{name}.log"


class Place:
    """A place where runs are made, from the code, params and images of a clone; a team may share what is made."""

    def __init__(self, clone: Clone, team: Team | None) -> None:
        self.clone, self.team = clone, team
        self.unsent: dict[str, str] = {}  # runs that are made and not pushed, with the reasons

    def make(self, runs: Mapping[str, Run], records: dict[str, Record], failures: dict[str, str]) -> None:
        """Make the experiment of each run under its title, and add its record or the reason of its failure."""
        raise NotImplementedError

    def take_up(self, names: list[str]) -> None:
        """Take up the experiments of these names that the team has, and push those that it has not."""
        if not self.team:
            return
        log = log_of("team", self.clone)
        if reason := take_up(self.team, names, log):
            print(f"experiments of {self.team.git_name} are not here with their data: {reason}", flush=True)
        hand_over(self.clone.folder, self.clone.repository)

    def push(self, names: list[str]) -> None:
        """Push the experiments to the team, if there is one, and note those that cannot be pushed."""
        if not self.team or not names:
            return
        for name in names:
            self.unsent.pop(name, None)
        if reason := push(self.team, names, log_of("team", self.clone)):
            self.unsent |= dict.fromkeys(names, reason)
            print(f"not pushed to {self.team.git_name}: {reason}", flush=True)

    def check_pushed(self) -> None:
        """Check that what was made is pushed.

        Raises:
            ValueError: Something is not.
        """
        if self.team and self.unsent:
            raise ValueError(
                f"{self.team.git_name}: expected all experiments to be pushed, got {len(self.unsent)} that are only "
                f"here: {next(iter(self.unsent.values()))} The same command pushes them."
            )


class Here(Place):
    """This machine, which makes one run after the other."""

    def make(self, runs: Mapping[str, Run], records: dict[str, Record], failures: dict[str, str]) -> None:
        """Make the experiment of each run under its title, and add its record or the reason of its failure."""
        for title, run in runs.items():
            print(f"\n{title}", flush=True)
            attempt(run, self.clone, records, failures)
            if run.name in records:
                self.push([run.name])


def attempt(run: Run, clone: Clone, records: dict[str, Record], failures: dict[str, str]) -> None:
    """Make the run's experiment, and add its record to the records or the reason of its failure to the failures."""
    for folder in (clone.folder, clone.repository):
        forget(run.name, folder)
    command = experiment_command(run)
    log = log_of(run.name, clone)
    print(f"{shlex.join(command)}\nits output is in {log.relative_to(clone.repository)}", flush=True)
    start = time.monotonic()
    reason = execute(command, log)
    restore(clone)
    hand_over(clone.folder, clone.repository)
    seconds = time.monotonic() - start
    experiment = find_done(run) if not reason else None
    if experiment:
        records[run.name] = read_record(run, experiment)
        print(f"done in {seconds:.0f} s: val accuracy {records[run.name].numbers['val_accuracy']:.3f}", flush=True)
    else:
        # DVC can end with status 0 and make no experiment, so that the status alone proves nothing.
        failures[run.name] = reason or f"no experiment was made, see {log}"
        print(f"failed after {seconds:.0f} s: {failures[run.name]}", flush=True)
