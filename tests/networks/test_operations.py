import keras
import pytest

from stages import models
from stages.networks.layers import scaling_layer
from stages.networks.operations import count_multiply_adds
from stages.training.hyperparams import read_settings

pytestmark = pytest.mark.usefixtures("tensors", "tiny_networks")


def count_by_tensorflow(model):
    """Count the multiply-adds of all matrix products and convolutions with TensorFlow's profiler."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    shape = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    graph = convert_variables_to_constants_v2(tf.function(model).get_concrete_function(shape)).graph
    profiler = tf.compat.v1.profiler
    operations = profiler.ProfileOptionBuilder(profiler.ProfileOptionBuilder.float_operation())
    operations = operations.with_empty_output().with_accounted_types([".*Conv2d.*", ".*Conv2D.*", ".*MatMul.*"])
    return profiler.profile(graph, options=operations.build()).total_float_ops / 2


def test_counts_by_hand():
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(5, 3, padding="same")])
    model.add(keras.layers.SeparableConv2D(7, 3, strides=2, padding="same"))
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(2))
    by_hand = 8 * 8 * 3 * 3 * 3 * 5 + 4 * 4 * (3 * 3 * 5 + 5 * 7) + 4 * 4 * 7 * 2
    assert count_multiply_adds(model) == by_hand


def test_a_nested_model_counts_like_its_layers():
    inner = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(5, 3)])
    images = keras.Input((8, 8, 3))
    outer = keras.Model(images, inner(scaling_layer("imagenet_bgr")(images)))
    assert count_multiply_adds(outer) == count_multiply_adds(inner) == 6 * 6 * 3 * 3 * 3 * 5


@pytest.mark.parametrize(
    "name", ["peetznet", "tiny_transfer", *(pytest.param(name, marks=pytest.mark.slow) for name in ("vgg", "xception"))]
)
def test_a_networks_count_is_tensorflows(name, root, monkeypatch):
    monkeypatch.chdir(root)
    network = models.load(name)
    settings = read_settings("xception" if name == "tiny_transfer" else name, network)
    model = network.build((96, 96, 3), 3, settings.model_copy(update={"width": 0.1}))
    assert count_multiply_adds(model) == pytest.approx(count_by_tensorflow(model), rel=0.02)
