import cv2
import numpy as np
import pytest

from stages.clean.alignment import align

SIDE = 96


def image():
    """Return a grey image of soft shapes, uint8 `(96, 96)`."""
    noise = np.random.default_rng(0).normal(size=(SIDE, SIDE)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 6)
    return cv2.normalize(soft, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def moved(stretch, shift):
    """Return the image, stretched from its corner and shifted to the right."""
    matrix = np.float32([[1 + stretch, 0, shift], [0, 1, 0]])
    return cv2.warpAffine(image(), matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)


@pytest.mark.parametrize(("stretch", "shift"), [(0, 0), (0.05, 0), (0, 3), (0.05, 2)])
def test_a_small_change_is_found(stretch, shift):
    np.testing.assert_allclose(align(image(), moved(stretch, shift)), [[1 + stretch, 0, shift], [0, 1, 0]], atol=0.4)


@pytest.mark.parametrize(("stretch", "shift"), [(0.15, 0), (0, 10)])
def test_a_large_stretch_and_a_far_shift_are_refused_each_by_itself(stretch, shift, monkeypatch):
    assert align(image(), moved(stretch, shift)) is None
    monkeypatch.setattr("stages.clean.alignment.MAX_STRETCH", 1)
    monkeypatch.setattr("stages.clean.alignment.MAX_SHIFT", 1)
    np.testing.assert_allclose(align(image(), moved(stretch, shift)), [[1 + stretch, 0, shift], [0, 1, 0]], atol=0.4)


def test_images_with_nothing_in_common_are_not_aligned():
    assert align(image(), np.full((SIDE, SIDE), 9, np.uint8)) is None
