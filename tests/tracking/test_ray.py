"""A study on a real cluster: Ray with two machines, which are processes here, and a team's remotes in folders."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from matplotlib.cbook import get_sample_data
from PIL import Image
from ruamel.yaml import YAML

from stages.core.tables import read_table
from tests.repositories import ENVIRONMENT, RESULTS, copy_working_tree, draw_classes, run, shell, shrink
from tests.study.test_run import TINY, wait_for

pytestmark = pytest.mark.slow

STUDY = f"""{TINY.partition("networks:")[0]}
networks:
  convnet:
    input: data/3_pixels
    params: {{epochs: 1, width: 0.02}}
    sweeps:
      dropout: {{param: dropout, values: [0, 0.2, 0.4], chosen: 0, quote: ""}}
instead: []
findings:
  - {{claim: no dropout is best, quote: "", check: best_of, network: convnet, sweep: dropout, value: 0}}
"""
RUNS = [f"tiny-convnet-dropout-{value}-s0" for value in (0, 0.2, 0.4)]
PORT = "6391"
RAY = str(Path(sys.prefix, "bin", "ray"))
LIMIT_S = 400
COLLECT = ["python", "-m", "stages.collect", "data/1_raw", "metrics/collect.json"]
CLEAN = ["python", "-m", "stages.clean", "data/1_raw", "data/review.csv", "data/2_clean", "metrics/clean.json"]
PIXELS = ("data/3_pixels", "data/3_inputs", "metrics/preprocess.json")
PREPROCESS = ["python", "-m", "stages.preprocess", "data/1_raw", "data/2_clean/kept.csv", *PIXELS]
WEIGHTS, ACTIVATIONS = "data/5_pretrained/xception", "data/5_features/xception"
PRETRAINED = ["python", "-m", "stages.pretrained", "xception", WEIGHTS]
FEATURES = ["python", "-m", "stages.features", "xception", "data/3_pixels", WEIGHTS, ACTIVATIONS]
WRITTEN = ("data/2_clean", "data/3_pixels", "metrics")


def start_machine(folder, *arguments):
    """Start a machine of the cluster, whose cache is the folder, and return its processes, the one that works last."""
    before = {process.pid for process in processes()}
    folder.mkdir()
    environment = ENVIRONMENT | {"XDG_CACHE_HOME": str(folder), "RAY_USAGE_STATS_ENABLED": "0"}
    ended = subprocess.run(
        [RAY, "start", *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    started = [process for process in processes() if process.pid not in before]
    if ended.returncode != 0:
        kill(started)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return sorted(started, key=lambda process: process.info["name"] == "raylet")


def processes():
    """Return the processes of Ray, those of other clusters too."""
    found = psutil.process_iter(["name", "cmdline"])
    return [process for process in found if "/ray/" in " ".join(process.info["cmdline"] or [])]


def kill(machine):
    """Kill the processes with all that they started, as a machine without power ends."""
    for process in machine:
        with suppress(psutil.NoSuchProcess):
            for each in (process, *process.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    each.kill()


@pytest.fixture
def cluster(tmp_path):
    """Two machines of two processors each, beside a head that runs nothing."""
    machines = []
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as sockets:  # whose paths must be short
        head = ("--head", "--port", PORT, "--num-cpus", "0", "--include-dashboard=false", "--temp-dir", sockets)
        try:
            machines.append(start_machine(tmp_path / "head", *head))
            for name in ("one", "two"):
                address = ("--address", f"127.0.0.1:{PORT}")
                machines.append(start_machine(tmp_path / name, *address, "--num-cpus", "2"))
            yield machines[1:]
        finally:
            for machine in machines:
                kill(machine)


@pytest.fixture
def repository(tmp_path):
    """A repository whose code is pushed to Git's remote, and its drawings and data to DVC's."""
    folder = tmp_path / "repository"
    copy_working_tree(folder, RESULTS)
    yaml = YAML()
    params = yaml.load(folder / "params.yaml")
    shrink(params)
    yaml.dump(params, folder / "params.yaml")
    (folder / "studies" / "tiny.yaml").write_text(STUDY)
    draw_classes(folder / "data" / "own")
    (folder / "data" / "own" / "bars" / "notes.txt").write_text("what no step has a copy of")
    shell(tmp_path, "git", "init", "--quiet", "--bare", "-b", "main", "bare")
    shell(folder, "git", "init", "--quiet", "-b", "main")
    for key in ("user.name", "user.email"):
        shell(folder, "git", "config", key, "test")
    run(folder, "dvc", "add", "data/own")
    run(folder, "dvc", "remote", "add", "--default", "team", str(tmp_path / "store"))
    run(folder, "dvc", "repro", "split")
    shell(folder, "git", "add", "--all")
    shell(folder, "git", "commit", "--quiet", "--message", "first")
    shell(folder, "git", "remote", "add", "origin", "../bare")  # the address is relative
    shell(folder, "git", "push", "--quiet", "origin", "main")
    run(folder, "dvc", "push", "--quiet")
    return folder


def clone(folder, name):
    shell(folder, "git", "clone", "--quiet", "bare", name)
    for key in ("user.name", "user.email"):
        shell(folder / name, "git", "config", key, "test")
    return folder / name


def start_study(folder, *arguments):
    command = [sys.executable, "-m", "stages.study", "run", "tiny", *arguments]
    with (folder / "study.log").open("w") as log:
        return subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stdout=log, stderr=log, start_new_session=True)


def finished(process, folder):
    status = process.wait(LIMIT_S)
    printed = (folder / "study.log").read_text()
    assert status == 0, printed
    return printed


def is_training(machine):
    children = machine[-1].children(recursive=True)
    with suppress(psutil.NoSuchProcess):
        return any("stages.train" in " ".join(child.cmdline()) for child in children)
    return False


def test_a_study_survives_a_machine_and_its_head_and_its_tables_are_those_of_one_machine(
    cluster, repository, tmp_path
):  # fmt: skip
    on_cluster = ("--on", f"127.0.0.1:{PORT}")
    study = start_study(repository, *on_cluster)
    wait_for(lambda: all(map(is_training, cluster)))
    kill(cluster[0])
    wait_for(lambda: "done in" in (repository / "study.log").read_text())
    os.killpg(study.pid, signal.SIGKILL)
    study.wait()

    printed = finished(start_study(repository, *on_cluster), repository)
    assert "done already: " in printed
    assert sorted(read_table(repository / "metrics" / "studies" / "tiny" / "runs.csv")["run"].unique()) == RUNS

    # Another machine takes up what the team has, and runs nothing.
    colleague = clone(tmp_path, "colleague")
    printed = finished(start_study(colleague, "--push"), colleague)
    assert [f"done already: {name}" in printed for name in RUNS] == [True] * 3
    assert "dvc exp run" not in printed

    # A machine by itself, without the team's data.
    alone = clone(tmp_path, "alone")
    run(alone, "dvc", "pull", "--quiet", "data/own.dvc")
    printed = run(alone, "python", "-m", "stages.study", "run", "tiny")
    assert printed.count("dvc exp run -n") == 3
    for name in ("runs.csv", "curves.csv", "answers.csv", "README.md"):
        tables = [(folder / "metrics" / "studies" / "tiny" / name).read_text() for folder in (repository, alone)]
        assert tables[0] == tables[1], name


def prepare_images(repository, crop, address):
    """Clean and preprocess what was collected, and return the number of pixels' rows and all bytes that are written."""
    yaml = YAML()
    params = yaml.load(repository / "params.yaml")
    params["preprocess"] |= {"crop": crop}
    params["features"] |= {"batch_size": 16, "views": 1, "augmentation": "rotation"}
    yaml.dump(params, repository / "params.yaml")
    for part in WRITTEN:
        shutil.rmtree(repository / part)
    for command in (CLEAN, PREPROCESS):
        shell(repository, *command, environment=ENVIRONMENT | address)
    paths = sorted(path for part in WRITTEN for path in (repository / part).rglob("*") if path.is_file())
    index = read_table(repository / "data" / "3_pixels" / "index.csv")
    return len(index), {path: path.read_bytes() for path in paths}


def compute_activations(repository, address):
    """Compute the activations of the pixels and of one view, and return all bytes that are written."""
    shutil.rmtree(repository / ACTIVATIONS, ignore_errors=True)
    shell(repository, *FEATURES, environment=ENVIRONMENT | address)
    return {path.name: path.read_bytes() for path in (repository / ACTIVATIONS).iterdir()}


def test_image_work_on_the_cluster_gives_the_same_bytes(cluster, repository):
    on_cluster = {"RAY_ADDRESS": f"127.0.0.1:{PORT}"}
    with Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)) as portrait:
        portrait.save(repository / "data" / "own" / "dots" / "portrait.png")
    run(repository, *COLLECT)
    for crop, number in (("face", 1), ("letterbox", 49)):
        here = prepare_images(repository, crop, {})
        there = prepare_images(repository, crop, on_cluster)
        assert here == there
        assert here[0] == number
    shell(repository, *PRETRAINED)
    here = compute_activations(repository, {})
    assert {"features.npy", "views.npy"} <= here.keys()
    assert here == compute_activations(repository, on_cluster)


def test_an_address_that_does_not_answer_is_one_line(repository):
    study = start_study(repository, "--on", "127.0.0.1:1")
    assert study.wait(LIMIT_S) == 1
    [line] = [line for line in (repository / "study.log").read_text().splitlines() if "--on" in line]
    assert line.startswith("--on 127.0.0.1:1: expected a Ray cluster that answers, got: ")
