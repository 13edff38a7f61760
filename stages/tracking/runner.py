"""The runs of a study or search, one after the other: finished runs are kept, and a failed run stops no other."""

import shlex
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from stages.core.locks import locked
from stages.tracking import workspace_guard as guard
from stages.tracking.dvc_experiments import LOGS, execute, experiment_command, find_done, forget, missing_data
from stages.tracking.records import Record, read_record
from stages.tracking.run import Run


@contextmanager
def only_study() -> Iterator[None]:
    """Yield while no other study runs, and no experiment that a killed study left: DVC inherits the lock.

    Before the block, the workspace is restored if a killed DVC has left it changed. SIGTERM ends the block as Ctrl-C
    does.

    Raises:
        ValueError: Another study, or an experiment that a killed study left, is running.
    """
    lock = LOGS / "lock"
    refusal = f"{lock}: expected no other study running, got one, or the experiment that a killed one has left."
    with locked(lock, refusal, is_inherited=True):
        former = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            for message in guard.recover():
                print(message, flush=True)
            yield
        finally:
            signal.signal(signal.SIGTERM, former)


def make_data() -> None:
    """Make the data that dvc.lock records and the cache lacks.

    Raises:
        ValueError: The data cannot be made.
    """
    command = missing_data()
    if command:
        print(f"\n{shlex.join(command)}", flush=True)
        reason = execute(command, "data")
        if reason:
            raise ValueError(f"{shlex.join(command)}: expected the data that dvc.lock records, got: {reason}")


def adopt(runs: Iterable[Run], records: dict[str, Record]) -> list[str]:
    """Add the records of runs whose experiments are done to the records, and return the names of these runs."""
    found = []
    for run in runs:
        experiment = find_done(run) if run.name not in records else None
        if experiment:
            records[run.name] = read_record(run, experiment)
            found.append(run.name)
    return found


def attempt(run: Run, records: dict[str, Record], failures: dict[str, str]) -> None:
    """Make the run's experiment, and add its record to the records or the reason of its failure to the failures."""
    forget(run.name)
    command = experiment_command(run)
    print(shlex.join(command), flush=True)
    start = time.monotonic()
    guard.protect()
    reason = execute(command, run.name)
    guard.release()
    seconds = time.monotonic() - start
    experiment = find_done(run) if not reason else None
    if experiment:
        records[run.name] = read_record(run, experiment)
        print(f"done in {seconds:.0f} s: val accuracy {records[run.name].numbers['val_accuracy']:.3f}", flush=True)
    else:
        # DVC can end with status 0 and make no experiment, so that the status alone proves nothing.
        failures[run.name] = reason or f"no experiment was made, see {LOGS / run.name}.log"
        print(f"failed after {seconds:.0f} s: {failures[run.name]}", flush=True)
