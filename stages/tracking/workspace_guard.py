"""The workspace through a killed DVC: `dvc exp run` changes it for a second or two, even where it runs elsewhere.

While DVC takes down an experiment, HEAD is detached, uncommitted changes lie in a git stash, and params.yaml has the
experiment's values. A kill just then would leave it so.
"""

from pathlib import Path

from stages.core.files import read_json, write_json
from stages.tracking.dvc_experiments import LOGS, git

NOTE = LOGS / "guard.json"
KEPT = "found after a killed study"
TEMPORARY = Path(".dvc/tmp/exps/standalone")  # where DVC 3 makes the folders of `--temp`


def protect() -> None:
    """The state of the workspace is noted: its branch, its commit, its uncommitted changes."""
    write_json(
        {
            "branch": git("symbolic-ref", "--quiet", "HEAD"),
            "commit": git("rev-parse", "HEAD"),
            "changes": git("stash", "create"),
            "folders": sorted(folders()),
        },
        NOTE,
    )


def release() -> None:
    """The note is gone: DVC has ended and tidied up behind itself."""
    NOTE.unlink(missing_ok=True)


def recover() -> list[str]:
    """What was done about a DVC that was killed, in words; nothing where none was.

    HEAD detached at the noted commit, or noted changes missing from an otherwise clean workspace, are DVC's doing. What
    was changed since is left alone; where DVC's change and a person's cannot be told apart, `git stash` keeps it.
    """
    if not NOTE.is_file():
        return []
    note = read_json(NOTE)
    is_there = git("rev-parse", "--verify", "--quiet", note["branch"]) == note["commit"]
    is_detached = is_there and not git("symbolic-ref", "--quiet", "HEAD")
    told = []
    if git("rev-parse", "HEAD") == note["commit"]:
        is_clean = not git("status", "--porcelain", "--untracked-files=no")
        if is_detached:
            if not is_clean:
                git("stash", "push", "--quiet", "--message", KEPT)
                told.append(f"kept what lay uncommitted in the workspace: git stash list has it as {KEPT!r}.")
            git("symbolic-ref", "HEAD", note["branch"])
        if note["changes"] and (is_detached or is_clean):
            git("stash", "apply", "--quiet", note["changes"])
        if is_detached or (note["changes"] and is_clean):
            told.append("restored the workspace, which a killed DVC had left in the middle of a change.")
    left = sorted(folders() - set(note["folders"]))
    release()
    return [*told, *(f"a killed experiment's folder can go: rm -r {path}" for path in left)]


def folders() -> set[str]:
    """The folders in which experiments run, or ran when they were killed."""
    return {str(path) for path in TEMPORARY.glob("*") if path.is_dir()}
