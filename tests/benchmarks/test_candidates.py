import numpy as np
import pandas as pd
import pytest

from benchmarks import candidate_sources, candidates
from benchmarks.candidate_sources import Found, by_features, look_at_all, search
from benchmarks.variants import encode, flip
from stages.clean.settings import Clean
from stages.core import params
from tests.benchmarks.test_labelled import textured


@pytest.fixture
def settings(root, monkeypatch):
    monkeypatch.chdir(root)
    return params.read(Clean, "clean")


@pytest.fixture
def few(monkeypatch):
    """Search for one neighbour of each image, and for one kind of copy."""
    monkeypatch.setattr(candidate_sources, "NEIGHBOURS", (1,))
    monkeypatch.setattr(candidates, "CHANGES", {"flip": None})


@pytest.fixture
def contents():
    """Return six images, a mirrored copy of the first one, and what a network might make of them."""
    images = [textured(number) for number in range(6)]
    return [encode(image, ".jpg", 90) for image in [*images, flip(images[0], np.random.default_rng(0))]]


FEATURES = np.eye(7, dtype=np.float32)
FEATURES[6] = FEATURES[0] + 0.1 * FEATURES[1]  # the copy


def test_the_nearest_by_features_are_paired_once_in_the_form_of_their_hashes(contents, settings):
    pairs = by_features(look_at_all(contents, FEATURES), settings, 1)
    assert not pairs.duplicated(["first", "second"]).any()
    assert (pairs["first"] < pairs["second"]).all()
    assert pairs.loc[(pairs["first"] == 0) & (pairs["second"] == 6), "form"].tolist() == ["mirror"]


def test_what_each_source_finds_of_the_copies_is_counted_by_kind(contents, settings, few):
    found = search(look_at_all(contents, FEATURES), settings)
    assert [*found] == ["hashes", "1 nearest by features", "hashes and 1 nearest"]
    copies = pd.DataFrame({"kind": ["flip"], "original": contents[:1], "copy": contents[-1:]})
    rows = [line.split(" | ") for line in candidates.compare_copies(contents, copies, found, settings).splitlines()[2:]]
    assert [row[2:5] for row in rows] == [["1.000", "1.000", "0"]] * 3
    found["nothing"] = Found(found["hashes"].pairs[:0], 0.0, 0.0)
    *_, row = candidates.compare_copies(contents, copies, found, settings).splitlines()
    assert row == "| nothing | 0 | 0.000 | 0.000 | 0 | 0.0 | 0.0 | 0.00 |"


def test_a_copy_of_another_image_is_a_wrong_pair(contents, settings, few):
    found = search(look_at_all(contents, FEATURES), settings)
    copies = pd.DataFrame({"kind": ["flip"], "original": contents[1:2], "copy": contents[-1:]})
    table = candidates.compare_copies(contents, copies, {"hashes": found["hashes"]}, settings)
    assert table.splitlines()[2].split(" | ")[2:5] == ["0.000", "0.000", "1"]
