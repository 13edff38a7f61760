import keras
import numpy as np
import pytest

from stages.backbones.libraries import Architecture, make_backbone
from stages.backbones.parts import cut, valid_cuts
from stages.backbones.weights import rebuild, sha256_of
from tests.catalog import PUBLISHED, architecture_of, make

pytestmark = pytest.mark.usefixtures("tensors")


@pytest.fixture(scope="module")
def backbone():
    keras.utils.set_random_seed(0)
    return make("xception", (71, 71, 3))


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
    side = architecture_of(name).min_side
    with keras.StatelessScope(initialize_variables=False):  # without memory for the weights
        other = make(name, (side, side, 3))
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


def row(**changes):
    return Architecture(library="keras", architecture="Xception", options={}, min_side=71).model_copy(update=changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"architecture": "Xzeption"},
            r"of keras that .* images of 71x71 pixels, got Xzeption: .*no attribute",
        ),
        ({"options": {"depth": 3}}, r"got Xception: .*unexpected keyword argument 'depth'"),
        (
            {"options": {"pooling": "avg"}},
            r"expected a network from images to maps .* of the shape \(None, 2048\)",
        ),
        ({"architecture": "Layer", "library": "keras_cv"}, r"expected a network of keras_cv that .*got Layer: "),
        ({"architecture": "VGG16Backbone", "library": "keras_cv"}, r"got VGG16Backbone: .*missing 2 required"),
        ({"options": {"input_tensor": 3}}, r"got Xception: "),
    ],
)
def test_a_row_that_no_library_can_build_is_one_line(changes, message):
    with keras.StatelessScope(initialize_variables=False), pytest.raises(ValueError, match=message) as caught:
        make_backbone("mine", row(**changes), (71, 71, 3))
    assert str(caught.value).startswith("params.yaml pretrained.networks.mine: expected ")
    assert "\n" not in str(caught.value)


def test_a_row_of_another_library_is_refused_with_the_choices():
    with pytest.raises(ValueError, match=r"expected one of keras, keras_cv, onnx, got torch"):
        Architecture(library="torch", architecture="resnet18", options={}, min_side=32)


def test_a_row_is_enough_for_any_network_of_keras():
    with keras.StatelessScope(initialize_variables=False):
        made_by = row(architecture="MobileNetV2", options={"alpha": 0.35}, min_side=32)
        backbone = make_backbone("my_phone", made_by, (96, 64, 3))
    assert backbone.name == "my_phone"
    assert backbone.output_shape == (None, 3, 2, 1280)
    frozen, tail = cut(backbone, 3)
    assert (frozen.name, tail.name) == ("my_phone_frozen", "my_phone_tail")


def test_images_that_the_library_finds_too_small_are_one_line():
    with keras.StatelessScope(initialize_variables=False), pytest.raises(ValueError) as caught:
        make_backbone("mine", row(), (32, 32, 3))
    assert str(caught.value).startswith("params.yaml pretrained.networks.mine: expected a network of keras that takes")
    assert "images of 32x32 pixels, got Xception: Input size must be at least 71x71" in str(caught.value)


def test_a_network_with_tensors_computed_between_its_layers_is_frozen_whole_or_refused():
    with keras.StatelessScope(initialize_variables=False):
        backbone = make_backbone("phone", row(architecture="MobileNetV3Small"), (64, 64, 3))
    assert cut(backbone, 0) == (backbone, None)
    with pytest.raises(ValueError, match=r"train\.phone\.trainable_layers: expected .*, got 3; the nearest is 0\."):
        cut(backbone, 3)


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_row_of_params_is_built_at_its_smallest_side(name):
    side = architecture_of(name).min_side
    with keras.StatelessScope(initialize_variables=False):
        assert make(name, (side, side, 3)).name == name


def test_facts_of_an_earlier_version_are_one_line(tmp_path):
    facts = {"network": "xception", "image_shape": [71, 71, 3], "trainable_layers": 6}
    with pytest.raises(ValueError, match=r"^the activations of xception library: expected a value, got nothing\.$"):
        rebuild(facts, tmp_path)


def test_weights_that_keras_cv_does_not_hold_are_refused():
    with pytest.raises(ValueError, match=r"expected a mirror pip: or file:, because KerasCV holds no weights of "):
        make("efficientnet_lite0", (32, 32, 3), weights="imagenet")
