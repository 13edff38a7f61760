import re

import keras
import numpy as np
import pytest
from PIL import Image

from benchmarks import rounds, training
from benchmarks.rounds import Cost
from benchmarks.workloads import EPOCHS_FED, Case, Setting, count_multiply_adds, prepare_feed, prepare_fit
from stages.core.tables import read_table

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


@pytest.mark.slow
def test_each_case_does_its_work_in_each_round(setting):
    costs, done = training.measure({"feed": Case("feed"), "product": Case("product")}, setting, 2)
    assert {name: len(each) for name, each in costs.items()} == {"feed": 2, "product": 2}
    assert min(cost.cpu_s for each in costs.values() for cost in each) > 0
    assert done["feed"]["images"] == 8 * EPOCHS_FED


def pretend_to_measure(cases, setting, rounds):
    """Return costs that rise from case to case and from round to round, and work that fits to each case."""
    work = {
        "fit": {"steps": 4, "flops": 8_000_000_000, "parameters": 9},
        "feed": {"batches": 4, "images": 8},
        "product": {"flops": 2_000_000_000},
    }
    numbers = dict(zip(cases, range(1, len(cases) + 1), strict=True))
    costs = {
        name: [Cost(number + each, 2.0 * (number + each)) for each in range(rounds)] for name, number in numbers.items()
    }
    return costs, {name: work[case.work] for name, case in cases.items()}


def test_the_tables_say_what_was_measured(tmp_path, root, monkeypatch):
    monkeypatch.chdir(root)
    monkeypatch.setattr(rounds, "RESULTS", tmp_path)
    monkeypatch.setattr(training, "measure", pretend_to_measure)
    monkeypatch.setattr("sys.argv", ["training", "--rounds", "1", "--steps", "2", "--side", "32", "--batch-size", "4"])
    training.main()
    table = re.sub(" +", " ", (tmp_path / "training.md").read_text())  # cells are padded to their column's width
    assert "| ours | 0.500 | 0.250 | 1 | 1 |" in table  # two CPU seconds for four steps
    assert "| plain Keras | 1.500 | 0.750 | 3.00 (3.00 to 3.00) |" in table
    assert "| feeding alone, ours | 2500.0 | 1 | 0.20 (0.20 to 0.20) |" in table
    assert "| matrix product, float32 | 0.1 |" in table
    kernels = read_table(tmp_path / "training.csv")
    assert list(kernels["kernel_size"]) == ["3", "5", "7", "11", "15", "25", "3 again"]
    for row in kernels.itertuples():
        assert f"| {row.cpu_s_per_step} | {row.ratio} ({row.low} to {row.high}) |" in table
