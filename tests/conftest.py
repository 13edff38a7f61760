import signal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
CHROMIUM = Path("/usr/bin/chromium")

# Drawn by a fixed seed, so that a red test stays red, and without a folder of past examples.
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")

# A shell's background jobs ignore Ctrl-C, and so would all the commands that tests end with it.
signal.signal(signal.SIGINT, signal.default_int_handler)


def drawn(seed, size=(64, 48), mode="RGB"):
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).convert(mode)


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def draw():
    """A smooth picture of (width, height); two seeds differ in about half of their hash's bits."""
    return drawn


@pytest.fixture(scope="session")
def write_tree():
    """Write `<class>/<number>.png` for {class: number of images}, no picture twice."""

    def write(folder, classes):
        seed = 0
        for name, number in classes.items():
            (folder / name).mkdir(parents=True)
            for image in range(number):
                drawn(seed).save(folder / name / f"{image}.png")
                seed += 1
        return folder

    return write


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Work in tmp_path with a copy of the project's params.yaml, and return what changes one of its values."""
    monkeypatch.chdir(tmp_path)
    yaml = YAML()
    document = yaml.load(ROOT / "params.yaml")
    yaml.dump(document, tmp_path / "params.yaml")

    def change(name, value):
        *sections, key = name.split(".")
        table = document
        for section in sections:
            table = table[section]
        table[key] = value
        yaml.dump(document, tmp_path / "params.yaml")

    return change


@pytest.fixture(scope="session")
def tensors():
    """Fix TensorFlow's threads before anything makes a tensor: they cannot be changed later."""
    from stages.networks.determinism import fix

    fix(seed=0, threads=1)


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
