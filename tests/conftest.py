import gc
import json
import os
import shlex
import shutil
import signal
import sys
from copy import deepcopy
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image
from ruamel.yaml import YAML
from threadpoolctl import threadpool_limits

from stages import models

ROOT = Path(__file__).parents[1]
CHROMIUM = Path("/usr/bin/chromium")
NUMBERS = count()  # of tests, for their cache folders

# Examples are drawn with a fixed seed, so that a failing test fails again, and past examples are not kept.
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")

# A shell's background jobs ignore Ctrl-C, and so would the commands that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A file's tests run on one core. These files take minutes each: they begin first, so that at the end no core waits.
LONGEST = (
    "project/test_walkthrough.py", "project/test_pipeline.py", "study/test_run.py", "search/test_run.py",
    "export/test_run.py", "train/test_run.py",
)  # fmt: skip

# What imports leave is never garbage, and need not be looked through again and again.
gc.disable()


@pytest.hookimpl(optionalhook=True)  # without xdist there are no workers
def pytest_xdist_setupnodes(specs):
    """Make each worker a fork of a process that has imported TensorFlow."""
    from tests.repositories import WARM, warm_python

    os.environ["WARM_PYTHON"] = warm_python()
    for spec in specs:
        spec.python = shlex.quote(str(WARM / "python"))


def pytest_configure(config):
    if hasattr(config, "workerinput"):
        sys.executable = str(Path(sys.prefix, "bin", "python"))
        # The workers share the cores among them; a worker's own threads would only wait for one another.
        threadpool_limits(1)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: not str(item.path).endswith(LONGEST))
    gc.freeze()
    gc.enable()


def drawn(seed, size=(64, 48), mode="RGB"):
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).convert(mode)


@pytest.fixture(scope="session", autouse=True)
def caches_of_the_session(tmp_path_factory):
    """Keep all that fixtures of modules and matplotlib's list of fonts leave out of the user's own caches."""
    folder = tmp_path_factory.mktemp("caches")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        patch.setenv("MPLCONFIGDIR", str(folder / "matplotlib"))
        yield


@pytest.fixture(autouse=True)
def own_cache(caches_of_the_session, tmp_path_factory, monkeypatch):
    """Return the project's cache folder, which each test has for itself; the folder does not exist yet."""
    folder = tmp_path_factory.getbasetemp() / "cache" / str(next(NUMBERS))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder / "dvc-image-classification"


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def draw():
    """Return a function that draws a smooth image of (width, height); two seeds differ in half of their hash's bits."""
    return drawn


@pytest.fixture(scope="session")
def write_tree():
    """Return a function that writes `<class>/<number>.png` for {class: number of images}, each image another."""

    def write(folder, classes):
        seed = 0
        for name, number in classes.items():
            (folder / name).mkdir(parents=True)
            for image in range(number):
                drawn(seed).save(folder / name / f"{image}.png")
                seed += 1
        return folder

    return write


@pytest.fixture(scope="module")
def tiny_networks():
    """Add the two small networks of tests/tiny_network to the networks, for the tests of a file."""
    from stages.backbones.libraries import LIBRARIES, Architecture
    from stages.classifier import frozen_part  # imports Keras

    def make(_, image_shape, weights):
        return models.load("tiny_transfer").make_backbone(image_shape, weights)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "__path__", [*models.__path__, str(ROOT / "tests" / "tiny_network")])
        patch.setitem(LIBRARIES, "tests", make)
        tiny = Architecture(library="tests", architecture="tiny", options={}, min_side=8)
        read = frozen_part.read_architecture
        patch.setattr(frozen_part, "read_architecture", lambda name: tiny if name == "tiny_transfer" else read(name))
        yield


@pytest.fixture(scope="session")
def all_params():
    return YAML(typ="safe").load(ROOT / "params.yaml")


@pytest.fixture
def project(tmp_path, monkeypatch, all_params):
    """Work in tmp_path with a copy of the project's params.yaml, and return a function that changes one value in it."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    document = deepcopy(all_params)

    def change(name, value):
        *sections, key = name.split(".")
        table = document
        for section in sections:
            table = table[section]
        table[key] = value
        # JSON is YAML but for these two, and is written in no time.
        text = json.dumps(document).replace("NaN", ".nan").replace("Infinity", ".inf")
        (tmp_path / "params.yaml").write_text(text)

    return change


@pytest.fixture(scope="session")
def threads(request):
    """Set the number of TensorFlow's threads before the first tensor is made, because later it cannot be changed.

    To trace a graph takes longer than the few steps of a fast test, so these run without graphs. Slow tests trace
    theirs and run them as they are, and commands rewrite theirs first.
    """
    import tensorflow as tf

    from stages.networks.determinism import fix

    fix(seed=0, threads=1)
    tf.config.run_functions_eagerly(request.config.option.markexpr == "not slow")
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


@pytest.fixture(scope="module")
def tensors(threads):
    """Let a file's tests make tensors.

    Keras collects all garbage before each model; what imports and earlier tests left need not be visited again.
    """
    gc.freeze()


@pytest.fixture
def short_waits(monkeypatch):
    """Wait a tenth of the usual time before a failed request is made again."""
    from stages.web import client

    monkeypatch.setattr(client, "FIRST_WAIT_S", client.FIRST_WAIT_S / 10)


@pytest.fixture(scope="session")
def browser():
    """One browser for all tests that look at a page."""
    from playwright.sync_api import sync_playwright

    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM}: expected Debian's package chromium, got no such file.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def pages(browser):
    """Open pages in contexts of their own; any complaint of the browser fails the test."""
    from tests.page_server import Pages

    pages = Pages(browser)
    yield pages
    pages.close()
