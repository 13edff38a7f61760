import sys

import pytest

from benchmarks import duplicates, rounds
from benchmarks.planted import LEAST_IMAGES
from tests.repositories import draw_classes

pytestmark = pytest.mark.slow


def test_a_small_comparison_is_published(root, tmp_path, monkeypatch):
    monkeypatch.chdir(root)
    monkeypatch.setattr(rounds, "RESULTS", tmp_path / "results")
    duplicates.run(tmp_path, sys.executable, None, 1, ["imagehash"], (LEAST_IMAGES, LEAST_IMAGES))
    text = (tmp_path / "results" / "duplicates.md").read_text()
    assert "| found of each kind | ours | ours, mirrored | imagehash |" in text
    assert "| **precision** | **1.000** | **1.000** |" in text
    costs = text.partition("| method | CPU s |")[2].partition("\n\n")[0].splitlines()[2:]
    assert [line.split(" | ")[0] for line in costs] == ["| ours", "| ours again", "| ours, mirrored", "| imagehash"]
    assert "| imagehash | 0 |" in text


def test_a_benchmark_takes_the_pixels_of_any_folder(root, tmp_path, monkeypatch):
    from benchmarks.transfer import take_pixels

    monkeypatch.chdir(root)
    draw_classes(tmp_path / "own")
    pixels = take_pixels(tmp_path / "own", tmp_path)
    assert (pixels / "index.csv").is_file()
