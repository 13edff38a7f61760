import hashlib

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks import labelled, rounds
from benchmarks.pair_scores import METHODS, same_by_our_rule
from stages.clean.settings import Clean
from stages.core import params


def test_every_labelled_pair_of_drawings_is_of_this_repository(root, monkeypatch):
    monkeypatch.chdir(root)
    table = pd.read_csv(labelled.LABELS, dtype=str)
    drawings = labelled.read_drawings()
    assert table.groupby("set").size().to_dict() == {"dog_cat": 200, "drawings": 400, "garments": 200}
    ours = table[table["set"] == "drawings"]
    assert {*ours["first"], *ours["second"]} <= set(drawings)
    assert set(table["label"]) == {*labelled.LINKED, "background", "unrelated"}


def test_the_lowest_threshold_of_the_wanted_precision_is_chosen():
    scores, is_wanted = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, False, True])
    assert labelled.choose(scores, is_wanted, 1.0) == 0.8
    assert labelled.choose(scores, is_wanted, 0.75) == 0.6
    assert labelled.choose(scores, ~is_wanted, 0.9) == np.inf
    assert labelled.rate(scores >= 0.7, is_wanted) == (2 / 3, 2 / 3)
    assert labelled.rate(scores > 1, is_wanted) == (0, 1)


def textured(seed):
    """An image with edges everywhere."""
    coarse = np.random.default_rng(seed).integers(0, 256, (20, 25, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((300, 240), Image.Resampling.BICUBIC)


@pytest.fixture
def photographs(tmp_path):
    for number in range(3):
        file = tmp_path / "photographs" / "class" / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        textured(number).save(file)
    return tmp_path / "photographs"


@pytest.mark.slow
def test_copies_are_planted_in_each_kind_and_found_by_our_rule(photographs, root, monkeypatch):
    monkeypatch.chdir(root)
    rows = labelled.plant({"photographs": labelled.read_folder(photographs)})
    assert len(rows) == 3 * len(labelled.CHANGES)
    assert rows == labelled.plant({"photographs": labelled.read_folder(photographs)})
    settings = params.read(Clean, "clean")
    resized = [row for row in rows if row[0] in ("resize", "flip", "format")]
    assert all(same_by_our_rule(original, copy, settings) for _, original, copy in resized)
    assert not same_by_our_rule(rows[0][1], rows[-1][1], settings)


@pytest.mark.parametrize("name", METHODS)
def test_each_method_takes_an_image_for_liker_to_itself_than_to_another(name):
    one, other = (labelled.encode(textured(seed), ".png", 0) for seed in (0, 1))
    assert METHODS[name](one, one) > METHODS[name](one, other)


@pytest.mark.slow
def test_a_small_run_publishes_both_tables(tmp_path, root, photographs, monkeypatch):
    monkeypatch.chdir(root)
    monkeypatch.setattr(rounds, "RESULTS", tmp_path)
    monkeypatch.setattr(labelled, "ORIGINALS", 2)
    table = pd.read_csv(labelled.LABELS, dtype=str).groupby(["set", "label"]).head(2)
    ids = [hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(photographs.glob("*/*"))]
    table.loc[table["set"] == "garments", ["first", "second"]] = ids[:2]
    table.to_csv(tmp_path / "pairs.csv", index=False)
    monkeypatch.setattr(labelled, "LABELS", tmp_path / "pairs.csv")
    monkeypatch.setattr("sys.argv", ["labelled", "--garments", str(photographs)])
    labelled.main()
    text = (tmp_path / "labelled.md").read_text()
    assert "drawings: " in text and "garments: " in text and "dog_cat" not in text
    assert text.count("| SIFT and RANSAC |") == 2
