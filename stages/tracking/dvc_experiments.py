"""DVC experiments by name: the command that makes one, whether it is done, and what it left."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from stages.tracking.dvc_lock import Lock, is_current, outputs, parse_lock, upstream
from stages.tracking.run import Run, apply, as_override, overrides

LOGS = Path(".dvc/tmp/studies")
LOCK = Path("dvc.lock")
DATA = "split"  # the last stage that all networks share
REFERENCE = re.compile(r"refs/exps/[0-9a-f]{2}/[0-9a-f]{38}/(?P<name>[^/]+)")


@dataclass(frozen=True)
class Experiment:
    """A finished experiment: its commit, and what its dvc.lock records."""

    commit: str
    lock: Lock


def line(run: Run) -> list[str]:
    """The command that makes the experiment, in a folder of its own, so that the workspace stays as it is."""
    sets = [part for key, value in overrides(run) for part in ("-S", f"{key}={as_override(value)}")]
    return ["dvc", "exp", "run", "--temp", "-n", run.name, *sets, *copied(run), run.target]


def copied(run: Run) -> list[str]:
    """The option that takes a source along which neither git nor DVC knows; none where one of them does."""
    source = str(run.changes["collect.source"])
    if Path(source).is_absolute() or git("ls-files", "--", source, f"{source}.dvc"):
        return []
    return ["--copy-paths", source]


def execute(command: list[str], name: str) -> str:
    """An empty text where the command ends well, otherwise the line that says why it did not.

    What it prints goes to a log of this name. Ctrl-C interrupts it, and it tidies up behind itself; where this process
    is killed, it goes on.
    """
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{name}.log"
    # A shell's background jobs ignore Ctrl-C, and what they start would too.
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    with log.open("w") as stream, subprocess.Popen(
        command, stdout=stream, stderr=subprocess.STDOUT, env=environment(), close_fds=False, start_new_session=True
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
    return reason(log.read_text(errors="replace")) or f"exit status {status}, see {log}"


def reason(log: str) -> str:
    """The line of the step that failed, which stands before DVC's own; else DVC's."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    of_dvc = [i for i, each in enumerate(lines) if each.startswith("ERROR:")]
    if not of_dvc:
        return ""
    said = [each for each in lines[: of_dvc[0]] if ": expected " in each]
    return said[-1] if said else lines[of_dvc[0]].removeprefix("ERROR: ")


def missing_data() -> list[str]:
    """The command that makes what the workspace's dvc.lock tells of data and the cache lacks; empty where it has all.

    A clone without a remote lacks it. DVC 3.67 then ends with an error in each experiment whose other data it has from
    its run cache, because it looks for the folders that stood there before.
    """
    lock = parse_lock(LOCK.read_text(encoding="utf-8")) if LOCK.is_file() else {}
    made = [each for stage in upstream(lock, DATA) for each in lock[stage].get("outs", [])]
    is_there = all(in_cache(each["md5"]).is_file() for each in made if Path(each["path"]).parts[0] == "data")
    return [] if is_there else ["dvc", "repro", DATA]


def find_done(run: Run) -> Experiment | None:
    """The newest experiment of the run's name that was made with its params, code and source; None without."""
    document = apply(run)
    for commit in references().get(run.name, {}).values():
        lock = read_lock(commit)
        if is_current(lock, run.target, document) and has_outputs(lock, run):
            return Experiment(commit, lock)
    return None


def has_outputs(lock: Lock, run: Run) -> bool:
    """Whether the cache still has what the run's training and evaluation wrote."""
    paths = [path for stage in (f"train@{run.network}", run.target) for path in outputs(lock[stage])]
    return all(cached(lock, path).is_file() for path in paths if path.suffix == ".csv")


def forget(name: str) -> None:
    """No experiment has the name: DVC makes none under a name that is taken. What it made stays in the cache."""
    for reference in references().get(name, {}):
        git("update-ref", "-d", reference)


def references() -> dict[str, dict[str, str]]:
    """By name each experiment's reference and commit, the newest first, whichever commit they started from."""
    found: dict[str, dict[str, str]] = {}
    listed = git("for-each-ref", "--sort=-committerdate", "--format=%(objectname) %(refname)", "refs/exps")
    for row in listed.splitlines():
        commit, _, reference = row.partition(" ")
        match = REFERENCE.fullmatch(reference)
        if match:
            found.setdefault(match["name"], {})[reference] = commit
    return found


@cache
def read_lock(commit: str) -> Lock:
    """The stages of the commit's dvc.lock; none where it has none."""
    return parse_lock(git("show", f"{commit}:{LOCK}"))


def cached(lock: Lock, path: Path) -> Path:
    """Where DVC's cache has what a stage wrote at the path."""
    written = [each for stage in lock.values() for each in stage.get("outs", [])]
    md5: str = next(each["md5"] for each in written if Path(each["path"]) == path)
    return in_cache(md5)


def in_cache(md5: str) -> Path:
    """Where DVC's cache has the file or folder with this hash, if it has it."""
    return cache_folder() / "files" / "md5" / md5[:2] / md5[2:]


@cache
def cache_folder() -> Path:
    """DVC's cache."""
    result = subprocess.run(["dvc", "cache", "dir"], capture_output=True, text=True, env=environment(), check=True)
    return Path(result.stdout.strip())


def environment() -> dict[str, str]:
    """The environment in which DVC and its stages find the Python that runs this."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def git(*arguments: str) -> str:
    """What git prints; nothing where it fails."""
    result = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return result.stdout.strip("\n") if result.returncode == 0 else ""
