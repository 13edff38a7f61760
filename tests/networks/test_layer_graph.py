from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers

from stages.networks import heads
from stages.networks.layer_graph import find_maps, first_kernels, halves, last_features, trace
from stages.networks.layers import probabilities, scaling_layer
from stages.training.hyperparams import read_settings
from tests.catalog import NETWORKS, network_of

pytestmark = pytest.mark.usefixtures("tensors")

SIDES = {"alexnet": 128, "xception": 128, "inception_v3": 128}  # 32 for the others
#  network: height and width of its maps at the side, after the last convolution and before the next pooling
MAPS = {
    "alexnet": (6, 6),
    "convnet": (2, 2),
    "efficientnet_lite0": (1, 1),
    "inception_v3": (2, 2),
    "peetznet": (4, 4),
    "vgg": (8, 8),
    "vgg16": (4, 4),
    "vgg19": (2, 2),
    "xception": (4, 4),
}


def convolved(*stack):
    return keras.Sequential([keras.Input((16, 16, 3)), *stack, probabilities(3)])


def random_images(model, number=4):
    return np.random.default_rng(0).uniform(0, 255, (number, *model.input_shape[1:])).astype("float32")


def outline(name, monkeypatch, root):
    """Build a network without memory for its weights."""
    monkeypatch.chdir(root)
    settings = read_settings(name, network_of(name))
    side = SIDES.get(name, 32)
    with keras.StatelessScope(initialize_variables=False):
        return network_of(name).build((side, side, 3), 3, settings.model_copy(update={"width": 0.05}))


LARGE = ("efficientnet_lite0", "inception_v3", "vgg19", "xception")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in LARGE else ()) for name in NETWORKS]
)
def test_finds_the_maps_before_the_last_pooling_of_every_network(name, monkeypatch, root):
    model = outline(name, monkeypatch, root)
    with keras.StatelessScope(initialize_variables=False):
        assert find_maps(trace(model)).shape[1:3] == MAPS[name]


def test_two_towers_meet_in_their_concatenation(monkeypatch, root):
    model = outline("peetznet", monkeypatch, root)
    with keras.StatelessScope(initialize_variables=False):
        steps = trace(model)
    (meeting,) = [step for step in steps if isinstance(step.layer, layers.Concatenate)]
    assert find_maps(steps) is meeting.output


def test_a_tensor_that_a_path_goes_around_is_not_the_maps():
    images = keras.Input((16, 16, 3))
    before = layers.Conv2D(4, 3, padding="same", name="before")(images)
    around = layers.Conv2D(4, 3, padding="same", name="around")(before)
    both = [layers.GlobalAveragePooling2D()(each) for each in (before, around)]
    steps = trace(keras.Model(images, probabilities(3)(layers.Concatenate()(both))))
    (wanted,) = [step for step in steps if getattr(step.layer, "name", "") == "before"]
    assert find_maps(steps) is wanted.output


def test_a_sum_of_two_paths_is_the_maps():
    images = keras.Input((16, 16, 3))
    first = layers.Conv2D(4, 3, padding="same")(images)
    added = layers.Add()([first, layers.Conv2D(4, 3, padding="same")(first)])
    steps = trace(keras.Model(images, probabilities(3)(layers.GlobalAveragePooling2D()(added))))
    assert isinstance(next(step for step in steps if step.output is find_maps(steps)).layer, layers.Add)


@pytest.mark.parametrize(
    "stack",
    [[layers.Flatten], [layers.GlobalAveragePooling2D], [layers.MaxPooling2D, layers.Flatten]],
    ids=["flattened", "averaged", "pooled"],
)
def test_an_image_without_a_convolution_is_no_map(stack):
    model = convolved(layers.Rescaling(1 / 255), *(each() for each in stack))
    with pytest.raises(ValueError, match=r"^\w+: expected a network with a convolution, got one without maps .*\.$"):
        halves(model)


def test_activations_are_maps_themselves():
    settings = SimpleNamespace(head="dense", dropout=0.5, width=0.01)
    front, back = halves(heads.build((4, 4, 32), 3, settings))
    assert front.output_shape == back.input_shape == (None, 4, 4, 32)


@pytest.mark.parametrize("form", ["sequential", "nested", "twice nested", "tail and head"])
def test_the_halves_together_are_the_network_up_to_its_softmax(form):
    model = build(form)
    images = random_images(model)
    front, back = halves(model)
    scores = back(front(images, training=False), training=False)
    np.testing.assert_allclose(keras.ops.softmax(scores), model(images, training=False), atol=1e-6)
    assert front.output_shape[1:3] == (8, 8)


def build(form):
    """Build a network whose maps have 8x8 positions: one model, or models nested in models."""
    keras.utils.set_random_seed(0)
    if form == "sequential":
        stack = layers.MaxPooling2D(), layers.Conv2D(4, 3, padding="same"), layers.MaxPooling2D(), layers.Flatten()
        return convolved(*stack)
    images = keras.Input((16, 16, 3))
    x = layers.MaxPooling2D()(layers.Conv2D(4, 3, padding="same", activation="relu")(images))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(x))
    backbone = keras.Model(images, layers.MaxPooling2D()(layers.ReLU()(x)), name="backbone")
    settings = SimpleNamespace(head="dense", dropout=0.5, width=0.01)
    if form == "tail and head":
        activations = keras.Input((8, 8, 16))
        tail = keras.Sequential([keras.Input((8, 8, 16)), layers.Conv2D(8, 3, padding="same"), layers.ReLU()])
        return keras.Model(activations, heads.build((8, 8, 8), 3, settings)(tail(activations)))
    model = heads.put_on(backbone, scaling_layer("imagenet_bgr"), 3, settings)
    if form == "nested":
        return model
    outer = keras.Input((16, 16, 3))
    return keras.Model(outer, model(outer))


@pytest.mark.parametrize("form", ["sequential", "nested", "twice nested", "tail and head"])
def test_the_last_features_are_what_the_last_layer_weighs(form):
    model = build(form)
    images = random_images(model)
    features = np.asarray(last_features(model)(images, training=False))
    kernel, bias = model.get_weights()[-2:]
    expected = keras.ops.softmax(features @ kernel + bias)
    np.testing.assert_allclose(model(images, training=False), expected, atol=1e-5)


def test_scores_are_found_before_a_softmax_that_is_a_layer():
    stack = [layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(3)]
    model = keras.Sequential([keras.Input((16, 16, 3)), *stack, layers.Softmax()])
    images = random_images(model)
    front, back = halves(model)
    expected = keras.Sequential(model.layers[:-1])(images)
    np.testing.assert_allclose(back(front(images)), expected, rtol=1e-5)


def test_scores_follow_the_weights_of_the_network():
    model = build("sequential")
    front, back = halves(model)
    model.layers[-1].set_weights([np.zeros((model.layers[-2].output.shape[-1], 3)), np.array([1, 2, 3])])
    np.testing.assert_array_equal(back(front(random_images(model, 1))), [[1, 2, 3]])


def test_looking_inside_leaves_the_network_as_it_is():
    model = build("nested")
    images = random_images(model)
    before, weights = np.asarray(model(images, training=False)), model.get_weights()
    halves(model), last_features(model), first_kernels(model)
    np.testing.assert_array_equal(model(images, training=False), before)
    for old, new in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert len(model.layers) == 4


def test_each_tower_has_first_kernels_and_no_later_convolution_has():
    images = keras.Input((16, 16, 3))
    towers = [layers.Conv2D(2, size, padding="same", name=f"first_{size}")(images) for size in (5, 3)]
    towers = [layers.Conv2D(4, 1)(layers.MaxPooling2D()(tower)) for tower in towers]
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 1)(layers.Concatenate()(towers)))
    kernels = first_kernels(keras.Model(images, probabilities(3)(x)))
    assert {name: kernel.shape for name, kernel in kernels.items()} == {
        "first_3": (3, 3, 3, 2),
        "first_5": (5, 5, 3, 2),
    }


@pytest.mark.parametrize("scaling", ["signed", "imagenet_bgr"])
def test_kernels_are_in_the_order_of_the_images_channels(scaling):
    model = convolved(scaling_layer(scaling), layers.Conv2D(1, 1, name="first"), layers.Flatten())
    model.get_layer("first").set_weights([np.array([1.0, 2.0, 3.0]).reshape(1, 1, 3, 1), np.zeros(1)])
    expected = [1, 2, 3] if scaling == "signed" else [3, 2, 1]
    assert first_kernels(model)["first"].ravel().tolist() == expected
