"""The clone in which the experiments of a study or search run, so that nobody's workspace is touched.

While DVC sets up an experiment, with `--temp` too, HEAD is detached and uncommitted changes lie in a stash for a second
or two: what a person saves, commits or runs at that time fails or is lost. In a clone of its own this harms nobody, and
all runs of a study have the same code, params and images, whatever a person edits meanwhile. The clone reads Git's
objects and DVC's cache from the repository, and the repository takes each experiment that is made.
"""

import os
import re
import shlex
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stages.core.files import read_json, write_json
from stages.tracking.dvc_experiments import LOCK, LOGS, cache_folder, execute, references
from stages.tracking.git import git

CLONE = LOGS / "clone"
KNOWN = Path(".git/known_experiments.json")  # in the clone: those that the repository had
SETTLED_S = 2  # DVC writes dvc.lock in place, for half a second
LOCAL_CONFIG = Path(".dvc/config.local")


@dataclass(frozen=True)
class Clone:
    """A clone: its folder, the repository's, the commit and the tree of tracked files, and the sources it copied."""

    folder: Path
    repository: Path
    commit: str
    tree: str
    sources: list[str]


@contextmanager
def inside_clone(sources: Iterable[str]) -> Iterator[Clone]:
    """Work in a clone of the workspace as it is now, with a copy of each source; delete the clone in the end.

    Experiments that are left in the clone of a killed study move to the repository first.

    Raises:
        ValueError: Git or DVC fails.
    """
    workspace = Path.cwd()
    discard()
    try:
        paths = dict.fromkeys(map(os.path.normpath, sources))
        clone = make_clone([path for path in paths if not is_known(path)])
        os.chdir(clone.folder)
        restore(clone)
        yield clone
    finally:
        os.chdir(workspace)
        discard()


def make_clone(sources: list[str]) -> Clone:
    """Make the clone: Git's and DVC's settings of the repository, its objects, its experiments, and the sources.

    Raises:
        ValueError: Git or DVC fails.
    """
    commit, tree = git("rev-parse", "HEAD"), save_tracked_files()
    git("init", "--quiet", str(CLONE))
    objects = Path(git("rev-parse", "--git-path", "objects")).absolute()
    (CLONE / ".git" / "objects" / "info" / "alternates").write_text(f"{objects}\n", encoding="utf-8")
    for name in ("config", "shallow"):
        path = Path(git("rev-parse", "--git-path", name))
        if path.is_file():
            shutil.copy(path, CLONE / ".git" / name)
    own = {"core.bare": "false", "core.worktree": str(CLONE.absolute()), "core.hooksPath": os.devnull}
    for key, value in (own | {"extensions.worktreeConfig": "false"}).items():
        git("config", key, value, folder=CLONE)
    known = experiment_references(Path())
    write_json(known, CLONE / KNOWN)
    for reference, experiment in known.items():
        git("update-ref", reference, experiment, folder=CLONE)
    (CLONE / LOCAL_CONFIG).parent.mkdir()
    if LOCAL_CONFIG.is_file():
        shutil.copy(LOCAL_CONFIG, CLONE / LOCAL_CONFIG)
    command = ["dvc", "--cd", str(CLONE), "config", "--local", "cache.dir", str(cache_folder())]
    if reason := execute(command, LOGS / "clone.log"):
        raise ValueError(f"{shlex.join(command)}: expected success, got: {reason}")
    for source in filter(os.path.exists, sources):
        copy(Path(source), CLONE / source)
    return Clone(CLONE.absolute(), Path.cwd(), commit, tree, sources)


def save_tracked_files() -> str:
    """Return the Git tree of all tracked files as they are now; index, stashes and branches stay as they are."""
    index = LOGS / "index"
    index.with_name("index.lock").unlink(missing_ok=True)  # which a crash may leave
    while True:
        before = changed_at(LOCK)
        if 0 <= time.time() - before < SETTLED_S:
            time.sleep(SETTLED_S / 10)
            continue
        shutil.copy2(git("rev-parse", "--git-path", "index"), index)  # with its time, by which Git knows what changed
        git("add", "--update", index=index)
        tree = git("write-tree", index=index)
        if changed_at(LOCK) == before:
            return tree


def changed_at(path: Path) -> float:
    """Return when the file was changed, in seconds since 1970; 0 if there is none."""
    return path.stat().st_mtime if path.is_file() else 0


def is_known(source: str) -> bool:
    """Return whether no copy is needed or possible: Git or DVC tracks the source, or it lies outside the repository."""
    is_outside = Path(source).is_absolute() or Path(source).parts[:1] == ("..",)
    return is_outside or bool(git("ls-files", "--", source, f"{source}.dvc"))


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)


def restore(clone: Clone) -> None:
    """Give the clone's tracked files the content that they had at first, after an experiment has changed them."""
    kept = [part for source in clone.sources for part in ("--exclude", f"/{as_pattern(source)}")]
    git("checkout", "--quiet", "--force", "--detach", clone.commit, folder=clone.folder)
    git("clean", "--quiet", "--force", "-d", *kept, folder=clone.folder)
    git("read-tree", "--reset", "-u", clone.tree, folder=clone.folder)


def as_pattern(path: str) -> str:
    """Return the pattern of a .gitignore that means this path."""
    return re.sub(r"([\\*?\[\]])", r"\\\1", path)


def hand_over(folder: Path, repository: Path) -> None:
    """Give the repository the experiments that were made in the clone in a folder, and not those that it had before.

    Raises:
        ValueError: Git fails.
    """
    known = read_json(folder / KNOWN)
    made = [name for name, commit in experiment_references(folder).items() if known.get(name) != commit]
    if made:
        pairs = [f"+{reference}:{reference}" for reference in made]
        quietly = ("-c", "gc.auto=0", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head")
        git(*quietly, str(folder.absolute()), *pairs, folder=repository)


def experiment_references(folder: Path) -> dict[str, str]:
    """Return the references of the experiments in the repository of a folder, and the commit of each."""
    return {reference: commit for named in references(folder).values() for reference, commit in named.items()}


def discard() -> None:
    """Delete the clone, if there is one, after its experiments have gone to the repository; else keep it aside."""
    if (CLONE / KNOWN).is_file():  # else a kill has left it in part, and no experiment was made in it
        try:
            hand_over(CLONE, Path())
        except (ValueError, OSError) as error:
            aside = CLONE.with_name(f"clone-{time.strftime('%Y-%m-%dT%H-%M-%S')}")
            CLONE.rename(aside)
            print(f"{CLONE}: expected to take its experiments, got: {error} It is {aside} now.", flush=True)
    shutil.rmtree(CLONE, ignore_errors=True)
