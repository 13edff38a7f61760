import numpy as np
import pytest

from stages.core.augmentation import Augmentation, augment, draw_matrix, read_augmentation


def random():
    return np.random.default_rng(3)


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def test_no_amounts_change_nothing(image):
    assert not Augmentation().changes
    np.testing.assert_array_equal(augment(image, Augmentation(), random()), image)


@pytest.mark.parametrize(
    "amounts", [{"rotation": 20}, {"shift": 0.2}, {"shear": 0.3}, {"zoom": 0.3}, {"brightness": 0.3}]
)
def test_each_amount_changes_the_image_and_keeps_its_shape(image, amounts):
    changed = augment(image, Augmentation(**amounts), random())
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8
    assert not np.array_equal(changed, image)


def test_a_flip_mirrors_about_half_of_the_images_exactly(image):
    numbers = np.random.default_rng(0)
    results = [augment(image, Augmentation(horizontal_flip=True), numbers) for _ in range(200)]
    mirrored = sum(np.array_equal(result, image[:, ::-1]) for result in results)
    assert mirrored + sum(np.array_equal(result, image) for result in results) == 200
    assert 70 < mirrored < 130


@pytest.mark.parametrize("amounts", [{"rotation": 10}, {"shear": 0.1}, {"zoom": 0.2}])
def test_the_centre_stays_unless_shifted(amounts):
    matrix = draw_matrix((21, 31), Augmentation(**amounts), random())
    np.testing.assert_allclose(matrix @ [15, 10, 1], [15, 10])


def test_amounts_are_bounds():
    numbers = np.random.default_rng(0)
    matrices = [draw_matrix((10, 10), Augmentation(rotation=15), numbers) for _ in range(300)]
    degrees = np.degrees([np.arctan2(matrix[1, 0], matrix[0, 0]) for matrix in matrices])
    assert np.abs(degrees).max() <= 15
    assert np.abs(degrees).max() > 14


def test_what_comes_in_repeats_the_nearest_pixel():
    image = np.full((10, 10, 3), 90, np.uint8)
    assert (augment(image, Augmentation(shift=0.5, rotation=40), random()) == 90).all()


def test_an_unknown_name_lists_the_known_ones(project):
    with pytest.raises(ValueError, match=r"augmentations: expected an entry of none, rotation, .*, got huge\."):
        read_augmentation("huge")


def test_an_unknown_kind_of_change_is_refused(project):
    project("augmentations", {"odd": {"blur": 1}})
    with pytest.raises(
        ValueError, match=r"params.yaml augmentations.odd.blur: expected one of rotation, .*, got blur\."
    ):
        read_augmentation("odd")
