"""The runs of a study or search: finished runs are kept, and a failed run stops no other."""

import os
import shlex
import signal
import time
from collections.abc import Iterable, Iterator
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
    is_added_here,
    missing_data,
)  # fmt: skip
from stages.tracking.experiment_clone import Clone, hand_over, inside_clone, restore
from stages.tracking.records import Record, read_record
from stages.tracking.run import Run
from stages.tracking.team import Team


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


def make_data(clone: Clone, source: str, team: Team | None) -> None:
    """Get the data that dvc.lock records and the cache lacks from the team, if there is one, and make the others.

    Args:
        clone: The clone in which this process works.
        source: The value of `collect.source` in all runs; if DVC tracks it, the team has it.
        team: Who may have the data.

    Raises:
        ValueError: The data cannot be made, or DVC tracks the source of the runs and nobody here has it.
    """
    log = log_of("data", clone)
    added = added_sources(source)
    if team and (missing_data() or not all(map(is_added_here, added))):
        execute(["dvc", "pull", "--with-deps", DATA, *added], log)
    # Of the source in params.yaml dvc.lock may have all that runs need.
    if lacking := [each for each in added if each not in added_sources() and not is_added_here(each)]:
        raise ValueError(
            f"{lacking[0]}: expected its images in DVC's cache, got none: `dvc pull {lacking[0]}` gets them."
        )
    command = missing_data()
    if command:
        print(f"\n{shlex.join(command)}", flush=True)
        reason = execute(["dvc", "checkout", *added], log) if added else ""
        reason = reason or execute(command, log)
        restore(clone)
        if reason:
            raise ValueError(f"{shlex.join(command)}: expected the data that dvc.lock records, got: {reason}")


def added_sources(*sources: str) -> list[str]:
    """Return the `.dvc` files of the source in params.yaml and of these sources, of those that DVC tracks."""
    named = (f"{os.path.normpath(each)}.dvc" for each in (load()["collect"]["source"], *sources))
    return [each for each in dict.fromkeys(named) if Path(each).is_file()]


def adopt(runs: Iterable[Run], records: dict[str, Record]) -> list[Run]:
    """Add the records of runs whose experiments are done to the records, and return these runs."""
    found = []
    for run in (run for run in runs if run.name not in records):
        experiment = find_done(run)
        if experiment:
            records[run.name] = read_record(run, experiment)
            found.append(run)
    return found


def log_of(name: str, clone: Clone) -> Path:
    """Return the file that gets what the command of a run prints."""
    return clone.repository / LOGS / f"{name}.log"


def say_if_without_data(run: Run) -> None:
    """Say of a run that is to be made if its experiment is here without its data."""
    if any(find_current(run)):
        print(
            f"{run.name}: expected its experiment with its data, got it without: it is made again. If they were "
            f"pushed, `dvc exp pull <git remote> {run.name}` gets them.",
            flush=True,
        )


def attempt(run: Run, clone: Clone, records: dict[str, Record], failures: dict[str, str]) -> None:
    """Make the run's experiment, and add its record to the records or the reason of its failure to the failures."""
    say_if_without_data(run)
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
