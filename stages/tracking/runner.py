"""The runs of a study, one after the other: what is done is left alone, what fails does not stop the others."""

import shlex
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from stages.core.locks import locked
from stages.tracking import workspace_guard as guard
from stages.tracking.dvc_experiments import LOGS, execute, find_done, forget, line, missing_data
from stages.tracking.records import Record, read_record
from stages.tracking.run import Run


@contextmanager
def only_study() -> Iterator[None]:
    """No other study runs meanwhile, nor does an experiment that a killed one left: DVC inherits the lock.

    What a killed DVC left behind is put right first. SIGTERM ends the block as Ctrl-C does.

    Raises:
        ValueError: one does.
    """
    lock = LOGS / "lock"
    refusal = f"{lock}: expected no other study running, got one, or the experiment that a killed one has left."
    with locked(lock, refusal, is_inherited=True):
        former = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            for told in guard.recover():
                print(told, flush=True)
            yield
        finally:
            signal.signal(signal.SIGTERM, former)


def make_data() -> None:
    """The data that dvc.lock tells of are in the cache.

    Raises:
        ValueError: they cannot be made.
    """
    command = missing_data()
    if command:
        print(f"\n{shlex.join(command)}", flush=True)
        reason = execute(command, "data")
        if reason:
            raise ValueError(f"{shlex.join(command)}: expected the data that dvc.lock tells of, got: {reason}")


def adopt(runs: Iterable[Run], records: dict[str, Record]) -> list[str]:
    """The runs that were found to be done; their records are among the records."""
    found = []
    for run in runs:
        experiment = find_done(run) if run.name not in records else None
        if experiment:
            records[run.name] = read_record(run, experiment)
            found.append(run.name)
    return found


def attempt(run: Run, records: dict[str, Record], failures: dict[str, str]) -> None:
    """The run's record is among the records, or the reason why there is none among the failures."""
    forget(run.name)
    made = line(run)
    print(shlex.join(made), flush=True)
    start = time.monotonic()
    guard.protect()
    reason = execute(made, run.name)
    guard.release()
    seconds = time.monotonic() - start
    experiment = find_done(run) if not reason else None
    if experiment:
        records[run.name] = read_record(run, experiment)
        print(f"done in {seconds:.0f} s: val accuracy {records[run.name].numbers['val_accuracy']:.3f}", flush=True)
    else:
        # An exit status alone is not believed.
        failures[run.name] = reason or f"no experiment was made, see {LOGS / run.name}.log"
        print(f"failed after {seconds:.0f} s: {failures[run.name]}", flush=True)
