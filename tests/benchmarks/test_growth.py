import io
import subprocess
import sys

import imagehash
import numpy as np
import pytest
from PIL import Image

from benchmarks import collages
from benchmarks.growth import StepCost, describe
from benchmarks.variants import decodes
from benchmarks.watch import Watch

IMAGES = 60


def encode(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def contents():
    random = np.random.default_rng(0)
    cells = [random.integers(0, 256, (12, 9, 3), dtype=np.uint8) for _ in range(6)]
    files = [encode(np.kron(each, np.ones((20, 20, 1), np.uint8))) for each in cells]
    return {"cats": files[:3], "dogs": files[3:]}


@pytest.fixture(scope="module")
def written(contents, tmp_path_factory):
    folder = tmp_path_factory.mktemp("collages") / "images"
    collages.write(folder, IMAGES, contents)
    return folder


def read_all(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.glob("*/*"))}


def test_the_classes_alternate_and_the_same_seed_gives_the_same_files(written, contents, tmp_path):
    found = read_all(written)
    assert len(found) == len(set(found.values())) == IMAGES
    assert [len(list((written / name).iterdir())) for name in contents] == [IMAGES // 2] * 2
    collages.write(tmp_path / "again", IMAGES, contents)
    assert read_all(tmp_path / "again") == found
    collages.write(tmp_path / "other", 1, contents, seed=1)
    assert not set(read_all(tmp_path / "other").values()) & set(found.values())


def test_each_25th_file_is_a_near_duplicate_of_the_one_before_it_in_its_class(written):
    files = {int(path.stem): path for path in written.glob("*/*")}
    for number in range(collages.NEAR - 1, IMAGES, collages.NEAR):
        own, before, other = (read(files[number + step]) for step in (0, -2, -4))
        assert own - before <= 12 < own - other


def read(path):
    with Image.open(path) as image:
        return imagehash.phash(image)


def test_each_500th_file_is_broken(contents):
    ending, content = collages.make(collages.BROKEN - 1, 0, contents["cats"], seed=0)
    assert ending == ".jpg" and not decodes(content)


def test_a_folder_that_is_there_is_left_alone(written, contents):
    with pytest.raises(ValueError, match="expected no such folder yet, got one"):
        collages.write(written, IMAGES, contents)


def test_the_watch_sees_how_long_a_step_lives_and_how_much_memory_it_takes():
    step = "import time; a = bytearray(80_000_000); time.sleep(1)"
    parent = f"import subprocess, sys, time; time.sleep(1); subprocess.run([sys.executable, '-c', {step!r}])"
    child = subprocess.Popen([sys.executable, "-c", parent])
    watch = Watch(child.pid)
    watch.start()
    child.wait()
    watch.join()
    assert 80e6 < watch.peak_bytes < 200e6
    assert 0.7 < watch.seen_s < 60  # the parent's own second does not count


def test_a_million_images_need_what_each_further_image_takes():
    costs = {
        10_000: {"clean": StepCost(10, 2, 500, 100), "train@vgg": StepCost(9, 1, 900, 50)},
        100_000: {"clean": StepCost(100, 20, 950, 1000)},
    }
    clean, vgg = describe(costs, {"clean": 100.0, "train@vgg": 400.0}).splitlines()[2:]
    assert clean == "| clean | 100 | 10.0 | 2.0 | 500 | 100 | 100.0 | 20.0 | 950 | 1000 | 0.3 | 5.5 | 10.0 |"
    assert vgg.endswith("|  |  |  |  |  |  |  |")
