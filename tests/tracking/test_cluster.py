"""Runs as tasks of a cluster, with a stand-in for Ray: what a task asks for, and what becomes of what comes back."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from stages.tracking import cluster, worker
from stages.tracking.cluster import LOST_TWICE, Cluster, check_shared
from stages.tracking.experiment_clone import Clone
from stages.tracking.run import Run
from stages.tracking.team import Team
from stages.tracking.worker import Report
from tests.repositories import shell

TEAM = Team("origin", "/bare", "store", "/mnt")
RUN = Run("one", "vgg", {"train.vgg.dropout": 0.4}, "train.vgg.dropout")
DONE = Report("node", 30, 25, "", "$ dvc exp run\n")


class RayError(Exception):
    """An error of Ray's."""


class Lost(RayError):
    """The error of a machine that is gone."""


class Failed(RayError):
    """An error that a task raised."""


class FakeRay:
    """A cluster of one machine with two processors, on which a task ends at once as `answer` says."""

    cloudpickle = SimpleNamespace(register_pickle_by_value=lambda module: None)
    exceptions = SimpleNamespace(RayError=RayError, WorkerCrashedError=Lost, NodeDiedError=Lost)

    def __init__(self):
        self.answer, self.machines, self.options, self.tasks = DONE, [{"CPU": 2.0}], [], []

    def nodes(self):
        dead = {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}}
        return [*({"Alive": True, "Resources": machine} for machine in self.machines), dead]

    def remote(self, function):
        assert function is worker.work
        return SimpleNamespace(options=self.with_options)

    def with_options(self, **options):
        self.options.append(options)
        return SimpleNamespace(remote=lambda task: self.tasks.append(task) or len(self.tasks))

    def wait(self, pending, num_returns):
        return pending[-1:], pending[:-1]

    def get(self, _):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def ray(monkeypatch):
    fake = FakeRay()
    monkeypatch.setattr(cluster, "connect", lambda *_: fake)
    return fake


@pytest.fixture
def place(project, tmp_path, ray, monkeypatch):
    """The cluster, with a team from which every experiment comes back."""
    for name, stand_in in (
        ("check_shared", lambda *_: None), ("forget", lambda *_: None), ("say_if_without_data", lambda *_: None),
        ("find_done", lambda run: run.name),
        ("read_record", lambda run, _: SimpleNamespace(numbers={"val_accuracy": 0.75})),
    ):  # fmt: skip
        monkeypatch.setattr(cluster, name, stand_in)
    monkeypatch.setattr(cluster, "git", lambda *_, **__: "A. Person <a@b> 1795860945 +0000")
    made = Cluster("auto", Clone(tmp_path, tmp_path, "c0ffee", "tree", []), TEAM)
    made.taken = []
    monkeypatch.setattr(made, "take_up", made.taken.extend)
    return made


def make(place, **runs):
    records, failures = {}, {}
    place.make(runs or {"run 1 of 1": RUN}, records, failures, lambda: None)
    return records, failures


def test_every_run_is_a_task_and_comes_back(place, ray, capsys):
    records, failures = make(place, first=RUN, second=replace(RUN, name="two"))
    assert (sorted(records), failures) == (["one", "two"], {})
    assert sorted(run.name for run in place.taken) == ["one", "two"]
    assert ray.options[0] == {"num_cpus": 2, "num_gpus": 0, "max_retries": 1, "retry_exceptions": False, "name": "one"}
    task = ray.tasks[0]
    assert (task.git_url, task.commit, task.store, task.store_url) == ("/bare", "c0ffee", "store", "/mnt")
    assert task.author == ("A. Person", "a@b")
    assert task.command == ["dvc", "exp", "run", "-n", "one", "-S", "train.vgg.dropout=0.4", "evaluate@vgg"]
    assert "one: done in 30 s on node, 25 of them by `dvc exp run`: val accuracy 0.750" in capsys.readouterr().out


def test_a_task_pulls_what_its_network_needs_or_what_all_networks_share(place, ray):
    Path("dvc.lock").write_text("""
stages:
  split: {outs: [{path: data/4_split}], deps: []}
  features@xception: {outs: [{path: data/5_features/xception}], deps: []}
  train@xception: {outs: [{path: m}], deps: [{path: data/5_features/xception}, {path: data/4_split/split.csv}]}
""")
    make(place, first=RUN, second=replace(RUN, network="xception"))
    assert [task.stages for task in ray.tasks] == [["split"], ["features@xception", "split"]]


def test_a_task_pulls_the_source_that_dvc_tracks(place, ray, project):
    project("collect.source", "data/own")
    Path("data").mkdir()
    for name in ("own", "other"):
        Path(f"data/{name}.dvc").write_text("outs: []")
    make(place, first=RUN, second=replace(RUN, changes={"collect.source": "data/other"}))
    assert [task.added for task in ray.tasks] == [["data/own.dvc"], ["data/own.dvc", "data/other.dvc"]]


def test_gpus_are_asked_for_where_there_are_some(place, ray):
    ray.machines = [{"CPU": 8.0, "GPU": 1.0}]
    make(place)
    assert ray.options[0]["num_gpus"] == 1


@pytest.mark.parametrize(
    ("machines", "threads", "gpus", "got"),
    [([{"CPU": 1.0}], 2, 1, "1 and 0"), ([{"CPU": 8.0, "GPU": 1.0}], 2, 4, "8 and 1"),
     ([{"CPU": 16.0}, {"CPU": 2.0, "GPU": 1.0}], 4, 1, "2 and 1, 16 and 0"), ([], 2, 1, "none")],
)  # fmt: skip
def test_a_run_that_no_machine_can_make_is_refused_since_it_would_wait_for_ever(
    place, ray, machines, threads, gpus, got
):
    ray.machines = machines
    changes = {"train.vgg.threads": threads, "train.vgg.gpus": gpus}
    asked = f"machine of the cluster for threads {threads} and gpus {gpus if 'GPU' in str(machines) else 0}"
    with pytest.raises(ValueError, match=rf"train\.vgg: expected a {asked}, got machines with {got}\."):
        make(place, first=replace(RUN, changes=changes))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (replace(DONE, failed="dvc exp run", log="vgg: expected more, got less.\nERROR: failed to reproduce\n"),
         "vgg: expected more, got less."),
        (replace(DONE, failed="git clone /bare", log="fatal: no such repository\n"),
         "git clone /bare, see .dvc/tmp/studies/one.log"),
        (Failed("ray::one()\n  File x\nOSError: no space left"), "OSError: no space left"),
        (Lost("\x1b[36mThe node\x1b[0m was terminated\n  by somebody"), LOST_TWICE),
    ],
)  # fmt: skip
def test_a_task_that_fails_is_a_failed_run(place, ray, capsys, answer, reason):
    ray.answer = answer
    assert make(place) == ({}, {"one": reason})
    assert f": {reason}" in capsys.readouterr().out
    assert place.taken == []


def test_an_experiment_that_does_not_come_back_is_a_failed_run(place, monkeypatch):
    monkeypatch.setattr(cluster, "find_done", lambda run: None)
    assert make(place) == ({}, {"one": "no experiment came back, see .dvc/tmp/studies/one.log"})


@pytest.fixture
def shared(tmp_path, monkeypatch):
    """A clone of a repository whose commit is pushed."""
    monkeypatch.chdir(tmp_path)
    shell(tmp_path, "git", "init", "--quiet", "--bare", "bare")
    shell(tmp_path, "git", "init", "--quiet", "-b", "main", "work")
    monkeypatch.chdir("work")
    shell(Path(), "git", "remote", "add", "origin", str(tmp_path / "bare"))
    new_commit()
    shell(Path(), "git", "push", "--quiet", "--set-upstream", "origin", "main")
    return clone()


def new_commit():
    shell(Path(), "git", "-c", "user.name=a", "-c", "user.email=b", "commit", "--quiet", "--allow-empty", "-m", "new")


def clone(sources=(), tree="HEAD^{tree}"):
    commit, found = shell(Path(), "git", "rev-parse", "HEAD", tree).split()
    return Clone(Path.cwd(), Path.cwd(), commit, found, list(sources))


def test_what_is_committed_and_pushed_can_be_cloned(shared):
    check_shared(shared, TEAM)


def with_change(path):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("changed")
    shell(Path(), "git", "add", path)
    return clone(tree=shell(Path(), "git", "write-tree").strip())


def test_changes_that_workers_would_not_see_are_refused(shared):
    with pytest.raises(ValueError, match=r"--on: expected all changes to be committed, .* such as params\.yaml\."):
        check_shared(with_change("params.yaml"), TEAM)


@pytest.mark.parametrize("path", ["metrics/studies/tiny/runs.csv", "metrics/searches/vgg/trials.csv"])
def test_what_the_commands_themselves_wrote_does_not_stop_them(shared, path):
    check_shared(with_change(path), TEAM)


def test_a_commit_that_is_not_pushed_is_refused(shared):
    new_commit()
    with pytest.raises(ValueError, match="--on: expected HEAD to be pushed, got a commit that origin lacks"):
        check_shared(clone(), TEAM)


def test_a_source_that_nobody_shares_is_refused(shared):
    with pytest.raises(ValueError, match="data/own: expected a source that Git or DVC tracks, because workers clone"):
        check_shared(clone(["data/own"]), TEAM)
