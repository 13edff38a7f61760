"""The runs of a study, one after the other: what is done is left alone, what fails does not stop the others."""

import fcntl
import os
import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from stages.core import guard
from stages.core.claims import Value
from stages.core.experiments import LOGS, execute, find_done, forget, line, missing_data
from stages.core.plans import Cell, Plan, document_choices, make_plan
from stages.core.records import Record, read_record
from stages.core.runs import Run
from stages.core.scales import Scale
from stages.core.studies import Study


@contextmanager
def locked() -> Iterator[None]:
    """No other study runs meanwhile, nor does an experiment that a killed one left: DVC inherits the lock.

    What a killed DVC left behind is put right first. SIGTERM ends the block as Ctrl-C does.

    Raises:
        ValueError: one does.
    """
    LOGS.mkdir(parents=True, exist_ok=True)
    lock = LOGS / "lock"
    with lock.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(
                f"{lock}: expected no other study running, got one, or the experiment that a killed one has left."
            ) from error
        os.set_inheritable(stream.fileno(), True)
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


def adopt(plan: Plan, records: dict[str, Record]) -> list[str]:
    """The runs of the plan that were found to be done; their records are among the records."""
    found = []
    for run in plan.runs.values():
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


def choose(
    study: Study, scale: Scale, name: str, records: dict[str, Record], settled: set[str]
) -> dict[tuple[str, str], Value]:
    """What each sweep goes on with: the document's values, or those best on validation, of sweeps that are settled.

    A sweep is settled when all its runs are, done or failed. The best has the highest mean accuracy over its seeds; of
    equals the first.
    """
    if scale.carry == "document":
        return document_choices(study)
    choices: dict[tuple[str, str], Value] = {}
    for network, content in study.networks.items():
        for key, sweep in content.sweeps.items():
            cells = make_plan(name, study, scale, choices).only(key, network).cells
            scores = [mean_accuracy(cells, value, records) for value in sweep.values]
            if max(scores) < 0 or not {cell.run for cell in cells} <= settled:
                break
            choices[network, key] = sweep.values[scores.index(max(scores))]
    return choices


def mean_accuracy(cells: list[Cell], value: Value, records: dict[str, Record]) -> float:
    """The value's mean validation accuracy over its finished seeds; -1 without any."""
    done = [records[cell.run] for cell in cells if cell.value == value and cell.run in records]
    found = [float(record.numbers["val_accuracy"]) for record in done]
    return sum(found) / len(found) if found else -1
