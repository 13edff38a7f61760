"""The README's way from a question to a prediction: every line of it runs, on a folder of drawn birds."""

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import urllib.request
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from stages.core.files import read_json
from stages.core.tables import read_table
from tests.repositories import EVALUATED, LEFT_OUT, ROOT, copy_working_tree, run, shrink, warm_environment

pytestmark = pytest.mark.slow

SECTION = "Your own question"
LIMIT_S = 600  # for one line, on a machine that is busy with other work
PAGE = re.compile(r"(http://127\.0\.0\.1:\d+/[\w-]+)/ .*; Ctrl-C ends it")
KINDS = {"robin": (1, 0.4, 0.2), "wren": (0.3, 0.6, 1)}  # each with a colour of its own
N_PHOTOGRAPHS = 40


def read_lines():
    """The section's commands, in order, continued lines joined; images stay small, so that nothing takes long."""
    section = (ROOT / "README.md").read_text().split(f"\n## {SECTION}\n")[1].split("\n## ")[0]
    lines = re.findall(r"^    (.+)$", re.sub(r" *\\\n +", " ", section), re.MULTILINE)
    small = [line.replace("preprocess.size=224", "preprocess.size=72") for line in lines]
    assert small != lines
    return small


def draw_bird(kind, random):
    cells = random.integers(0, 256, (8, 10, 1)) * np.array(KINDS[kind])
    return Image.fromarray(cells.astype(np.uint8)).resize((120, 90), Image.Resampling.NEAREST)


def draw_birds(folder, random):
    """Draw equally many images of each kind, a copy of one image, and a file that is no image."""
    for kind in KINDS:
        (folder / kind).mkdir(parents=True)
        for number in range(N_PHOTOGRAPHS):
            draw_bird(kind, random).save(folder / kind / f"{number}.png")
    shutil.copy(folder / "robin" / "0.png", folder / "robin" / "copy.png")
    (folder / "wren" / "notes.png").write_text("no image")


def shrink_all_but_vgg(path):
    """Set params with which VGG learns, nothing takes long, and nothing is downloaded."""
    yaml = YAML()
    params = yaml.load(path)
    width = params["train"]["vgg"]["width"]
    shrink(params)
    params["train"]["vgg"] |= {"epochs": 20, "width": width}
    yaml.dump(params, path)


def shorten_starter(path):
    """Leave out the last value of the sweep with which a study begins."""
    text = path.read_text()
    shorter = text.replace("[1e-3, 3e-4, 1e-4]", "[1e-3, 3e-4]")
    assert shorter != text
    path.write_text(shorter)


def forget_left_out(path):
    """Take from dvc.lock the stages of networks that are left out; DVC reads and writes all of it at each stage."""
    yaml = YAML()
    lock = yaml.load(path)
    for name in [name for name in lock["stages"] if name.partition("@")[2] in LEFT_OUT]:
        del lock["stages"][name]
    yaml.dump(lock, path)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """The repository of a person who has cloned this working tree and put photographs there; nothing has run."""
    folder = tmp_path_factory.mktemp("repository")
    copy_working_tree(folder, EVALUATED)
    shrink_all_but_vgg(folder / "params.yaml")
    shorten_starter(folder / "stages" / "study" / "starter.py")
    forget_left_out(folder / "dvc.lock")
    run(folder, "git", "init", "--quiet")
    for key in ("user.name", "user.email"):
        run(folder, "git", "config", key, "test")
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", "first")
    random = np.random.default_rng(0)
    draw_birds(folder / "data" / "birds", random)
    draw_bird("robin", random).save(folder / "photo.jpg")
    return folder


def reject_one(address):
    """Reject the first image that the review's page shows, as the page does, and return the image's id."""
    with urllib.request.urlopen(f"{address}/api/page?filter=kept") as answer:
        tile = json.load(answer)["tiles"][0]
    decision = {"image_id": tile["image_id"], "decision": "reject", "class": tile["class"], "reason": "no bird"}
    headers = {"Origin": address.rpartition("/")[0], "Content-Type": "application/json"}
    request = urllib.request.Request(f"{address}/api/decisions", json.dumps(decision).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
    return tile["image_id"]


def carry_out(line, folder, environment, use_page):
    """Run the line and return what it printed; use a page that it offers, and end the page with Ctrl-C."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(
        ["bash", "-c", line], cwd=folder, env=environment, start_new_session=True, **pipes
    ) as process:
        watchdog = threading.Timer(LIMIT_S, os.killpg, (process.pid, signal.SIGKILL))
        watchdog.start()
        printed = ""
        try:
            for text in process.stdout:
                printed += text
                if page := PAGE.search(text):
                    use_page(page[1])
                    os.killpg(process.pid, signal.SIGINT)
            status = process.wait()
        finally:
            watchdog.cancel()
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    assert status == 0, f"{line}\n{printed}"
    return printed


@pytest.fixture(scope="module")
def walk(repository, tmp_path_factory):
    """The repository after all lines, the lines, what each line printed, and the images rejected on a page."""
    cache = tmp_path_factory.mktemp("cache")
    environment = warm_environment() | {"BROWSER": "true", "XDG_CACHE_HOME": str(cache)}  # nobody looks
    rejected = []
    lines = read_lines()
    printed = [
        carry_out(line, repository, environment, lambda address: rejected.append(reject_one(address))) for line in lines
    ]
    return SimpleNamespace(folder=repository, lines=lines, printed=printed, rejected=rejected)


def test_the_source_is_the_pipelines_own_and_files_that_are_no_bird_are_counted(walk):
    params = YAML(typ="safe").load(walk.folder / "params.yaml")
    assert params["collect"]["source"] == "data/birds"
    assert YAML(typ="safe").load(walk.folder / "studies" / "birds.yaml")["images"]["source"] == "data/birds"
    clean = read_json(walk.folder / "metrics" / "clean.json")
    assert clean["rejected"] == {"duplicate": 1, "review": 1, "unreadable": 1}


def test_a_decision_of_the_review_is_followed(walk):
    [image] = walk.rejected
    assert list(read_table(walk.folder / "data" / "review.csv")["image_id"]) == [image]
    kept = read_table(walk.folder / "data" / "2_clean" / "kept.csv")
    assert len(kept) == len(KINDS) * N_PHOTOGRAPHS - 1
    assert image not in set(kept["image_id"])


def test_every_run_of_the_study_is_an_experiment_in_its_table(walk):
    [folder] = (walk.folder / "metrics" / "studies").glob("birds*")
    runs = read_table(folder / "runs.csv")
    assert set(runs["status"]) == {"done"}
    assert set(runs["network"]) == {"vgg", "xception"}
    listed = run(walk.folder, "dvc", "exp", "list", "--all", "--name-only")
    assert set(runs["run"]) <= set(listed.split())
    [row] = [line for line in (folder / "README.md").read_text().splitlines() if "| transfer beats training" in line]
    assert "| **not distinguishable** |" in row  # by a dozen test images
    assert re.search(r"about \d+ images like these would decide it", row)


def test_the_best_experiment_is_the_pipelines_own_and_all_is_committed(walk):
    [folder] = (walk.folder / "metrics" / "studies").glob("birds*")
    runs = read_table(folder / "runs.csv").set_index(["network", "sweep"])
    [best] = runs.loc[[("vgg", "final")], "run"]
    assert any(best in line for line in walk.lines)
    assert run(walk.folder, "dvc", "status") == "Data and pipelines are up to date.\n"
    assert run(walk.folder, "git", "status", "--porcelain") == "?? photo.jpg\n"
    assert read_json(walk.folder / "metrics" / "summary.json")["champion"] == "vgg"


def test_a_new_photograph_is_classified_by_the_champion(walk):
    assert re.search(r"^photo\.jpg +robin ", walk.printed[-1], re.MULTILINE), walk.printed[-1]
