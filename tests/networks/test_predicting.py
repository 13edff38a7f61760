import keras
import numpy as np
import pytest

from stages.networks.predicting import predict

pytestmark = pytest.mark.usefixtures("tensors")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential([
        keras.Input((12, 12, 3)), layers.Conv2D(16, 3, activation="relu"), layers.Flatten(), layers.Dense(64),
        layers.Dense(5, activation="softmax"),
    ])  # fmt: skip


def images_of(seed, number):
    return np.random.default_rng(seed).integers(0, 256, (number, 12, 12, 3), dtype=np.uint8)


@pytest.mark.parametrize("count", [1, 8, 9])
def test_an_image_gets_the_same_bits_whichever_others_come_with_it(model, count):
    together = predict(model, images_of(0, 20), 8)
    first = np.concatenate([images_of(0, 20)[:count], images_of(1, 5)])
    np.testing.assert_array_equal(predict(model, first, 8)[:count], together[:count])
    np.testing.assert_array_equal(predict(model, images_of(0, 20)[:count], 8), together[:count])


def test_another_place_in_the_batch_moves_no_more_than_the_last_digits(model):
    rows = np.random.default_rng(0).permutation(20)
    np.testing.assert_allclose(
        predict(model, images_of(0, 20)[rows], 8), predict(model, images_of(0, 20), 8)[rows], atol=1e-5
    )


def test_agrees_with_keras(model):
    images = np.random.default_rng(0).integers(0, 256, (20, 12, 12, 3), dtype=np.uint8)
    np.testing.assert_allclose(predict(model, images, 8), model.predict(images, verbose=0), atol=1e-5)


def test_no_images_give_no_rows(model):
    assert predict(model, np.empty((0, 12, 12, 3), np.uint8), 8).shape == (0, 5)
