import hashlib
import io

import numpy as np
import pandas as pd
import pytest

from stages.core.files import read_table
from stages.core.images import read_pixels
from stages.preprocess import Preprocess, run


@pytest.fixture
def cleaned(tmp_path, draw):
    """Three cats and two dogs in raw/, listed in cleaned/kept.csv, the largest image_id first."""
    rows = []
    for number, class_ in enumerate(["cat", "cat", "cat", "dog", "dog"]):
        stream = io.BytesIO()
        draw(number, (60 + number, 40)).save(stream, "PNG")
        image_id = hashlib.sha256(stream.getvalue()).hexdigest()
        (tmp_path / "raw" / class_).mkdir(parents=True, exist_ok=True)
        (tmp_path / "raw" / class_ / f"{image_id[:16]}.png").write_bytes(stream.getvalue())
        rows.append({
            "image_id": image_id, "class": class_, "source_id": str(number), "given_split": "",
            "file": f"{class_}/{image_id[:16]}.png", "phash": "0" * 16, "group": image_id,
        })  # fmt: skip
    table = pd.DataFrame(rows).sort_values("image_id", ascending=False)
    (tmp_path / "cleaned").mkdir()
    table.to_csv(tmp_path / "cleaned" / "kept.csv", index=False)
    return table


def preprocess(folder, size=16, crop="center", per_class=None, target="pixels"):
    settings = Preprocess(size=size, crop=crop, per_class=per_class)
    counts = run(settings, folder / "raw", folder / "cleaned", folder / target)
    assert counts["listed"] == counts["kept"] + sum(counts["failed"].values())
    images = np.load(folder / target / "images.npy", mmap_mode="r")
    index, failures = (read_table(folder / target / f"{name}.csv") for name in ("index", "failures"))
    assert (len(images), len(failures)) == (len(index), sum(counts["failed"].values()))
    return counts, images, index, failures


@pytest.mark.parametrize("crop", ["center", "letterbox", "none"])
def test_every_row_of_the_index_has_its_picture(tmp_path, cleaned, crop):
    counts, images, index, failures = preprocess(tmp_path, crop=crop)
    assert counts == {"listed": 5, "kept": 5, "failed": {}, "classes": {"cat": 3, "dog": 2}}
    assert index["image_id"].tolist() == sorted(cleaned["image_id"])
    for pixels, file in zip(images, index["file"], strict=True):
        assert np.array_equal(pixels, read_pixels(tmp_path / "raw" / file, (16, 16), crop))
    assert failures.empty


def test_the_index_passes_every_column_on(tmp_path, cleaned):
    _, _, index, failures = preprocess(tmp_path)
    assert index.columns.tolist() == cleaned.columns.tolist()
    assert failures.columns.tolist() == ["image_id", "class", "source_id", "file", "reason"]


def test_the_pixels_can_be_mapped_into_memory(tmp_path, cleaned):
    _, images, _, _ = preprocess(tmp_path)
    assert isinstance(images, np.memmap)
    assert images.dtype == np.uint8


@pytest.mark.parametrize(("size", "shape"), [(16, (5, 16, 16, 3)), ([12, 20], (5, 12, 20, 3)), (1, (5, 1, 1, 3))])
def test_a_size_is_a_side_or_height_and_width(tmp_path, cleaned, size, shape):
    assert preprocess(tmp_path, size=size)[1].shape == shape


@pytest.mark.parametrize(
    ("per_class", "classes"),
    [
        (1, {"cat": 1, "dog": 1}),
        (2, {"cat": 2, "dog": 2}),
        (3, {"cat": 3, "dog": 2}),
        (4, {"cat": 3, "dog": 2}),
        (None, {"cat": 3, "dog": 2}),
    ],
)
def test_at_most_so_many_images_a_class_are_taken_and_the_rest_recorded(tmp_path, cleaned, per_class, classes):
    counts, _, index, failures = preprocess(tmp_path, per_class=per_class)
    assert counts["classes"] == classes
    over = 5 - sum(classes.values())
    assert counts["failed"] == ({"over per_class": over} if over else {})
    assert failures["reason"].tolist() == ["over per_class"] * over
    assert sorted([*index["image_id"], *failures["image_id"]]) == sorted(cleaned["image_id"])


def test_the_cap_takes_the_smallest_ids(tmp_path, cleaned):
    _, images, index, _ = preprocess(tmp_path, per_class=1)
    assert sorted(index["image_id"]) == sorted(cleaned.groupby("class")["image_id"].min())
    for pixels, file in zip(images, index["file"], strict=True):
        assert np.array_equal(pixels, read_pixels(tmp_path / "raw" / file, (16, 16), "center"))


def damage(folder, rows):
    for file in rows["file"]:
        (folder / "raw" / file).write_bytes(b"damaged since")


def test_what_cannot_be_read_is_recorded_and_the_others_keep_their_rows(tmp_path, cleaned):
    bad = cleaned.sort_values("image_id").iloc[[0, 2]]
    damage(tmp_path, bad)
    counts, images, index, failures = preprocess(tmp_path)
    assert counts["failed"] == {"unreadable": 2}
    assert failures["image_id"].tolist() == bad["image_id"].tolist()
    for pixels, file in zip(images, index["file"], strict=True):
        assert np.array_equal(pixels, read_pixels(tmp_path / "raw" / file, (16, 16), "center"))


def test_what_cannot_be_read_does_not_count_for_the_cap(tmp_path, cleaned):
    cats = cleaned[cleaned["class"] == "cat"].sort_values("image_id")
    damage(tmp_path, cats.head(1))
    counts, _, index, _ = preprocess(tmp_path, per_class=2)
    assert counts["failed"] == {"unreadable": 1}
    assert index[index["class"] == "cat"]["image_id"].tolist() == cats["image_id"].tolist()[1:]


def test_no_readable_image_is_an_error(tmp_path, cleaned):
    damage(tmp_path, cleaned)
    message = r"kept\.csv: expected images that can be read, got .*unreadable.*5"
    with pytest.raises(ValueError, match=message):
        preprocess(tmp_path)
    assert not (tmp_path / "pixels").exists()


def test_an_empty_table_is_an_error(tmp_path, cleaned):
    cleaned.head(0).to_csv(tmp_path / "cleaned" / "kept.csv", index=False)
    with pytest.raises(ValueError, match=r"kept\.csv: expected images that can be read"):
        preprocess(tmp_path)


def test_a_second_run_writes_the_same(tmp_path, cleaned):
    preprocess(tmp_path)
    preprocess(tmp_path, target="again")
    names = sorted(path.name for path in (tmp_path / "pixels").iterdir())
    assert names == ["failures.csv", "images.npy", "index.csv"]
    for name in names:
        assert (tmp_path / "pixels" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_class_names_stay_texts(tmp_path, cleaned):
    cleaned.assign(**{"class": cleaned["class"].map({"cat": "NA", "dog": "007"})}).to_csv(
        tmp_path / "cleaned" / "kept.csv", index=False
    )
    assert preprocess(tmp_path)[0]["classes"] == {"007": 2, "NA": 3}
