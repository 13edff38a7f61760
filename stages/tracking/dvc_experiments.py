"""DVC experiments by name: the command that makes an experiment, whether it is done, and what it left."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ruamel.yaml import YAML

from stages.tracking.dvc_lock import Lock, is_current, parse_lock, upstream
from stages.tracking.git import NO_PROMPT, git, without_credentials, without_repository
from stages.tracking.run import Run, as_override, overrides, params_seen_by

LOGS = Path(".dvc/tmp/studies")
LOCK = Path("dvc.lock")
DATA = "split"  # the last stage that all networks share
REFERENCE = re.compile(r"refs/exps/[0-9a-f]{2}/[0-9a-f]{38}/(?P<name>[^/]+)")


@dataclass(frozen=True)
class Experiment:
    """A finished experiment: its commit, and what its dvc.lock records."""

    commit: str
    lock: Lock


def experiment_command(run: Run) -> list[str]:
    """Return the command that makes the experiment."""
    sets = [part for key, value in overrides(run) for part in ("-S", f"{key}={as_override(value)}")]
    return ["dvc", "exp", "run", "-n", run.name, *sets, run.target]


def execute(command: list[str], log: Path) -> str:
    """Run the command and return an empty text if it succeeds, otherwise the line that says why it failed.

    The command's output goes to the log. Ctrl-C interrupts the command, which then tidies up behind itself. If this
    process is killed, the command continues.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    # A shell's background jobs ignore Ctrl-C, and the processes that they start would ignore it too.
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    with log.open("w") as stream, subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, env=environment(), close_fds=False,
        start_new_session=True,
    ) as process:  # fmt: skip
        signal.signal(signal.SIGINT, former)
        try:
            status = process.wait()
        except KeyboardInterrupt:
            os.killpg(process.pid, signal.SIGINT)
            process.wait()
            raise
    if status == 0:
        return ""
    return without_credentials(failure_reason(log.read_text(errors="replace"))) or f"exit status {status}, see {log}"


def failure_reason(log: str) -> str:
    """Return the error line of the step that failed, which precedes DVC's own error line; without one, DVC's line."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    of_dvc = [i for i, text in enumerate(lines) if text.startswith("ERROR:")]
    if not of_dvc:
        return ""
    of_step = [text for text in lines[: of_dvc[0]] if ": expected " in text]
    return of_step[-1] if of_step else lines[of_dvc[0]].removeprefix("ERROR: ")


def missing_data() -> list[str]:
    """Return the command that makes the data which dvc.lock records and the cache lacks; empty if nothing is missing.

    A clone without a remote lacks the data. DVC 3.67 then fails in each experiment whose other data it takes from its
    run cache, because it looks for the folders that dvc.lock records.
    """
    lock = parse_lock(LOCK.read_text(encoding="utf-8")) if LOCK.is_file() else {}
    outs = [out for stage in upstream(lock, DATA) for out in lock[stage].get("outs", [])]
    is_there = all(is_cached(out["md5"]) for out in outs if Path(out["path"]).parts[0] == "data")
    return [] if is_there else ["dvc", "repro", DATA]


def find_done(run: Run) -> Experiment | None:
    """Return the newest experiment of the run's name that is current and has its data; None if there is none."""
    return next((experiment for experiment in find_current(run) if has_outputs(experiment.lock, run)), None)


def find_current(run: Run) -> Iterator[Experiment]:
    """Yield the experiments of the run's name that have its params, code and source, the newest first."""
    document = params_seen_by(run)
    for commit in references().get(run.name, {}).values():
        lock = read_lock(commit)
        if is_current(lock, run.target, document):
            yield Experiment(commit, lock)


def has_outputs(lock: Lock, run: Run) -> bool:
    """Return whether the cache still has the tables that the run's training and evaluation wrote."""
    outs = [out for stage in (f"train@{run.network}", run.target) for out in lock[stage].get("outs", [])]
    return all(is_cached(out["md5"]) for out in outs if out["path"].endswith(".csv"))


def forget(name: str, folder: Path) -> None:
    """Delete the experiments of this name in the folder's repository, because DVC refuses a name that is taken.

    Their data stays in the cache.
    """
    for reference in references(folder).get(name, {}):
        git("update-ref", "-d", reference, folder=folder)


def references(folder: Path = Path()) -> dict[str, dict[str, str]]:
    """Return by name each experiment's references and commits, the newest first, whichever commit it started from."""
    found: dict[str, dict[str, str]] = {}
    if not (folder / ".git").exists():
        return found
    listed = git(
        "for-each-ref", "--sort=-committerdate", "--format=%(objectname) %(refname)", "refs/exps", folder=folder
    )
    for row in listed.splitlines():
        commit, _, reference = row.partition(" ")
        match = REFERENCE.fullmatch(reference)
        if match:
            found.setdefault(match["name"], {})[reference] = commit
    return found


@cache
def read_lock(commit: str) -> Lock:
    """Return the stages of the commit's dvc.lock; an empty table if the commit has no dvc.lock."""
    return parse_lock(git("show", f"{commit}:{LOCK}") if git("ls-tree", commit, str(LOCK)) else "")


def read_output(experiment: Experiment, path: Path) -> str:
    """Return the text of a file that a stage of the experiment wrote, from DVC's cache."""
    import dvc.api  # takes a second

    text: str = dvc.api.read(path.as_posix(), rev=experiment.commit, encoding="utf-8")
    return text


def is_cached(md5: str) -> bool:
    """Return whether DVC's cache has the file or folder with this hash.

    DVC's own answer, `dvc data status --not-in-cache`, covers only the workspace and takes seconds.
    """
    return (cache_folder() / "files" / "md5" / md5[:2] / md5[2:]).is_file()


def is_added_here(added: str) -> bool:
    """Return whether DVC's cache has what the `.dvc` file names."""
    return all(is_cached(out["md5"]) for out in YAML(typ="safe").load(Path(added))["outs"])


@cache
def cache_folder() -> Path:
    """Return the folder of DVC's cache."""
    result = subprocess.run(["dvc", "cache", "dir"], capture_output=True, text=True, env=environment(), check=True)
    return Path(result.stdout.strip()).absolute()


def environment() -> dict[str, str]:
    """Return the environment in which DVC and its stages find the Python that runs this process."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return without_repository(os.environ) | NO_PROMPT | {"PATH": path}
