"""A team's remotes: each experiment goes there with its data as it is made, and those of others are taken up."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stages.tracking.dvc_experiments import LOGS, REFERENCE, execute, references
from stages.tracking.git import git


@dataclass(frozen=True)
class Team:
    """The remotes: Git's by name and address, and DVC's default one likewise. Addresses that are paths are absolute."""

    git_name: str
    git_url: str
    store: str
    store_url: str


def find_team(git_name: str) -> Team:
    """Return the remotes that the repository in the working folder knows.

    Raises:
        ValueError: Git has no remote of this name, it does not answer, or DVC has no default remote.
    """
    url = git("remote", "get-url", git_name)
    if Path(url).is_dir():
        url = str(Path(url).resolve())
    git("ls-remote", "--quiet", url, "HEAD")
    return Team(git_name, url, *default_store())


def default_store() -> tuple[str, str]:
    """Return name and address of DVC's default remote.

    Raises:
        ValueError: There is none.
    """
    from dvc.config import Config  # takes a second

    settings = Config.from_cwd()
    name = settings["core"].get("remote")
    if not name or name not in settings["remote"]:
        raise ValueError(
            "dvc remote: expected a default one, which gets the data of experiments, got none. "
            "`dvc remote add --default <name> <address>` names one."
        )
    return name, settings["remote"][name]["url"]


def connect(team: Team, folder: Path) -> None:
    """Let Git and DVC in a clone of the repository know the remotes by the same names.

    Raises:
        ValueError: Git or DVC fails.
    """
    git("remote", "set-url", team.git_name, team.git_url, folder=folder)
    # The remote of DVC's local configuration is also that of experiments from before it was named.
    for key, value in ((f"remote.{team.store}.url", team.store_url), ("core.remote", team.store)):
        command = ["dvc", "--cd", str(folder), "config", "--local", key, value]
        if reason := execute(command, LOGS / "remotes.log"):
            raise ValueError(f"{shlex.join(command)}: expected success, got: {reason}")


def take_up(team: Team, names: Iterable[str], log: Path) -> str:
    """Get the experiments of these names that the team has and the working folder's repository has not.

    Returns:
        Why some are not here with their data, in a line; an empty text if all are, or if there are none.
    """
    here = {reference for found in references().values() for reference in found}
    wanted = {*names}
    listed = [line.split("\t")[1] for line in git("ls-remote", "--quiet", team.git_url, "refs/exps/*").splitlines()]
    matches = [(name, REFERENCE.fullmatch(name)) for name in listed if name not in here]
    found = [name for name, match in matches if match and match["name"] in wanted]
    return execute(["dvc", "exp", "pull", team.git_name, *found], log) if found else ""


def push(team: Team, names: Iterable[str], log: Path) -> str:
    """Push the experiments of the working folder's repository with their data, over older ones of the same names.

    Returns:
        Why it failed, in a line; an empty text if it did not.
    """
    found = [reference for name in names for reference in references().get(name, {})]
    return execute(["dvc", "exp", "push", "--force", team.git_name, *found], log) if found else ""
