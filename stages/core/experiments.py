"""DVC experiments by name: the command that makes one, whether it is done, and what it left."""

import hashlib
import os
import re
import shlex
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stages.core.params import PARAMS
from stages.core.plans import Run, apply, as_override, overrides
from stages.core.studies import lookup

LOGS = Path(".dvc/tmp/studies")
REFERENCE = re.compile(r"refs/exps/[0-9a-f]{2}/[0-9a-f]{38}/(?P<name>[^/]+)")
Lock = dict[str, Any]  # the stages of a dvc.lock


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
    if Path(source).is_absolute() or Path(f"{source}.dvc").is_file() or git("ls-files", "--", source):
        return []
    return ["--copy-paths", source]


def execute(run: Run, command: list[str]) -> str:
    """An empty text where the experiment is made, otherwise the line that says why it is not.

    What the command prints goes to a log. The experiment is looked for: an exit status alone is not believed. Ctrl-C
    interrupts the command, which then tidies up behind itself; where this process is killed, the command goes on.
    """
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{run.name}.log"
    with log.open("w") as stream, subprocess.Popen(
        command, stdout=stream, stderr=subprocess.STDOUT, env=environment(), close_fds=False, start_new_session=True
    ) as process:  # fmt: skip
        try:
            status = process.wait()
        except KeyboardInterrupt:
            os.killpg(process.pid, signal.SIGINT)
            process.wait()
            raise
    if status == 0 and find_done(run):
        return ""
    return reason(log.read_text(errors="replace")) or f"exit status {status} of {shlex.join(command)}, see {log}"


def reason(log: str) -> str:
    """The line of the step that failed, which stands before DVC's own; else DVC's."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    of_dvc = [i for i, each in enumerate(lines) if each.startswith("ERROR:")]
    if not of_dvc:
        return ""
    said = [each for each in lines[: of_dvc[0]] if ": expected " in each]
    return said[-1] if said else lines[of_dvc[0]].removeprefix("ERROR: ")


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
    text = git("show", f"{commit}:dvc.lock")
    return (YAML(typ="safe").load(text) or {}).get("stages", {}) if text else {}


def is_current(lock: Lock, target: str, document: dict[str, Any]) -> bool:
    """Whether running the target again with these params would change nothing that the lock records."""
    stages = upstream(lock, target)
    return bool(stages) and all(
        has_params(lock[stage], document) and has_files(lock[stage], made_by(lock, stages)) for stage in stages
    )


def upstream(lock: Lock, target: str) -> list[str]:
    """The target and all stages that it depends on, as far as the lock knows them; none where it lacks the target."""
    found, waiting = [], [target] if target in lock else []
    while waiting:
        stage = waiting.pop()
        found.append(stage)
        needed = [Path(each["path"]) for each in lock[stage].get("deps", [])]
        makers = [name for name in lock if any(overlap(out, path) for out in outputs(lock[name]) for path in needed)]
        waiting += [name for name in makers if name not in (*found, *waiting)]
    return found


def outputs(stage: dict[str, Any]) -> list[Path]:
    """The paths that a stage wrote."""
    return [Path(each["path"]) for each in stage.get("outs", [])]


def made_by(lock: Lock, stages: list[str]) -> list[Path]:
    """All paths that the stages wrote."""
    return [path for stage in stages for path in outputs(lock[stage])]


def overlap(one: Path, other: Path) -> bool:
    """Whether one path is the other or lies in it."""
    return one == other or one in other.parents or other in one.parents


def has_params(stage: dict[str, Any], document: dict[str, Any]) -> bool:
    """Whether the stage ran with these params."""
    recorded: dict[str, Any] = stage.get("params", {}).get(str(PARAMS), {})
    return all(lookup(document, key) == value for key, value in recorded.items())


def has_files(stage: dict[str, Any], made: list[Path]) -> bool:
    """Whether the stage's code and source, all that no stage makes, are as they are here.

    Of a folder's files number and bytes are compared, not what is in them.
    """
    given = [each for each in stage.get("deps", []) if not any(overlap(Path(each["path"]), path) for path in made)]
    return all(is_same(Path(each["path"]), each) for each in given)


def is_same(path: Path, recorded: dict[str, Any]) -> bool:
    """Whether the file or folder is the recorded one."""
    if path.is_dir():
        files = [each for each in path.rglob("*") if each.is_file() and "__pycache__" not in each.parts]
        return (len(files), sum(each.stat().st_size for each in files)) == (recorded["nfiles"], recorded["size"])
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return bool(hashlib.file_digest(stream, "md5").hexdigest() == recorded["md5"])


def cached(lock: Lock, path: Path) -> Path:
    """Where DVC's cache has what a stage wrote at the path."""
    written = [each for stage in lock.values() for each in stage.get("outs", [])]
    md5: str = next(each["md5"] for each in written if Path(each["path"]) == path)
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
