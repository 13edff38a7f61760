"""The clone in which experiments run: what it has of the workspace, and that the workspace stays as it is."""

import os
import time
from pathlib import Path

import pytest

from stages.tracking import dvc_experiments, experiment_clone
from stages.tracking.experiment_clone import CLONE, hand_over, inside_clone, restore
from tests.repositories import shell


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with a commit, uncommitted changes of each kind, and a folder of images that Git does not know."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(experiment_clone, "cache_folder", lambda: tmp_path / "cache")
    path = f"{tmp_path}/bin:/usr/bin:/bin"
    monkeypatch.setattr(dvc_experiments, "environment", lambda: os.environ | {"PATH": path})
    write("bin/dvc", "#!/bin/sh\nshift; cd $1; shift\necho $@ > .dvc/config.local\n").chmod(0o755)
    for name in ("params.yaml", "dvc.lock", "stages/gone.py", "stages/step.py"):
        write(name, "committed")
    write(".gitignore", "/.dvc/tmp\n/.dvc/config.local\n/bin\n")
    shell(tmp_path, "git", "init", "--quiet")
    for key in ("user.name", "user.email"):
        shell(tmp_path, "git", "config", key, "test")
    shell(tmp_path, "git", "add", "--all")
    shell(tmp_path, "git", "commit", "--quiet", "--message", "first")
    write("params.yaml", "changed")
    write("stages/new.py", "staged")
    shell(tmp_path, "git", "add", "stages/new.py")
    write("stages/gone.py", "").unlink()
    write("data/[own] images/1.png", "an image")
    (tmp_path / ".dvc" / "tmp" / "studies").mkdir(parents=True)
    os.utime("dvc.lock", (0, 0))
    return tmp_path


def write(name, text):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def look(repository):
    """What Git says of the workspace: status, stashes, where HEAD is and was."""
    commands = (("status", "--porcelain"), ("stash", "list"), ("symbolic-ref", "HEAD"), ("reflog",))
    return [shell(repository, "git", *command) for command in commands]


def test_it_has_the_tracked_files_and_the_source_as_they_are_and_the_workspace_stays(repository):
    before = look(repository)
    lock = write(".git/index.lock", "as while `git commit` waits in its editor")
    with inside_clone(["data/[own] images", "params.yaml", "/elsewhere"]) as clone:
        assert Path.cwd() == clone.folder == repository / CLONE
        assert Path("params.yaml").read_text() == "changed"
        assert sorted(path.name for path in Path("stages").iterdir()) == ["new.py", "step.py"]
        assert Path("data/[own] images/1.png").read_text() == "an image"
        assert shell(clone.folder, "git", "config", "user.name") == "test\n"
        assert Path(".dvc/config.local").read_text() == f"config --local cache.dir {repository}/cache\n"
        write(repository / "params.yaml", "edited meanwhile")
        assert Path("params.yaml").read_text() == "changed"
    assert Path.cwd() == repository
    assert Path("params.yaml").read_text() == "edited meanwhile"
    assert not (repository / CLONE).exists()
    lock.unlink()
    assert look(repository) == before


def test_what_an_experiment_left_is_gone_before_the_next_and_the_source_is_not(repository):
    with inside_clone(["data/[own] images"]) as clone:
        write("params.yaml", "an experiment's")
        write("metrics/new.json", "an experiment's")
        write("stages/step.py", "").unlink()
        write("staged", "an experiment's")
        shell(clone.folder, "git", "add", "staged")
        restore(clone)
        status = shell(clone.folder, "git", "status", "--porcelain").splitlines()
        assert status == ["M  params.yaml", "D  stages/gone.py", "A  stages/new.py", "?? data/"]
        assert Path("params.yaml").read_text() == "changed"
        assert Path("data/[own] images/1.png").exists()


def add_experiment(folder, name):
    """Add an experiment's references to a repository as DVC does, and return the one by which it is found."""
    commit = shell(folder, "git", "rev-parse", "HEAD").strip()
    made = shell(folder, "git", "commit-tree", "-m", name, f"{commit}^{{tree}}").strip()
    reference = f"refs/exps/{commit[:2]}/{commit[2:]}/{name}"
    for each in (reference, "refs/exps/exec/EXEC_HEAD"):
        shell(folder, "git", "update-ref", each, made)
    return f"{made} {reference}"


def listed(folder):
    return shell(folder, "git", "for-each-ref", "--format=%(objectname) %(refname)", "refs/exps").splitlines()


def test_experiments_are_seen_inside_and_those_made_inside_stay(repository):
    old = add_experiment(repository, "old")
    with inside_clone([]) as clone:
        assert listed(clone.folder) == [old]
        new = add_experiment(clone.folder, "new")
    assert sorted(line for line in listed(repository) if "/exec/" not in line) == sorted([old, new])
    assert shell(repository, "git", "cat-file", "-t", new.split()[0]) == "commit\n"


def test_experiments_of_a_clone_that_a_kill_left_stay(repository):
    clone = experiment_clone.make_clone([])
    restore(clone)
    made = add_experiment(clone.folder, "made")
    with inside_clone([]):
        assert made in listed(repository)


def test_a_clone_that_a_kill_left_in_part_is_made_anew(repository):
    write(CLONE / ".git" / "HEAD", "")
    with inside_clone([]):
        assert Path("params.yaml").read_text() == "changed"


def test_a_clone_whose_experiments_cannot_be_taken_is_kept_aside(repository, capsys):
    clone = experiment_clone.make_clone([])
    restore(clone)
    made = add_experiment(clone.folder, "made")
    (clone.folder / ".git" / "HEAD").write_text("")
    with inside_clone([]):
        pass
    assert f"{CLONE}: expected to take its experiments, got: git for-each-ref" in capsys.readouterr().out
    [aside] = (repository / CLONE).parent.glob("clone-2*")
    (aside / ".git" / "HEAD").write_text(made.split()[0])
    assert made in listed(aside)


def test_what_a_person_does_with_experiments_meanwhile_stays(repository):
    removed, again = (add_experiment(repository, name).split()[1] for name in ("removed", "again"))
    with inside_clone([]) as clone:
        shell(repository, "git", "update-ref", "-d", removed)
        shell(repository, "git", "update-ref", again, "HEAD")
        hand_over(clone.folder, repository)
    head = shell(repository, "git", "rev-parse", "HEAD").strip()
    assert [line for line in listed(repository) if "/exec/" not in line] == [f"{head} {again}"]


def test_a_repository_that_names_its_work_tree_is_not_touched(repository, monkeypatch):
    shell(repository, "git", "config", "core.worktree", str(repository))
    monkeypatch.setenv("GIT_DIR", str(repository / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(repository))
    with inside_clone([]) as clone:
        write("params.yaml", "an experiment's")
        write(repository / "params.yaml", "edited meanwhile")
        restore(clone)
        assert Path("params.yaml").read_text() == "changed"
    assert Path("params.yaml").read_text() == "edited meanwhile"


def test_a_source_is_found_however_its_path_is_written(repository):
    write("../photos/1.png", "elsewhere")
    with inside_clone(["./data//[own] images", "../photos", "data/none"]):
        assert Path("data/[own] images/1.png").exists()


def test_a_lock_file_from_the_future_is_not_waited_for(repository):
    os.utime("dvc.lock", (time.time() + 3600,) * 2)
    with inside_clone([]):
        assert Path("params.yaml").read_text() == "changed"


def test_a_lock_file_that_dvc_is_writing_is_waited_for(repository):
    write("dvc.lock", "in part")
    start = time.time()
    os.utime("dvc.lock", (start, start))
    with inside_clone([]):
        assert time.time() - start >= experiment_clone.SETTLED_S


def test_a_shallow_repository_has_a_clone_too(repository, monkeypatch):
    shell(repository, "git", "commit", "--quiet", "--allow-empty", "--message", "second")
    shell(repository, "git", "clone", "--quiet", "--depth", "1", f"file://{repository}", "shallow")
    monkeypatch.chdir(repository / "shallow")
    (repository / "shallow" / ".dvc" / "tmp" / "studies").mkdir(parents=True)
    os.utime("dvc.lock", (0, 0))
    with inside_clone([]) as clone:
        made = add_experiment(clone.folder, "made")
        assert len(shell(clone.folder, "git", "log", "--oneline").splitlines()) == 1
    assert made in listed(repository / "shallow")


def test_a_dvc_that_fails_is_one_line_and_leaves_no_clone(repository):
    write("bin/dvc", "#!/bin/sh\necho 'ERROR: no space left'; exit 1\n")
    with pytest.raises(ValueError, match=r"^dvc --cd .*: expected success, got: no space left$"), inside_clone([]):
        pass
    assert not CLONE.exists()


def test_a_repository_without_a_commit_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shell(tmp_path, "git", "init", "--quiet")
    with pytest.raises(ValueError, match=r"^git rev-parse HEAD: expected success in .*, got: "), inside_clone([]):
        pass
