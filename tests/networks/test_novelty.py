import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

from stages.networks import novelty
from stages.networks.novelty import NEAREST, make_references, measure_novelty


def draw(number, seed, width=12):
    return np.random.default_rng(seed).gamma(1.0, size=(number, width)).astype(np.float32)


@pytest.mark.parametrize("at_once", [7, 1000])
def test_it_is_the_distance_to_the_fifth_nearest_of_scikit_learn(monkeypatch, at_once):
    monkeypatch.setattr(novelty, "AT_ONCE", at_once)
    references, images = make_references(draw(60, 0)), draw(40, 1)
    found = measure_novelty(images, references)
    tree = NearestNeighbors(n_neighbors=NEAREST).fit(references.astype(np.float64))
    np.testing.assert_allclose(found, tree.kneighbors(normalize(images))[0][:, -1], atol=1e-3)


def test_images_of_another_direction_are_further_away_and_length_does_not_count():
    learned = draw(50, 0) + np.eye(12, dtype=np.float32)[0] * 8
    references = make_references(learned)
    alike, other = draw(20, 1) + np.eye(12)[0] * 8, draw(20, 2) + np.eye(12)[7] * 8
    assert measure_novelty(alike, references).max() < measure_novelty(other, references).min()
    np.testing.assert_allclose(measure_novelty(other * 100, references), measure_novelty(other, references))


def test_an_image_without_features_is_far_from_all():
    assert measure_novelty(np.zeros((1, 12)), make_references(draw(9, 0))) == pytest.approx(np.sqrt(2))


@pytest.mark.parametrize("number", [1, NEAREST - 1])
def test_of_few_references_the_furthest_counts(number):
    references = make_references(draw(number, 0))
    distances = np.linalg.norm(normalize(draw(1, 1)) - references.astype(np.float64), axis=1)
    assert measure_novelty(draw(1, 1), references) == pytest.approx(distances.max(), abs=1e-3)


def test_no_image_has_no_novelty():
    assert measure_novelty(np.empty((0, 12)), make_references(draw(9, 0))).shape == (0,)


def test_of_many_training_images_some_from_first_to_last_are_kept(monkeypatch):
    monkeypatch.setattr(novelty, "MOST", 5)
    features = np.eye(9, dtype=np.float32) * 3
    assert make_references(features).argmax(axis=1).tolist() == [0, 2, 4, 6, 8]
    assert make_references(features[:4]).dtype == np.float16
    assert make_references(features[:4]).argmax(axis=1).tolist() == [0, 1, 2, 3]
