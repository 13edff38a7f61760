"""The whole pipeline through DVC, on few small images and two networks: which stages a change runs, and clones."""

import os
import re
import shutil
import subprocess

import pytest
from PIL import Image
from ruamel.yaml import YAML

from stages.core.files import remove
from tests.repositories import (
    EVALUATIONS,
    N_STAGES,
    NETWORKS,
    RESULTS,
    ROOT,
    copy_working_tree,
    draw_classes,
    restore,
    run,
    shrink,
    stages_run,
    warm_environment,
)  # fmt: skip

pytestmark = pytest.mark.slow


FULL = r"\S+: expected room on the disk to write (it|to), got a full one\.\n"
PLACES = ("data", "metrics", "notebooks", "stages", "studies", "params.yaml", "dvc.yaml")


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A repository with this working tree's files, small params and a person's own images, after `dvc repro`."""
    folder = tmp_path_factory.mktemp("repository")
    copy_working_tree(folder, RESULTS)
    yaml = YAML()
    params = yaml.load(folder / "params.yaml")
    shrink(params)
    yaml.dump(params, folder / "params.yaml")
    draw_classes(folder / "data" / "own")
    run(folder, "git", "init", "--quiet")
    for key in ("user.name", "user.email"):
        run(folder, "git", "config", key, "test")
    run(folder, "git", "commit", "--quiet", "--allow-empty", "--message", "none")  # DVCLive needs a commit
    output = run(folder, "dvc", "repro")
    assert len(stages_run(output)) == N_STAGES
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", "first")
    return folder


def test_a_second_run_does_nothing(repository):
    assert stages_run(run(repository, "dvc", "repro")) == []
    assert run(repository, "git", "status", "--porcelain") == ""


def test_what_a_killed_dvc_left_in_part_is_mended_and_no_training_runs_again(repository):
    lock, running = repository / "dvc.lock", repository / ".dvc" / "tmp" / "rwlock"
    whole = lock.read_text()
    run(repository, "git", "rm", "--quiet", "--cached", "dvc.lock")
    run(repository, "git", "commit", "--quiet", "--message", "no stage has run")
    lock.write_text(whole.rpartition(" ")[0])
    running.write_text('{"read')
    mended = run(repository, "python", "-m", "stages.doctor").splitlines()
    assert [line.split()[1] for line in mended] == ["dvc.lock:", ".dvc/tmp/rwlock:"]
    assert not lock.exists()
    # All else comes from the run cache, which has no stages like these two.
    assert stages_run(run(repository, "dvc", "repro")) == ["compare", "report"]
    assert lock.read_text() == whole
    run(repository, "git", "reset", "--quiet", "--soft", "HEAD~1")
    assert run(repository, "git", "status", "--porcelain") == ""


def test_stages_that_run_again_give_the_same_lock_and_metrics(repository):
    # Each step has such a test of its own, within one process, but these.
    own = ["features@xception", "cross_validate@xception", "champion"]
    assert stages_run(run(repository, "dvc", "repro", "--force", "--single-item", *own)) == own
    assert run(repository, "git", "status", "--porcelain") == ""


def test_a_rate_of_one_network_reruns_that_network_alone_and_a_clone_shows_the_difference(repository, tmp_path):
    output = run(repository, "dvc", "exp", "run", "-S", "train.vgg.learning_rate=1e-5", *EVALUATIONS)
    assert stages_run(output) == ["train@vgg", "evaluate@vgg"]
    run(repository, "git", "commit", "--quiet", "--all", "--message", "second")
    run(tmp_path, "git", "clone", "--quiet", str(repository), "clone")  # without a remote of DVC's
    shown = run(tmp_path / "clone", "dvc", "metrics", "show", "--md")
    assert all(f"metrics/{name}.json" in shown for name in NETWORKS)
    difference = run(tmp_path / "clone", "dvc", "metrics", "diff", "--all", "HEAD~1")
    assert all(f"metrics/{name}.json" in difference for name in NETWORKS)
    run(repository, "git", "reset", "--quiet", "--hard", "HEAD~1")
    restore(repository)


def test_a_rate_that_is_edited_during_the_training_is_not_recorded(repository):
    params, lock = ((repository / name).read_bytes() for name in ("params.yaml", "dvc.lock"))
    edited = params.replace(b"learning_rate: 3e-4", b"learning_rate: 3e-5")
    assert edited != params
    command = ["dvc", "repro", "--force", "--single-item", "train@vgg"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=repository, env=warm_environment(), **pipes) as process:
        printed = []
        for line in process.stdout:
            printed.append(line)
            if line.startswith("2/2 - "):  # the epoch is over, and the model not yet written
                (repository / "params.yaml").write_bytes(edited)
    assert process.returncode != 0
    [told] = [line for line in printed if "expected no edit while train@vgg ran" in line]
    assert told.startswith("params.yaml train.vgg: ")
    assert (repository / "dvc.lock").read_bytes() == lock
    (repository / "params.yaml").write_bytes(params)
    again = run(repository, "dvc", "repro", "--force", "--single-item", "train@vgg")
    assert "training goes on after epoch 1" in again
    assert (repository / "dvc.lock").read_bytes() == lock
    restore(repository)


def test_another_split_decodes_no_image_and_runs_no_backbone(repository):
    ran = stages_run(run(repository, "dvc", "exp", "run", "-S", "split.ratios=60/20/20", "evaluate@xception"))
    assert ran == ["split", "train@xception", "evaluate@xception"]
    restore(repository)


def test_plots_hold_the_curves_and_the_confusion_of_every_network(repository):
    run(repository, "dvc", "plots", "show", "--out", "plots")
    page = (repository / "plots" / "index.html").read_text()
    shutil.rmtree(repository / "plots")
    for name in NETWORKS:
        assert f"Loss and accuracy of {name}" in page
        assert f"and as {name} predicts them" in page
    assert "<DVC_METRIC" not in page


@pytest.mark.parametrize(
    ("change", "stage", "message"),
    [
        ("clean.min_side=5000", "clean", "expected an image that passes `clean`, got 48 too small."),
        ("+networks.resnet={module: resnet, input: data/3_pixels}", "train@resnet", "stages/models/resnet.py"),
    ],
)
def test_bad_params_stop_with_one_line_and_the_results_stay(repository, change, stage, message):
    lock = (repository / "dvc.lock").read_bytes()
    try:
        output = run(repository, "dvc", "exp", "run", "-S", change, stage, expect=255)
    finally:
        restore(repository)
    assert len([line for line in output.splitlines() if message in line]) == 1
    assert "Traceback" not in output
    assert (repository / "dvc.lock").read_bytes() == lock
    assert run(repository, "dvc", "status") == "Data and pipelines are up to date.\n"


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 400 MB in memory; only the administrator may make one."""
    if os.geteuid():
        pytest.skip("expected the rights to mount a disk, got a user without them")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


def size_of(path):
    """The bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())


def bring_back(output, work, repository):
    """Put the whole output in place of what a step left of it."""
    remove(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    whole = repository / output.relative_to(work)
    (shutil.copytree if whole.is_dir() else shutil.copy)(whole, output)


def test_on_a_full_disk_every_step_ends_with_one_line_and_no_half_output(repository, small_disk):
    work, filler = small_disk / "work", small_disk / "filler"
    work.mkdir()
    for name in PLACES:
        bring_back(work / name, work, repository)
    environment = warm_environment() | {"XDG_CACHE_HOME": str(small_disk / "cache")}
    for stage, facts in YAML(typ="safe").load(repository / "dvc.lock")["stages"].items():
        sizes = {work / output["path"]: size_of(work / output["path"]) for output in facts["outs"]}
        needed = sum(sizes.values())
        if needed < 8192:  # the disk has pages of 4096 bytes, and is never full to the last one
            continue
        for output in sizes:
            remove(output)
        with filler.open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, shutil.disk_usage(small_disk).free - needed // 2)
        command = ["bash", "-c", facts["cmd"]]
        result = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
        filler.unlink()
        shutil.rmtree(small_disk / "cache", ignore_errors=True)
        assert (stage, result.returncode) == (stage, 1)
        assert re.fullmatch(FULL, result.stderr), (stage, result.stderr)
        for output, size in sizes.items():
            # DVCLive writes its files while the training runs.
            assert "6_live" in str(output) or (not output.is_dir() and size_of(output) in (0, size)), stage
            bring_back(output, work, repository)


def test_the_notebooks_run_on_other_images(repository):
    notebooks = sorted(map(str, (repository / "notebooks").glob("*.ipynb")))
    run(repository, "pytest", "-p", "no:cacheprovider", "--nbmake", *notebooks)


def read_lines(section):
    """The commands of a section of docs/sharing.md."""
    page = (ROOT / "docs" / "sharing.md").read_text()
    return re.findall(r"^    (.+)$", page.split(f"\n## {section}\n")[1].split("\n## ")[0], re.MULTILINE)


def test_a_colleague_takes_up_what_was_shared_and_nothing_runs(repository, tmp_path):
    run(tmp_path, "git", "init", "--quiet", "--bare", "origin")
    run(repository, "git", "remote", "add", "origin", str(tmp_path / "origin"))
    for line in read_lines("The one who has it"):
        run(repository, "bash", "-c", line.replace("/mnt/team/dvc", str(tmp_path / "remote")))
    run(tmp_path, "git", "clone", "--quiet", "origin", "clone")
    for folder in (repository, tmp_path / "clone"):
        Image.new("RGB", (90, 80), "teal").save(folder / "photo.jpg")
    printed = {
        line.split("#")[0].strip(): run(tmp_path / "clone", "bash", "-c", line)
        for line in read_lines("The one who takes it up")
    }
    assert stages_run(printed["dvc repro"]) == []
    question = "python -m stages.predict photo.jpg"
    assert printed[question] == run(repository, "bash", "-c", question)
    assert "metrics/vgg.json" in printed["dvc metrics diff"]
    assert "learning_rate: 1e-05" in (tmp_path / "clone" / "params.yaml").read_text()
    (repository / "photo.jpg").unlink()
    run(repository, "git", "remote", "remove", "origin")
    restore(repository)
