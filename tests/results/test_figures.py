import pandas as pd
import pytest
from PIL import Image

from stages.figures.style import MOST_CLASSES
from stages.results.figures import READABLE, draw_summary

ONE = {"test": {"accuracy": 0.5, "low": 0.4, "high": 0.6}, "val": {"accuracy": 0.5}}
VALUES = {"networks": {"vgg": ONE}, "champion": "vgg", "baseline": {"test": {"accuracy": 0.2}}}


def size_of(n_classes, path):
    classes = [f"class {number:03}" for number in range(n_classes)]
    draw_summary(VALUES, {"vgg": pd.DataFrame({"class": classes, "predicted": classes})}, path)
    with Image.open(path) as image:
        return image.size


@pytest.mark.parametrize(
    ("n_classes", "factor"), [(2, 1), (READABLE, 1), (2 * READABLE, 2), (MOST_CLASSES + 1, 1), (200, 1)]
)
def test_a_confusion_matrix_grows_with_its_classes_as_long_as_it_has_numbers(n_classes, factor, tmp_path):
    width, height = size_of(n_classes, tmp_path / "summary.png")
    assert (width, height) == (round(110 * (3.6 + 5 * factor)), round(110 * 5.4 * factor))
