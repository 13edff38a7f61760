"""What a machine of a cluster does for one run: clone, pull, make the experiment, push it, report.

A worker has the project's packages and not its code, which it gets from Git: this module goes there by value, and so
does the one module of the project that it imports.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from filelock import FileLock, Timeout

from stages.tracking.git import NO_PROMPT, without_credentials, without_repository

TORN = (".git/index.lock", ".dvc/tmp/rwlock", ".dvc/tmp/rwlock.lock")  # what a kill may leave
SET_BY_RAY = "OMP_NUM_THREADS"
PAUSES_S = (5, 30, 120)  # before a push that failed is tried again: hours of work hang on it


@dataclass(frozen=True)
class Task:
    """A run: where the code and the data are, the stages whose results and the `.dvc` files whose data it needs, whose
    run it is (name and address of e-mail, as Git has them), and the command that makes it.
    """

    git_url: str
    commit: str
    store: str
    store_url: str
    stages: list[str]
    added: list[str]
    author: tuple[str, str]
    name: str
    command: list[str]


@dataclass(frozen=True)
class Report:
    """What became of a task: the host, the seconds of all and of the run alone, and what the commands printed.

    `failed` is the command that failed, or why none could be run; empty if all went well.
    """

    host: str
    seconds: float
    run_seconds: float
    failed: str
    log: str


class Commands:
    """The commands of a task in its clone, and what they print."""

    def __init__(self, folder: Path, author: tuple[str, str]) -> None:
        self.folder, self.log = folder, ""
        identity = {
            f"GIT_{role}_{part}": text
            for role in ("AUTHOR", "COMMITTER")
            for part, text in zip(("NAME", "EMAIL"), author, strict=True)
        }
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        ceiling = {"GIT_CEILING_DIRECTORIES": str(folder.parent)}  # a torn clone is not the repository around it
        self.environment = without_repository(os.environ) | NO_PROMPT | ceiling | identity | {"PATH": path}
        self.environment.pop(SET_BY_RAY, None)

    def run(self, *command: str, given: str = "") -> str:
        """Run the command, which reads what is given, and return what it printed.

        Its processes hold the locks that this process holds.

        Raises:
            subprocess.CalledProcessError: It fails.
        """
        self.log += f"$ {' '.join(command)}\n"
        result = subprocess.run(
            command, cwd=self.folder, env=self.environment, text=True, errors="replace", check=False, close_fds=False,
            input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.log += result.stdout
        result.check_returncode()
        return result.stdout

    def succeeds(self, *command: str) -> bool:
        """Run the command and return whether it succeeds."""
        try:
            self.run(*command)
        except subprocess.CalledProcessError:
            return False
        return True


def work(task: Task) -> Report:
    """Make and push the experiment in a clone that stays for the next task."""
    start, run_seconds, failed, log = time.monotonic(), 0.0, "", ""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dvc-image-classification" / "workers"
    try:
        with free_folder(home) as folder:
            commands = Commands(folder, task.author)
            try:
                run_seconds = carry_out(task, commands, home / "cache")
            finally:
                log = commands.log
    except subprocess.CalledProcessError as error:
        failed = " ".join(error.cmd)
    except OSError as error:
        failed = str(error)
    failed, log = without_credentials(failed), without_credentials(log)
    return Report(socket.gethostname(), time.monotonic() - start, run_seconds, failed, log)


def carry_out(task: Task, commands: Commands, cache: Path) -> float:
    """Make the experiment and push it, and return the seconds that making it took.

    Raises:
        FileNotFoundError: The machine lacks the project's packages.
        subprocess.CalledProcessError: A command fails.
    """
    if not shutil.which("dvc", path=commands.environment["PATH"]):
        raise FileNotFoundError(f"expected the packages of requirements.txt in {sys.prefix}, got no dvc")
    prepare(task, commands, cache)
    begin = time.monotonic()
    commands.run(*task.command)
    seconds = time.monotonic() - begin
    push = ("dvc", "exp", "push", "--force", "origin", task.name)
    for pause_s in PAUSES_S:
        if commands.succeeds(*push):
            return seconds
        time.sleep(pause_s)
    commands.run(*push)
    return seconds


@contextmanager
def free_folder(home: Path) -> Iterator[Path]:
    """Hold one of the folders for clones that no other task, and no command that a killed one left, uses."""
    home.mkdir(parents=True, exist_ok=True)
    for number in count():
        lock = FileLock(
            home / f"{number}.lock", timeout=0, on_acquired=lambda descriptor: os.set_inheritable(descriptor, True)
        )
        try:
            lock.acquire()
        except Timeout:
            continue
        try:
            folder = home / str(number)
            folder.mkdir(exist_ok=True)
            yield folder
        finally:
            lock.release()
        return


def prepare(task: Task, commands: Commands, cache: Path) -> None:
    """Bring the clone to the task's commit, with the data it needs, and without what earlier tasks left.

    Raises:
        subprocess.CalledProcessError: Git or DVC fails.
    """
    folder = commands.folder
    for name in TORN:
        (folder / name).unlink(missing_ok=True)
    if not (folder / ".git").is_dir() or not commands.succeeds("git", "remote", "set-url", "origin", task.git_url):
        for entry in folder.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        commands.run("git", "clone", "--quiet", "--no-checkout", task.git_url, ".")
    if not commands.succeeds("git", "cat-file", "-e", task.commit):
        commands.run("git", "fetch", "--quiet", "origin")
    commands.run("git", "checkout", "--quiet", "--force", "--detach", task.commit)
    commands.run("git", "clean", "-ffdq")
    former = commands.run("git", "for-each-ref", "--format=delete %(refname)", "refs/exps")
    commands.run("git", "update-ref", "--no-deref", "--stdin", given=former)
    needed = [*task.stages, *task.added]
    ready, state = folder / ".git" / "ready_for", f"{task.commit} {task.store} {task.store_url} {needed}"
    if ready.is_file() and ready.read_text(encoding="utf-8") == state:
        return
    settings = {"cache.dir": str(cache), f"remote.{task.store}.url": task.store_url, "core.remote": task.store}
    for key, value in settings.items():
        commands.run("dvc", "config", "--local", key, value)
    if not commands.succeeds("dvc", "pull", *needed):
        commands.run("dvc", "repro", *task.stages)
    ready.write_text(state, encoding="utf-8")
