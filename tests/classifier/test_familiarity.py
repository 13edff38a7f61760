import keras
import numpy as np
import pytest

from stages.classifier.familiarity import read_familiarity
from stages.core.files import sha256, write_json
from stages.networks.answer_limits import LIMITS, REFERENCES
from stages.training.saving import save

pytestmark = pytest.mark.usefixtures("tensors")
WIDTH = 3


@pytest.fixture(scope="module")
def model(tensors):
    """A network whose features are the mean colour of an image."""
    return keras.Sequential([
        keras.Input((4, 4, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2, activation="softmax"),
    ])  # fmt: skip


@pytest.fixture
def folder(tmp_path, model):
    save(model, tmp_path / "model.keras")
    write_answers(tmp_path, tmp_path)
    return tmp_path


def write_answers(folder, trained, **changes):
    folder.mkdir(exist_ok=True)
    limits = {"model": sha256(trained / "model.keras"), "novelty": 0.5, "least_probability": 0.25}
    write_json(limits | changes, folder / LIMITS)
    np.save(folder / REFERENCES, np.eye(WIDTH, dtype=np.float16)[:1])


def test_rows_unlike_the_references_are_refused(folder, model):
    answers = read_familiarity(model, folder, folder)
    rows = np.zeros((3, 4, 4, 3), np.uint8)
    rows[0, ..., 0], rows[1, ..., 1], rows[2] = 200, 200, (200, 60, 0)
    assert answers.refuse(rows, 2).tolist() == [False, True, False]


def test_the_models_own_folder_comes_first_and_then_the_evaluations(folder, model, tmp_path):
    write_answers(tmp_path / "evaluated", tmp_path, novelty=0.75)
    assert read_familiarity(model, folder, tmp_path / "evaluated").limits.novelty == 0.5
    (folder / LIMITS).unlink()
    assert read_familiarity(model, folder, tmp_path / "evaluated").limits.novelty == 0.75
    assert read_familiarity(model, folder, tmp_path / "none") is None


def test_those_of_another_model_are_not_taken(folder, model):
    write_answers(folder, folder, model="0" * 64)
    assert read_familiarity(model, folder, folder) is None


def cut(path):
    path.write_bytes(path.read_bytes()[:-2])


def claim_much(path):
    path.write_bytes(path.read_bytes().replace(b"(1, 3)", b"(9999999999, 3)"))


def break_header(path):
    path.write_bytes(path.read_bytes().replace(b"(1, 3)", b"(((((("))


def write_archive(path):
    np.savez(path.with_suffix(".npz"), np.eye(3))
    path.with_suffix(".npz").replace(path)


def write_array(array):
    return lambda path: np.save(path, array, allow_pickle=True)


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        (LIMITS, cut, "answer_limits.json: expected"),
        (LIMITS, lambda path: path.write_text("[]"), "answer_limits.json: expected"),
        (LIMITS, lambda path: write_json({"model": "", "novelty": -1, "least_probability": 0}, path), "json novelty:"),
        (LIMITS, lambda path: write_json({"novelty": 1.0, "least_probability": 2.0}, path), "json least_probability:"),
        (REFERENCES, lambda path: path.unlink(), "expected features of training images, got"),
        (REFERENCES, cut, "expected features of training images, got"),
        (REFERENCES, claim_much, "expected features of training images, got"),
        (REFERENCES, write_archive, "expected features of training images, got"),
        (REFERENCES, lambda path: path.write_bytes(b"PK\x03\x04"), "expected features of training images, got"),
        (REFERENCES, break_header, "expected features of training images, got"),
        (REFERENCES, write_array(np.array([print])), "expected features of training images, got"),
        (REFERENCES, write_array(np.ones((2, 2), np.float16)), r"expected rows of 3 numbers of 16 bits, got \(2, 2\)"),
        (REFERENCES, write_array(np.ones((2, 3))), "expected rows of 3 numbers of 16 bits"),
        (
            REFERENCES,
            write_array(np.ones((5001, 3), np.float16)),
            "1 to 5000 rows of finite numbers, got 5001",
        ),
        (REFERENCES, write_array(np.full((2, 3), np.inf, np.float16)), "rows of finite numbers"),
    ],
)
def test_a_damaged_file_is_one_line(folder, model, name, damage, message):
    damage(folder / name)
    with pytest.raises(ValueError, match=message) as caught:
        read_familiarity(model, folder, folder)
    assert str(caught.value).startswith(str(folder / name))
    assert "\n" not in str(caught.value)
