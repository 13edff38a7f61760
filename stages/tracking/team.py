"""A team's remotes: each experiment goes there with its data as it is made, and those of others are taken up."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stages.tracking.dvc_experiments import LOGS, REFERENCE, execute
from stages.tracking.git import git, without_credentials


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
    remotes = git("remote").splitlines()
    if git_name not in remotes:
        raise ValueError(
            f"--push {git_name}: expected one of Git's remotes ({', '.join(remotes) or 'there are none'}), got "
            f"another: `git remote add {git_name} <address>` names one."
        )
    url = git("remote", "get-url", git_name)
    if Path(url).is_dir():
        url = str(Path(url).resolve())
    git("ls-remote", "--quiet", url, "HEAD")
    return Team(git_name, url, *default_store())


def default_store() -> tuple[str, str]:
    """Return name and address of DVC's default remote.

    Raises:
        ValueError: There is none, or the configuration cannot be read.
    """
    from dvc.config import Config, ConfigError  # takes a second

    try:
        settings = Config.from_cwd()
    except ConfigError as error:
        raise ValueError(f".dvc/config: expected what DVC can read, got: {error}") from error
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
            raise ValueError(without_credentials(f"{shlex.join(command)}: expected success, got: {reason}"))


def listed(team: Team, names: Iterable[str]) -> list[str]:
    """Return the references of the experiments of these names that the team has.

    Raises:
        ValueError: Git's remote does not answer.
    """
    wanted = {*names}
    lines = git("ls-remote", "--quiet", team.git_url, "refs/exps/*").splitlines()
    matches = [REFERENCE.fullmatch(line.split("\t")[1]) for line in lines]
    return [match[0] for match in matches if match and match["name"] in wanted]


def fetch(team: Team, found: list[str], log: Path, *, with_data: bool) -> str:
    """Get experiments by their references, over those that are here; return why it failed, else an empty text.

    DVC does not fail where the remote lacks some of the data.
    """
    how = ["--force"] if with_data else ["--force", "--no-cache"]
    return execute(["dvc", "exp", "pull", *how, team.git_name, *found], log) if found else ""


def push(team: Team, found: list[str], log: Path) -> str:
    """Push experiments, by their references, with their data; return why it failed, else an empty text."""
    return execute(["dvc", "exp", "push", "--force", team.git_name, *found], log) if found else ""
