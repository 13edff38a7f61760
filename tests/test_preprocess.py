import hashlib
import io
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.cbook import get_sample_data
from PIL import Image

from stages.core.files import read_json
from stages.core.tables import read_table
from stages.core.terminal import command
from stages.images.faces import Face, open_detector, read_face
from stages.images.preprocessing import Preprocessing, open_reader
from stages.images.reading import read_pixels
from stages.preprocess import N_FACES, N_WITHOUT, Preprocess, main, run, spread

FACE = {
    "cascade": "haarcascade_frontalface_default", "sha256": None, "scale_factor": 1.1, "neighbours": 5,
    "min_side": 60, "margin": 0.1,
}  # fmt: skip


@pytest.fixture
def cleaned(tmp_path, draw):
    """Write three cats and two dogs in raw/, listed in cleaned/kept.csv, the largest image_id first."""
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


def preprocess(folder, size=16, crop="center", per_class=None, target="pixels", **face):
    settings = Preprocess(size=size, crop=crop, per_class=per_class, face=Face(**FACE | face))
    counts = run(settings, folder / "raw", folder / "cleaned" / "kept.csv", folder / target)
    assert counts["listed"] == counts["kept"] + sum(counts["failed"].values())
    images = np.load(folder / target / "images.npy", mmap_mode="r")
    index, failures = (read_table(folder / target / f"{name}.csv") for name in ("index", "failures"))
    assert (len(images), len(failures)) == (len(index), sum(counts["failed"].values()))
    return counts, images, index, failures


@pytest.mark.parametrize("crop", ["center", "letterbox", "none"])
def test_every_row_of_the_index_has_its_image(tmp_path, cleaned, crop):
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
    message = r"kept\.csv: expected images that can be used, got .*unreadable.*5"
    with pytest.raises(ValueError, match=message):
        preprocess(tmp_path)
    assert not (tmp_path / "pixels").exists()


def test_an_empty_table_is_an_error(tmp_path, cleaned):
    cleaned.head(0).to_csv(tmp_path / "cleaned" / "kept.csv", index=False)
    with pytest.raises(ValueError, match=r"kept\.csv: expected images that can be used"):
        preprocess(tmp_path)


def test_a_new_image_is_read_as_those_were(tmp_path, cleaned):
    preprocess(tmp_path)
    folder = tmp_path / "pixels"
    settings = Preprocessing.model_validate(read_json(folder / "preprocessing.json"))
    read = open_reader(settings)
    images = np.load(folder / "images.npy")
    for row, file in enumerate(read_table(folder / "index.csv")["file"]):
        np.testing.assert_array_equal(read(tmp_path / "raw" / file)[0], images[row])


def test_a_second_run_writes_the_same(tmp_path, cleaned):
    preprocess(tmp_path)
    preprocess(tmp_path, target="again")
    names = sorted(path.name for path in (tmp_path / "pixels").glob("[!.]*"))
    assert names == ["failures.csv", "images.npy", "index.csv", "preprocessing.json"]
    for name in names:
        assert (tmp_path / "pixels" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_class_names_stay_texts(tmp_path, cleaned):
    cleaned.assign(**{"class": cleaned["class"].map({"cat": "NA", "dog": "007"})}).to_csv(
        tmp_path / "cleaned" / "kept.csv", index=False
    )
    assert preprocess(tmp_path)[0]["classes"] == {"007": 2, "NA": 3}


def test_without_faces_asked_for_no_cascade_is_opened(tmp_path, cleaned):
    assert preprocess(tmp_path, cascade="there is none")[0]["kept"] == 5


@pytest.fixture
def people(tmp_path, cleaned):
    """Add portraits of three widths to the five drawings, each listed in the class `person` as train and as test."""
    with Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)) as image:
        portrait = image.convert("RGB")
    rows = []
    (tmp_path / "raw" / "person").mkdir()
    for side in (180, 240, 300):
        stream = io.BytesIO()
        portrait.resize((side, side * 600 // 512)).save(stream, "PNG")
        image_id, file = hashlib.sha256(stream.getvalue()).hexdigest(), f"person/{side}.png"
        (tmp_path / "raw" / file).write_bytes(stream.getvalue())
        rows += [
            {"image_id": image_id, "class": "person", "source_id": file, "given_split": split, "file": file}
            for split in ("train", "test")
        ]
    table = pd.concat([cleaned, pd.DataFrame(rows)]).fillna("")
    table.to_csv(tmp_path / "cleaned" / "kept.csv", index=False)
    return table


def test_faces_are_cut_out_and_their_boxes_listed(tmp_path, people):
    counts, images, index, failures = preprocess(tmp_path, crop="face")
    assert counts == {"listed": 11, "kept": 6, "failed": {"no face": 5}, "classes": {"person": 6}}
    assert index.columns.tolist() == [*people.columns, "face_left", "face_top", "face_width", "face_height"]
    detector = open_detector(Face(**FACE))
    boxes = index[["face_left", "face_top", "face_width", "face_height"]].astype(int)
    for pixels, file, box in zip(images, index["file"], boxes.to_numpy(), strict=True):
        expected, faces = read_face(tmp_path / "raw" / file, (16, 16), detector)
        assert np.array_equal(pixels, expected)
        assert faces[0] == tuple(box)
    assert set(failures["reason"]) == {"no face"}
    assert set(failures["class"]) == {"cat", "dog"}


def test_an_image_listed_for_two_splits_has_a_row_for_each(tmp_path, people):
    _, images, index, _ = preprocess(tmp_path, crop="face")
    assert index["image_id"].tolist() == sorted(people[people["class"] == "person"]["image_id"])
    assert index["given_split"].tolist() == ["train", "test"] * 3
    assert np.array_equal(images[::2], images[1::2])
    assert not np.array_equal(images[0], images[2])


def test_the_listed_box_is_the_face_without_the_margin(tmp_path, people):
    index = [preprocess(tmp_path, crop="face", margin=margin)[2] for margin in (0.0, 0.4)]
    assert index[0].equals(index[1])


def test_an_image_without_a_face_does_not_count_for_the_cap(tmp_path, people):
    counts, _, index, failures = preprocess(tmp_path, crop="face", per_class=2)
    assert counts["failed"] == {"no face": 5, "over per_class": 4}
    assert index["image_id"].nunique() == 1
    assert len(failures) == 9


def test_only_faces_of_the_smallest_side_are_taken(tmp_path, people):
    counts, _, index, _ = preprocess(tmp_path, crop="face", min_side=100)
    assert 0 < counts["kept"] < 6
    assert index["face_width"].astype(int).min() >= 100


def test_an_unreadable_image_and_one_without_a_face_keep_their_reasons(tmp_path, people):
    damage(tmp_path, people.head(2))
    assert preprocess(tmp_path, crop="face")[0]["failed"] == {"no face": 3, "unreadable": 2}


def test_no_face_at_all_is_an_error(tmp_path, cleaned):
    with pytest.raises(ValueError, match=r"kept\.csv: expected images that can be used, got \{'no face': 5\}\.$"):
        preprocess(tmp_path, crop="face")
    assert not (tmp_path / "pixels").exists()


def test_a_second_run_cuts_the_same_faces_and_draws_the_same_sheet(tmp_path, people):
    preprocess(tmp_path, crop="face")
    preprocess(tmp_path, crop="face", target="again")
    names = sorted(path.name for path in (tmp_path / "pixels").glob("[!.]*"))
    assert names == ["faces.png", "failures.csv", "images.npy", "index.csv", "preprocessing.json"]
    for name in names:
        assert (tmp_path / "pixels" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_the_sheet_shows_images_with_and_without_a_face(tmp_path, people):
    heights = {}
    for name, rows in {"both": people, "with": people[people["class"] == "person"]}.items():
        rows.to_csv(tmp_path / "cleaned" / "kept.csv", index=False)
        preprocess(tmp_path, crop="face", target=name)
        with Image.open(tmp_path / name / "faces.png") as sheet:
            heights[name] = sheet.height
    # A section is a title and a row of images; an empty one is not drawn.
    assert heights["both"] - 32 == 2 * (heights["with"] - 32)


@pytest.mark.parametrize("number", [0, 1, 23, 24, 25, 47, 48, 49, 1000])
@pytest.mark.parametrize("most", [N_FACES, N_WITHOUT])
def test_rows_for_the_sheet_are_spread_evenly(number, most):
    shown = spread(pd.DataFrame({"row": range(number)}), most)["row"].tolist()
    assert len(shown) == min(number, most)
    assert len(set(np.diff(shown))) <= 2
    assert not shown or (shown[0], shown[-1]) == (0, number - 1)


ARGUMENTS = ["raw", "cleaned/kept.csv", "pixels", "inputs", "metrics.json"]


def call(root):
    return subprocess.run(
        [sys.executable, "-m", "stages.preprocess", *ARGUMENTS],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
        check=False,
    )


@pytest.mark.slow
def test_the_command_cuts_faces_out_with_the_projects_own_cascade(project, root, tmp_path, people):
    project("preprocess.crop", "face")
    project("preprocess.face.min_side", 60)
    done = call(root)
    said = "preprocess: 11 images listed = 6 kept + 5 no face\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")
    assert len(read_table(tmp_path / "pixels" / "index.csv")) == 6


@pytest.mark.parametrize("cascade", ["haarcascade_frontal", "cleaned/kept.csv", "http://127.0.0.1:9/cascade.xml"])
def test_a_cascade_that_cannot_be_had_is_one_line_and_leaves_nothing(project, tmp_path, people, monkeypatch, cascade):
    project("preprocess.crop", "face")
    project("preprocess.face.cascade", cascade)
    project("preprocess.face.sha256", "0" * 64 if "//" in cascade else None)
    monkeypatch.setattr(sys, "argv", ["preprocess", *ARGUMENTS])
    with pytest.raises(SystemExit) as caught:
        command(main)
    line = caught.value.code  # As a text, it goes to standard error with exit status 1.
    assert "\n" not in line
    assert cascade in line
    assert "expected " in line
    assert not [path for name in ("pixels", "inputs", "metrics.json") for path in tmp_path.glob(f"{name}*")]


def test_the_same_images_are_written_in_further_sizes(project, tmp_path, cleaned, monkeypatch):
    project("inputs", {"small": 8, "large": [256, 256]})
    monkeypatch.setattr(sys, "argv", ["preprocess", *ARGUMENTS])
    main()
    index = (tmp_path / "pixels" / "index.csv").read_bytes()
    assert sorted(path.name for path in (tmp_path / "inputs").glob("[a-z]*")) == ["large", "small"]
    for name, side in (("small", 8), ("large", 256)):
        assert np.load(tmp_path / "inputs" / name / "images.npy").shape == (5, side, side, 3)
        assert (tmp_path / "inputs" / name / "index.csv").read_bytes() == index
        assert read_json(tmp_path / "inputs" / name / "preprocessing.json")["size"] == [side, side]
    raw = {row["image_id"]: row["file"] for row in read_table(tmp_path / "cleaned" / "kept.csv").to_dict("records")}
    first = read_table(tmp_path / "pixels" / "index.csv")["image_id"][0]
    wanted = read_pixels(tmp_path / "raw" / raw[first], (256, 256), "letterbox")
    np.testing.assert_array_equal(np.load(tmp_path / "inputs" / "large" / "images.npy")[0], wanted)


def test_without_further_sizes_their_folder_is_empty(project, tmp_path, cleaned, monkeypatch):
    project("inputs", {})
    monkeypatch.setattr(sys, "argv", ["preprocess", *ARGUMENTS])
    main()
    assert not [*(tmp_path / "inputs").glob("[a-z]*")]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            {"large": [192, 256]},
            "inputs.large: expected the proportions of preprocess.size, 128 to 128, got 192 to 256",
        ),
        ({"large": 0}, "inputs.large: expected an integer >= 1, or [height, width], got 0"),
        ({"../large": 64}, "inputs"),
        ({"size": 64}, "inputs: expected a name that DVC's run cache sees, got size"),
    ],
)
def test_a_further_size_that_cannot_be_is_one_line_and_leaves_nothing(
    project, tmp_path, cleaned, monkeypatch, inputs, message
):
    project("inputs", inputs)
    monkeypatch.setattr(sys, "argv", ["preprocess", *ARGUMENTS])
    with pytest.raises(SystemExit) as caught:
        command(main)
    assert message in caught.value.code
    assert "\n" not in caught.value.code
    assert not (tmp_path / "pixels").exists()
