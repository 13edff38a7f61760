import cv2
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from ruamel.yaml import YAML

from stages.transforms import randaugment
from stages.transforms.affine import Augmentation, augment, draw_matrix, read_augmentation


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


def test_every_preset_of_the_project_is_read(project, root):
    for name in YAML(typ="safe").load(root / "params.yaml")["augmentations"]:
        assert read_augmentation(name).changes == (name != "none")


@pytest.mark.parametrize("amounts", [{"mixup": 0.2}, {"cutmix": 1}])
def test_mixing_is_no_change_of_a_single_image(image, amounts):
    assert Augmentation(**amounts).mixes and Augmentation(**amounts).changes
    np.testing.assert_array_equal(augment(image, Augmentation(**amounts), random()), image)


def test_an_affine_preset_mixes_nothing():
    assert not Augmentation(rotation=15, randaugment=0.3).mixes


def test_randaugment_takes_no_number_from_what_comes_after(image):
    plain, more = random(), random()
    augment(image, Augmentation(rotation=15), plain)
    augment(image, Augmentation(rotation=15, randaugment=0.5), more)
    assert plain.random() == more.random()


def test_randaugment_repeats_by_seed_and_draws_afresh(image):
    amounts = Augmentation(randaugment=0.5)
    first, second = random(), random()
    versions = [augment(image, amounts, first) for _ in range(8)]
    for version in versions:
        np.testing.assert_array_equal(version, augment(image, amounts, second))
    assert len({version.tobytes() for version in versions}) > 5


def test_randaugment_comes_to_every_transformation(image, monkeypatch):
    seen = set()

    def watch(choice):
        return lambda image, amount: (seen.add((choice.__name__, amount)), choice(image, amount))[1]

    monkeypatch.setattr(randaugment, "CHOICES", tuple(watch(choice) for choice in randaugment.CHOICES))
    numbers = random()
    for _ in range(300):
        randaugment.randaugment(image, 0.4, numbers)
    assert seen == {(choice, amount) for choice in dict(seen) for amount in (0.4, -0.4)}
    assert len(dict(seen)) == 14


@pytest.mark.parametrize("choice", randaugment.CHOICES)
def test_a_transformation_keeps_shape_and_type_and_is_none_at_amount_zero(image, choice):
    for amount in (-1.0, -0.3, 0.0, 0.3, 1.0):
        changed = choice(image, amount)
        assert (changed.shape, changed.dtype) == (image.shape, np.uint8)
        if choice not in (randaugment.autocontrast, randaugment.equalize):
            assert np.array_equal(changed, image) == (amount == 0 or choice is randaugment.identity)


PILLOW = {
    randaugment.autocontrast: lambda image, _: ImageOps.autocontrast(image),
    randaugment.solarize: lambda image, amount: ImageOps.solarize(image, round(256 * (1 - amount))),
    randaugment.posterize: lambda image, amount: ImageOps.posterize(image, 8 - round(4 * amount)),
    randaugment.brightness: lambda image, amount: ImageEnhance.Brightness(image).enhance(1 + 0.9 * amount),
    randaugment.contrast: lambda image, amount: ImageEnhance.Contrast(image).enhance(1 + 0.9 * amount),
    randaugment.color: lambda image, amount: ImageEnhance.Color(image).enhance(1 + 0.9 * amount),
}


@pytest.mark.parametrize("choice", PILLOW)
@pytest.mark.parametrize("amount", [0.25, 0.5, 1.0])
def test_colours_change_as_in_pillow(image, choice, amount):
    expected = np.asarray(PILLOW[choice](Image.fromarray(image), amount), dtype=int)
    assert np.abs(choice(image, amount) - expected).max() <= 2  # rounding, of the grey too


def test_sharpness_moves_away_from_pillows_smooth_copy(image):
    smooth = np.asarray(Image.fromarray(image).filter(ImageFilter.SMOOTH), dtype=float)
    expected = np.clip(image + 0.45 * (image - smooth), 0, 255)
    difference = np.abs(randaugment.sharpness(image, 0.5) - expected)[1:-1, 1:-1]  # Pillow leaves the border alone
    assert difference.max() <= 1.5


def test_contrast_and_histograms_of_a_flat_image_stay():
    flat = np.full((8, 8, 3), 77, np.uint8)
    for choice in (randaugment.autocontrast, randaugment.equalize, randaugment.contrast):
        np.testing.assert_array_equal(choice(flat, 0.5), flat)


def test_equalize_flattens_the_histogram(draw):
    image = (np.asarray(draw(0)) // 4).astype(np.uint8)
    flattened = randaugment.equalize(image, 0.5)
    assert image.max() < 64
    assert flattened.max() == 255
    assert abs(float(np.median(flattened)) - 127) < 15


def test_translation_and_rotation_are_as_large_as_the_paper_says():
    image = np.zeros((331, 331, 3), np.uint8)
    image[165, 165] = 255
    moved = randaugment.translate_x(image, 0.5)
    np.testing.assert_array_equal(np.argwhere(moved[..., 0] == 255), [[165, 240]])
    image[165, 265] = 255
    turned = cv2.blur(randaugment.rotate(image, 1.0)[..., 0].astype(float), (3, 3))[:, 200:]
    y, x = np.unravel_index(turned.argmax(), turned.shape)
    assert np.degrees(np.arctan2(y - 165, x + 200 - 165)) == pytest.approx(30, abs=1)


def test_the_numbers_of_the_affine_kinds_are_those_of_the_models_trained_before(image):
    amounts = Augmentation(rotation=30, shift=0.2, shear=0.2, zoom=0.2, horizontal_flip=True, brightness=0.1)
    numbers = random()
    matrix = draw_matrix((12, 10), amounts, numbers)
    np.testing.assert_allclose(
        matrix, [[1.0166722, 0.36405274, -1.7486667], [-0.47108372, 1.0662659, -0.19276818]], rtol=1e-6
    )
    assert numbers.uniform(-amounts.brightness, amounts.brightness) == pytest.approx(-0.0041897404)
    after = numbers.random()
    numbers = random()
    augment(image, amounts, numbers)
    assert numbers.random() == after


@pytest.mark.parametrize("sides", [(7, 9), (6, 8), (1, 4)])
def test_a_half_turn_about_the_centre_reverses_rows_and_columns(sides):
    image = np.random.default_rng(0).integers(0, 256, (*sides, 3), dtype=np.uint8)
    np.testing.assert_array_equal(randaugment.warp(image, [[-1, 0], [0, -1]]), image[::-1, ::-1])
