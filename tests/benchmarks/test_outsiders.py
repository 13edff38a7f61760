import io

import numpy as np
import pytest
from PIL import Image

from benchmarks import outsiders

pytestmark = pytest.mark.usefixtures("in_root")


@pytest.fixture
def in_root(root, monkeypatch):
    monkeypatch.chdir(root)


@pytest.mark.parametrize("kind", outsiders.MAKERS)
def test_made_images_are_the_same_each_time_and_differ_from_one_another(kind, monkeypatch):
    monkeypatch.setattr(outsiders, "MADE", 8)
    first, again = (outsiders.make_images(kind) for _ in range(2))
    assert first == again
    assert len({*first}) == len(first) == outsiders.MADE
    assert {Image.open(io.BytesIO(content)).size for content in first} == {(outsiders.SIDE, outsiders.SIDE)}


def test_images_of_a_folder_are_drawn_and_shrunk_and_other_files_passed_over(tmp_path, monkeypatch):
    for number in range(5):
        Image.new("RGB", (600, 300), (0, 0, number)).save(tmp_path / f"{number}.png")
    (tmp_path / "notes.txt").write_text("no image")
    Image.new("1", (5000, 4001)).save(tmp_path / "large.png")
    found = [Image.open(io.BytesIO(content)) for content in outsiders.draw_images(tmp_path)]
    assert {image.size for image in found} == {(256, 128)}
    assert sorted(image.getpixel((0, 0))[2] for image in found) == list(range(5))
    monkeypatch.setattr(outsiders, "IMAGES", 2)
    assert len(outsiders.draw_images(tmp_path)) == 2
    with pytest.raises(FileNotFoundError, match="expected a folder of images, got none"):
        outsiders.draw_images(tmp_path / "nowhere")


def test_the_area_is_that_of_all_pairs():
    inside, outside = np.array([0.1, 0.4, 0.5]), np.array([0.45, 0.6])
    assert outsiders.auroc(inside, outside).startswith("0.833 (")  # five of six pairs are in order
    assert outsiders.auroc(inside, inside + 1) == "1.000 (1.000 to 1.000)"


def test_a_share_has_its_interval():
    assert outsiders.share(np.repeat([True, False], [1, 9])) == "0.100 (0.018 to 0.404)"
