import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from benchmarks import outsiders
from stages.images.opening import UnusableImage

pytestmark = pytest.mark.usefixtures("in_root")


@pytest.fixture
def in_root(root, monkeypatch):
    monkeypatch.chdir(root)


@pytest.mark.parametrize("kind", outsiders.MAKERS)
def test_made_images_are_the_same_each_time_and_differ_from_one_another(kind):
    first, again = (list(outsiders.made_files(kind)) for _ in range(2))
    assert first == again
    assert len({*first}) == len(first) == outsiders.MADE
    assert {Image.open(io.BytesIO(content)).size for content in first} == {(outsiders.SIDE, outsiders.SIDE)}


def test_as_many_files_are_read_as_are_wanted_and_those_that_are_no_image_are_passed_over(tmp_path):
    def read(content):
        if content == b"3":
            raise UnusableImage("unreadable", "no image")
        return np.full((2, 2, 3), int(content), np.uint8)

    for number in range(6):
        (tmp_path / f"{number}.png").write_bytes(b"%d" % number)
    classifier = SimpleNamespace(read_bytes=read)
    images = outsiders.read_images(classifier, outsiders.drawn_files(tmp_path), 99)
    assert sorted(images[:, 0, 0, 0]) == [0, 1, 2, 4, 5]
    assert len(outsiders.read_images(classifier, outsiders.drawn_files(tmp_path), 4)) == 4
    with pytest.raises(FileNotFoundError, match="expected a folder of images, got none"):
        next(outsiders.drawn_files(tmp_path / "nowhere"))


def test_the_area_is_that_of_all_pairs():
    inside, outside = np.array([0.1, 0.4, 0.5]), np.array([0.45, 0.6])
    assert outsiders.auroc(inside, outside).startswith("0.833 (")  # five of six pairs are in order
    assert outsiders.auroc(inside, inside + 1) == "1.000 (1.000 to 1.000)"


def test_a_share_has_its_interval():
    assert outsiders.share(np.repeat([True, False], [1, 9])) == "0.100 (0.018 to 0.404)"
