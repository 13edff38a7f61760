import keras
import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from stages.networks.inputs import SplitRows
from stages.networks.layers import probabilities as last_layer
from stages.training.batches import Batches
from stages.training.calibration import calibrate, fit_temperature

pytestmark = pytest.mark.usefixtures("tensors")


def draw(n, n_classes=3, seed=0):
    """Return scores and the labels of a network that states the right probabilities."""
    random = np.random.default_rng(seed)
    scores = 1.5 * random.normal(size=(n, n_classes))
    cumulated = softmax(scores, axis=1).cumsum(axis=1)
    return scores, (cumulated < random.random(n)[:, None]).sum(axis=1).clip(0, n_classes - 1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_is_that_by_which_the_scores_are_too_large(temperature):
    scores, labels = draw(4000)
    assert fit_temperature(labels, softmax(scores * temperature, axis=1)) == pytest.approx(temperature, rel=0.08)


def test_the_temperature_is_that_of_trying_many():
    scores, labels = draw(60, seed=1)
    said = softmax(2 * scores, axis=1)
    wanted = (np.eye(3)[labels] * 60 + 1) / 63

    def loss(temperature):
        return -(wanted * log_softmax(np.log(said) / temperature, axis=1)).sum()

    tried = np.arange(0.5, 5, 0.001)
    assert fit_temperature(labels, said) == pytest.approx(tried[np.argmin([loss(each) for each in tried])], abs=0.002)


@pytest.mark.parametrize("n", [5, 20, 100])
def test_a_network_that_is_right_about_few_images_is_not_made_certain(n):
    said = np.tile([0.7, 0.2, 0.1], (n, 1))
    temperature = fit_temperature(np.zeros(n, int), said)
    assert 0.7 < softmax(np.log([0.7, 0.2, 0.1]) / temperature)[0] <= (n + 1) / (n + 3) + 0.01


def test_probabilities_of_0_and_1_give_a_number():
    said = np.array([[1, 0], [1, 0], [0, 1], [1, 0]], np.float32)
    assert 0.1 <= fit_temperature(np.array([0, 0, 0, 0]), said) <= 10.1


@pytest.fixture(params=["whole", "head"])
def model(request):
    """A network that is far too sure; as a whole, or as a head inside a model."""
    keras.utils.set_random_seed(0)
    head = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5, activation="relu"), last_layer(3)])
    head.set_weights([weights * 5 for weights in head.get_weights()])
    if request.param == "whole":
        return head
    inputs = keras.Input((4,))
    return keras.Model(inputs, head(inputs))


def test_the_models_own_weights_take_the_temperature_up(model):
    random = np.random.default_rng(0)
    rows = random.normal(size=(50, 4)).astype(np.float32)
    labels = random.integers(3, size=50)
    before = model.predict_on_batch(rows)
    temperature = calibrate(model, Batches(rows, SplitRows(np.arange(50), labels), 16, 0, np.ones(3)))
    after = model.predict_on_batch(rows)
    assert temperature > 1.5
    np.testing.assert_allclose(after, softmax(np.log(before) / temperature, axis=1), atol=1e-5)
    np.testing.assert_array_equal(after.argmax(axis=1), before.argmax(axis=1))


def test_the_order_of_an_epoch_does_not_matter(model):
    rows = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    batches = Batches(rows, SplitRows(np.arange(50), np.arange(50) % 3), 16, 0, np.ones(3))
    weights = model.get_weights()
    first = calibrate(model, batches)
    model.set_weights(weights)
    batches.epoch = 7
    assert calibrate(model, batches) == first


def test_a_model_whose_last_layer_cannot_take_the_temperature_up_is_refused():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Activation("softmax")], name="toy")
    batches = Batches(np.ones((6, 4), np.float32), SplitRows(np.arange(6), np.arange(6) % 3), 4, 0, np.ones(3))
    with pytest.raises(ValueError, match=r"^toy: expected a last layer with weights and the softmax, got activation"):
        calibrate(model, batches)
