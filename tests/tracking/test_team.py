"""A team's remotes: what is asked of them before anything runs, what is taken up, and what is pushed."""

import subprocess
from pathlib import Path

import pytest

from stages.tracking import team
from stages.tracking.team import Team, connect, fetch, find_team, listed, push
from tests.repositories import shell

CONFIG = """
['remote "other"']
    url = /mnt/other
['remote "store"']
    url = ../../a store
"""


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository whose Git remote is named by a relative path and has two experiments."""
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.chdir(folder)
    Path(".dvc").mkdir()
    Path(".dvc/config").write_text(f"[core]\n    remote = store\n{CONFIG}")
    shell(tmp_path, "git", "init", "--quiet", "--bare", "bare")
    shell(folder, "git", "init", "--quiet")
    shell(folder, "git", "remote", "add", "origin", "../bare")
    shell(folder, "git", "-c", "user.name=a", "-c", "user.email=b", "commit", "--quiet", "--allow-empty", "-m", "first")
    for name in ("mine", "theirs", "not-asked-for"):
        shell(folder, "git", "update-ref", reference(name), "HEAD")
    shell(folder, "git", "push", "--quiet", "origin", "refs/exps/*:refs/exps/*")
    for name in ("theirs", "not-asked-for"):
        shell(folder, "git", "update-ref", "-d", reference(name))
    return folder


@pytest.fixture
def commands(monkeypatch):
    """The commands that are run, of which none is, and the reason with which they fail."""
    ran = []
    monkeypatch.setattr(team, "execute", lambda command, log: ran.append(command) or "")
    return ran


def reference(name):
    return f"refs/exps/aa/{'b' * 38}/{name}"


def test_addresses_that_are_paths_are_absolute(repository, tmp_path):
    assert find_team("origin") == Team("origin", str(tmp_path / "bare"), "store", str(tmp_path / "a store"))


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (
            ["git", "remote", "remove", "origin"],
            r"--push origin: expected one of Git's remotes \(there are none\), got another: `git remote add origin",
        ),
        (["git", "remote", "set-url", "origin", "../none"], "git ls-remote --quiet ../none HEAD: expected success"),
    ],
)
def test_a_git_remote_that_is_not_there_is_one_line(repository, break_it, said):
    subprocess.run(break_it, check=True)
    with pytest.raises(ValueError, match=said):
        find_team("origin")


@pytest.mark.parametrize("config", ["", CONFIG, "[core]\n    remote = store\n"])
def test_without_a_default_dvc_remote_data_would_go_nowhere(repository, config):
    Path(".dvc/config").write_text(config)
    with pytest.raises(ValueError, match=r"dvc remote: expected a default one, .* got none\. `dvc remote add"):
        find_team("origin")


@pytest.mark.parametrize("config", ["<<<<<<< HEAD\n", "['remote \"store\"']\n    url = foo://x\n"])
def test_a_configuration_that_dvc_cannot_read_is_one_line(repository, config):
    Path(".dvc/config").write_text(config)
    with pytest.raises(ValueError, match=r"^\.dvc/config: expected what DVC can read, got: "):
        find_team("origin")


def test_a_clone_elsewhere_knows_the_remotes_by_the_same_names(repository, commands, tmp_path):
    shell(tmp_path, "git", "clone", "--quiet", "repository", "clone")
    connect(find_team("origin"), tmp_path / "clone")
    url = shell(tmp_path / "clone", "git", "remote", "get-url", "origin").strip()
    assert url == str(tmp_path / "bare")
    assert [command[-2:] for command in commands] == [
        ["remote.store.url", str(tmp_path / "a store")], ["core.remote", "store"],
    ]  # fmt: skip


def test_of_what_the_team_has_only_what_is_asked_for_is_listed(repository):
    assert listed(find_team("origin"), ["mine", "theirs", "nobodys"]) == [reference("mine"), reference("theirs")]


def test_experiments_go_to_the_remote_and_come_from_there_by_their_references(repository, commands):
    found, asked = find_team("origin"), [reference("theirs")]
    assert fetch(found, asked, Path("log"), with_data=False) == push(found, asked, Path("log")) == ""
    assert fetch(found, asked, Path("log"), with_data=True) == ""
    assert commands == [
        ["dvc", "exp", "pull", "--force", "--no-cache", "origin", *asked],
        ["dvc", "exp", "push", "--force", "origin", *asked], ["dvc", "exp", "pull", "--force", "origin", *asked],
    ]  # fmt: skip


def test_nothing_to_move_is_no_command(repository, commands):
    found = find_team("origin")
    assert fetch(found, [], Path("log"), with_data=True) == push(found, [], Path("log")) == ""
    assert commands == []


def test_keys_in_addresses_are_in_no_message(repository):
    subprocess.run(["git", "remote", "set-url", "origin", "https://me:s3cret@127.0.0.1:1/code.git"], check=True)
    with pytest.raises(ValueError, match="git ls-remote --quiet https://") as caught:
        find_team("origin")
    assert "s3cret" not in str(caught.value)
