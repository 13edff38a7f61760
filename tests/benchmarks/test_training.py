import re
from dataclasses import replace

import keras
import numpy as np
import pytest
from PIL import Image

from benchmarks import rounds, training
from benchmarks.workloads import EPOCHS_FED, Case, Setting, count_multiply_adds, prepare_feed, prepare_fit
from stages.core.files import read_table

pytestmark = pytest.mark.usefixtures("tensors")


@pytest.fixture
def setting(tmp_path):
    training.write_images(tmp_path, 8, 32)
    return Setting(tmp_path, training.CLASSES, batch_size=4, threads=1)


def test_the_files_hold_the_pixels_of_the_array(setting):
    files = sorted((setting.folder / "files").glob("*/*.png"), key=lambda file: file.stem)
    assert [int(file.parent.name) for file in files] == [0, 1, 2, 0, 1, 2, 0, 1]
    np.testing.assert_array_equal([np.asarray(Image.open(file)) for file in files], setting.array)


@pytest.mark.slow
def test_both_feeders_give_equally_many_images(setting):
    fed = [prepare_feed(Case("feed", feeder), setting)() for feeder in ("ours", "keras")]
    assert fed[0] == fed[1] == {"batches": 2 * EPOCHS_FED, "images": 8 * EPOCHS_FED}


def test_multiply_adds_are_those_of_the_layers():
    model = keras.Sequential([
        keras.Input((8, 6, 3)), keras.layers.Conv2D(5, 3, padding="same"), keras.layers.MaxPooling2D(),
        keras.layers.Flatten(), keras.layers.Dense(7),
    ])  # fmt: skip
    assert count_multiply_adds(model) == 8 * 6 * 5 * 3 * 3 * 3 + 4 * 3 * 5 * 7


@pytest.mark.slow
def test_a_fit_does_the_steps_that_it_reports(setting, root, monkeypatch):
    monkeypatch.chdir(root)
    done = prepare_fit(Case("fit", network="convnet", changes={"width": 0.1, "kernel_size": 3}), setting)()
    assert done["steps"] == 2
    assert done["flops"] % (2 * 4 * 6) == 0


def test_unequal_work_is_refused():
    training.check_same([{"steps": 2}, {"images": 3}, {"steps": 2}], "steps", "images")
    with pytest.raises(ValueError, match=r"steps: expected the same from all cases, got \[2, 3\]\."):
        training.check_same([{"steps": 2}, {"steps": 3}], "steps")


def with_convnet(cases):
    """The cases with a network that TensorFlow traces quickly."""
    assert {case.network for case in cases.values()} == {"vgg16"}
    return {name: replace(case, network="convnet", changes={"width": 0.05}) for name, case in cases.items()}


@pytest.mark.slow
def test_a_tiny_run_writes_all_tables(tmp_path, root, monkeypatch):
    monkeypatch.chdir(root)
    monkeypatch.setattr(rounds, "RESULTS", tmp_path)
    monkeypatch.setattr(training, "KERNEL_SIZES", (3,))
    with_vgg16 = training.step_cases
    monkeypatch.setattr(training, "step_cases", lambda width: with_convnet(with_vgg16(width)))
    tiny = ["--rounds", "1", "--steps", "2", "--side", "32", "--batch-size", "4", "--width", "0.05"]
    monkeypatch.setattr("sys.argv", ["training", *tiny])
    training.main()
    table = re.sub(" +", " ", (tmp_path / "training.md").read_text())  # cells are padded to their column's width
    for row in (
        "ours again",
        "plain Keras",
        "ours, mixed_bfloat16",
        "feeding alone, ours",
        "matrix product",
        "3",
        "3 again",
    ):
        assert f"| {row}" in table
    kernels = read_table(tmp_path / "training.csv")
    assert list(kernels["kernel_size"]) == ["3", "3 again"]
    for row in kernels.itertuples():
        assert f"| {row.cpu_s_per_step} | {row.ratio} ({row.low} to {row.high}) |" in table
