import numpy as np
import pandas as pd
import pytest

from stages.clean.candidates import find_pairs, in_form, screen


def smooth(seed):
    rng = np.random.default_rng(seed)
    return np.kron(rng.integers(0, 256, (8, 8)), np.ones((4, 4))).astype(np.uint8)


@pytest.mark.parametrize(
    ("mirrored", "rotated", "forms"),
    [
        (False, False, {}),
        (True, False, {1: "mirror"}),
        (False, True, {2: "270"}),
        (True, True, {1: "mirror", 2: "270", 3: "mirror 180"}),
    ],
)
def test_a_pair_is_found_in_the_form_that_makes_it_near(mirrored, rotated, forms):
    one = smooth(0)
    others = [np.fliplr(one), np.rot90(one), np.flipud(one)]
    found = find_pairs(np.stack([one, *others]), 8, mirrored, rotated)
    with_first = found[found["first"] == 0]
    assert dict(zip(with_first["second"], with_first["form"], strict=True)) == forms
    for second, form in forms.items():
        assert (in_form(others[second - 1], form) == one).all()


def test_a_plain_pair_is_plain_and_comes_once():
    found = find_pairs(np.stack([smooth(0), smooth(0), smooth(1)]), 8, mirrored=True, rotated=True)
    assert found.to_numpy().tolist() == [[0, 1, 0, "plain"]]


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_images_have_no_pair(n):
    assert find_pairs(np.zeros((n, 32, 32), dtype=np.uint8), 12, mirrored=True, rotated=False).empty


def test_a_form_turns_an_image_in_colour_too():
    image = np.arange(4 * 4 * 3).reshape(4, 4, 3).astype(np.uint8)
    assert (in_form(image, "mirror 90") == np.rot90(image[:, ::-1])).all()


def screened(one, other, form="plain"):
    pairs = pd.DataFrame({"first": [0], "second": [1], "distance": [0], "form": [form]})
    return int(screen(pairs, np.stack([one, other])).sum())


def test_outlines_may_lie_a_pixel_apart_and_in_another_form():
    image = smooth(0)
    assert screened(image, image) == screened(image, np.roll(image, 1, axis=1)) == 1
    assert screened(image, np.fliplr(image)) == 0
    assert screened(image, np.fliplr(image), "mirror") == 1


def test_other_outlines_and_none_are_no_candidates():
    assert screened(smooth(0), smooth(1)) == 0
    assert screened(np.zeros((32, 32), np.uint8), np.zeros((32, 32), np.uint8)) == 0
