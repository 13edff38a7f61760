import keras
import numpy as np
import pytest

from stages import models
from stages.networks.backbone_parts import cut, sha256_of, valid_cuts

pytestmark = pytest.mark.usefixtures("tensors")


@pytest.fixture(scope="module")
def backbone():
    keras.utils.set_random_seed(0)
    return models.load("xception").make_backbone((71, 71, 3))


def test_only_cuts_that_one_tensor_crosses_are_valid(backbone):
    cuts = valid_cuts(backbone)
    assert 0 in cuts
    assert 6 in cuts
    assert 10 not in cuts


def test_an_impossible_cut_names_the_nearest_ones(backbone):
    with pytest.raises(ValueError, match=r"trainable_layers: expected .*, got 10; the nearest is 6 or 16\."):
        cut(backbone, 10)


def test_more_layers_than_there_are_is_refused(backbone):
    with pytest.raises(ValueError, match=r"got 1000; the nearest is \d+\."):
        cut(backbone, 1000)


def test_frozen_part_and_tail_together_are_the_backbone(backbone):
    frozen, tail = cut(backbone, 6)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 71, 71, 3)).astype("float32")
    np.testing.assert_allclose(tail(frozen(images)), backbone(images), rtol=1e-5, atol=1e-6)
    assert frozen.count_params() + tail.count_params() == backbone.count_params()


@pytest.mark.parametrize(("name", "valid", "invalid"), [("inception_v3", 31, 30), ("vgg16", 4, 19)])
def test_other_backbones_are_cut_where_one_tensor_enters(name, valid, invalid):
    network = models.load(name)
    shape = (network.MIN_SIDE, network.MIN_SIDE, 3)
    with keras.StatelessScope(initialize_variables=False):  # without memory for the weights
        other = network.make_backbone(shape)
    frozen, tail = cut(other, valid)
    assert tail.name == f"{name}_tail"
    assert frozen.count_params() + tail.count_params() == other.count_params()
    assert {layer.name for layer in tail.layers[1:]} == {layer.name for layer in other.layers[-valid:]}
    with pytest.raises(
        ValueError, match=rf"train\.{name}\.trainable_layers: expected .*, got {invalid}; the nearest is "
    ):
        cut(other, invalid)


def test_nothing_to_train_on_leaves_no_tail(backbone):
    assert cut(backbone, 0) == (backbone, None)


def test_the_hash_is_of_values_and_not_of_names():
    def make(seed):
        keras.utils.set_random_seed(seed)
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, kernel_initializer="glorot_uniform")])

    assert sha256_of(make(0)) == sha256_of(make(0))
    assert sha256_of(make(0)) != sha256_of(make(1))
