"""The workspace and how to restore it after a kill: `dvc exp run` changes it briefly, even if it runs elsewhere.

For a second or two, while DVC sets up an experiment, HEAD is detached, uncommitted changes lie in a git stash, and
params.yaml has the experiment's values. If DVC is killed at this time, the workspace stays changed.
"""

from pathlib import Path

from stages.core.files import read_json, write_json
from stages.tracking.dvc_experiments import LOGS, git

NOTE = LOGS / "guard.json"
KEPT = "found after a killed study"
TEMPORARY = Path(".dvc/tmp/exps/standalone")  # where DVC 3 makes the folders of `--temp`


def protect() -> None:
    """Note the state of the workspace: its branch, its commit, its uncommitted changes, and DVC's folders."""
    write_json(
        {
            "branch": git("symbolic-ref", "--quiet", "HEAD"),
            "commit": git("rev-parse", "HEAD"),
            "changes": git("stash", "create"),
            "folders": sorted(experiment_folders()),
        },
        NOTE,
    )


def release() -> None:
    """Delete the note, once DVC has ended and tidied up behind itself."""
    NOTE.unlink(missing_ok=True)


def recover() -> list[str]:
    """Restore a workspace that a killed DVC has left changed, and return sentences about what was done.

    DVC's traces are a HEAD detached at the noted commit, and noted changes that an otherwise clean workspace lacks.
    Changes that a person has made since are left alone. `git stash` keeps changes that may be DVC's or a person's.
    """
    if not NOTE.is_file():
        return []
    note = read_json(NOTE)
    is_there = git("rev-parse", "--verify", "--quiet", note["branch"]) == note["commit"]
    is_detached = is_there and not git("symbolic-ref", "--quiet", "HEAD")
    messages = []
    if git("rev-parse", "HEAD") == note["commit"]:
        is_clean = not git("status", "--porcelain", "--untracked-files=no")
        if is_detached:
            if not is_clean:
                git("stash", "push", "--quiet", "--message", KEPT)
                messages.append(f"kept the workspace's uncommitted changes: git stash list has them as {KEPT!r}.")
            git("symbolic-ref", "HEAD", note["branch"])
        if note["changes"] and (is_detached or is_clean):
            git("stash", "apply", "--quiet", note["changes"])
        if is_detached or (note["changes"] and is_clean):
            messages.append("restored the workspace, which a killed DVC had left in the middle of a change.")
    left = sorted(experiment_folders() - set(note["folders"]))
    release()
    return [*messages, *(f"a killed experiment's folder can go: rm -r {path}" for path in left)]


def experiment_folders() -> set[str]:
    """Return the folders in which experiments run, or ran when they were killed."""
    return {str(path) for path in TEMPORARY.glob("*") if path.is_dir()}
