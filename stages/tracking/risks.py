"""What works now and may fail later, or lose something."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from stages.tracking.dvc_experiments import references
from stages.tracking.git import git

LEAST_GIGABYTES = 2  # the pipeline on the embedded drawings writes about 1
OLD_S = 60  # a git command on this repository takes less
CONFIG, LOCAL_CONFIG = Path(".dvc/config"), Path(".dvc/config.local")
DEFAULT_REMOTE = re.compile(r"^\s*remote\s*=", re.MULTILINE)


def find_risks() -> Iterator[str]:
    """Yield a sentence for each thing that works now and may fail later, or lose something."""
    free = shutil.disk_usage(Path()).free / 1e9
    if free < LEAST_GIGABYTES:
        yield f"disk: expected at least {LEAST_GIGABYTES} GB free here, got {free:.1f} GB."
    if not os.access(Path(), os.W_OK):
        yield f"{Path.cwd()}: expected a folder that may be written to, got one that is read-only for this user."
    if found := set("#?%") & set(str(Path.cwd())):
        yield (
            f"{Path.cwd()}: expected a path without #, ? and %, got {' '.join(sorted(found))}: `dvc exp run --temp` "
            "fails there."
        )
    if not Path(".git").exists():
        yield f"{Path.cwd()}: expected a Git repository, got none: there are no experiments without one."
        return
    yield from find_risks_of_git()
    yield from find_risks_of_experiments()


def find_risks_of_git() -> Iterator[str]:
    """Yield a sentence for each of Git's settings and leftovers with which experiments fail or differ."""
    settings = git("config", "--list", "--name-only").splitlines()
    for key in ("user.name", "user.email"):
        if key not in settings:
            yield f"git config {key}: expected a value, got none: commits and experiments need it."
    lock = Path(git("rev-parse", "--git-path", "index.lock"))
    if lock.is_file() and time.time() - lock.stat().st_mtime > OLD_S:
        yield f"{lock}: expected none, got one: if no git command and no editor of a commit is open, rm {lock}"


def find_risks_of_experiments() -> Iterator[str]:
    """Yield a sentence if there are experiments that DVC would push without their data.

    It takes the remote from the configuration that the experiment's commit has, or from the local one, which overrides
    it and is in no commit.
    """
    if not names_remote(CONFIG) or names_remote(LOCAL_CONFIG):
        return
    made = [(name, commit) for name, found in references().items() for commit in found.values()]
    if not made:
        return
    blobs = git("rev-parse", *(f"{commit}:{CONFIG}" for _, commit in made)).split()
    content = {blob: git("cat-file", "-p", blob) for blob in set(blobs)}
    without = [name for (name, _), blob in zip(made, blobs, strict=True) if not DEFAULT_REMOTE.search(content[blob])]
    if without:
        yield (
            f"{', '.join(without[:3])}{', and more' * (len(without) > 3)}: made before a DVC remote was the default: "
            "`dvc exp push` leaves out their data, unless `dvc remote add --local --default` names the remote too."
        )


def names_remote(config: Path) -> bool:
    """Return whether the file of DVC's configuration names a default remote."""
    return config.is_file() and DEFAULT_REMOTE.search(config.read_text(encoding="utf-8")) is not None
