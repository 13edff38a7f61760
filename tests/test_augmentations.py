import numpy as np
import pandas as pd
import pytest
from PIL import Image

from stages.augmentations import SHEET, SIDE, VERSIONS, describe_shares, run, take_batch, to_text
from stages.core.files import write_json
from stages.figures.sheets import GAP, MARGIN, TITLE
from stages.transforms.affine import Augmentation

PRESETS = {"none": Augmentation(), "turned": Augmentation(rotation=30), "mixed": Augmentation(mixup=1)}


@pytest.fixture
def source(tmp_path, draw):
    """Write a folder of 20 images as `preprocess` leaves it."""
    folder = tmp_path / "pixels"
    folder.mkdir()
    np.save(folder / "images.npy", np.stack([np.asarray(draw(seed, (96, 80))) for seed in range(20)]))
    classes = ["cat" if row < 10 else "dog" for row in range(20)]
    pd.DataFrame({"image_id": map(str, range(20)), "class": classes}).to_csv(folder / "index.csv", index=False)
    write_json({"size": [80, 96], "crop": "none"}, folder / "preprocessing.json")
    return folder


def read_tiles(path):
    """Return the images of the first row of the page."""
    with Image.open(path) as sheet:
        page = np.asarray(sheet)
    top = MARGIN + 2 * TITLE
    return [page[top : top + SIDE, left : left + SIDE] for left in range(MARGIN, page.shape[1] - SIDE, SIDE + GAP)]


def test_a_preset_without_changes_shows_the_original_each_time(source, tmp_path):
    run(PRESETS, source, tmp_path / "sheets")
    tiles = read_tiles(tmp_path / "sheets" / SHEET)
    assert len(tiles) == 1 + VERSIONS
    assert all(np.array_equal(tile[1:-1, 1:-1], tiles[0][1:-1, 1:-1]) for tile in tiles)


def test_a_preset_with_changes_shows_other_images(source, tmp_path):
    run({"turned": PRESETS["turned"]}, source, tmp_path / "sheets")
    original, *changed = read_tiles(tmp_path / "sheets" / SHEET)
    assert len({tile.tobytes() for tile in (original, *changed)}) == 1 + VERSIONS


def test_a_preset_more_makes_the_page_longer(source, tmp_path):
    heights = []
    for number in (1, 3):
        run(dict(list(PRESETS.items())[:number]), source, tmp_path / "sheets")
        with Image.open(tmp_path / "sheets" / SHEET) as sheet:
            heights.append(sheet.height)
    assert heights[0] < heights[1]


def test_a_second_run_changes_no_byte(source, tmp_path):
    for name in ("one", "two"):
        run({"mixed": PRESETS["mixed"]}, source, tmp_path / name)
    assert (tmp_path / "one" / SHEET).read_bytes() == (tmp_path / "two" / SHEET).read_bytes()


def test_the_images_shown_lie_far_apart_and_are_no_pair_of_the_same(source):
    images, names = take_batch(source)
    assert images.shape == (16, 80, 96, 3)
    assert names[:2] == ["cat", "dog"]
    assert len({image.tobytes() for image in images}) == 16


def test_a_single_image_is_enough(tmp_path, source):
    np.save(source / "images.npy", np.load(source / "images.npy")[:1])
    table = pd.read_csv(source / "index.csv")[:1]
    table.to_csv(source / "index.csv", index=False)
    run(PRESETS, source, tmp_path / "sheets")
    assert (tmp_path / "sheets" / SHEET).is_file()


def test_words_tell_amounts_and_shares():
    assert to_text(Augmentation()) == "the images as they are"
    assert to_text(Augmentation(rotation=15, horizontal_flip=True)) == "rotation 15, horizontal flip"
    assert describe_shares({"cat": 0.251, "dog": 0.749, "cow": 0.0}) == ("dog 0.75", "cat 0.25")
