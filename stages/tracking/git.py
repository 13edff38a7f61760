"""Git commands whose failure is an error, never an empty answer."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

# Of `git rev-parse --local-env-vars` those that name files.
NAMING_A_REPOSITORY = frozenset({
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE", "GIT_CONFIG",
})  # fmt: skip
NO_PROMPT = {"GIT_TERMINAL_PROMPT": "0"}  # nobody would see it
CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")


def git(*arguments: str, folder: Path = Path(), index: Path | None = None) -> str:
    """Return what the git command prints.

    Args:
        arguments: The command, without `git`.
        folder: The repository. No other is used if there is none, not even one whose folder holds this one.
        index: The index to use in place of the repository's own, which stays as it is, locked or not.

    Raises:
        ValueError: The command failed.
    """
    environment = (
        without_repository(os.environ) | {"GIT_CEILING_DIRECTORIES": str(folder.absolute().parent)} | NO_PROMPT
    )
    if index:
        environment["GIT_INDEX_FILE"] = str(index.absolute())
    result = subprocess.run(
        ["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode:
        message = f"git {' '.join(arguments)}: expected success in {folder.absolute()}, got: {last_line(result.stderr)}"
        raise ValueError(without_credentials(message))
    return result.stdout.strip("\n")


def without_repository(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without what names a repository to Git, as in hooks, whatever folder it runs in."""
    return {name: value for name, value in environment.items() if name not in NAMING_A_REPOSITORY}


def without_credentials(text: str) -> str:
    """Return the text without the names and keys that stand in addresses before their hosts."""
    return CREDENTIALS.sub("***@", text)


def last_line(text: str) -> str:
    """Return the last line with content, or "no message"."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no message")
