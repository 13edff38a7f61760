"""Backbones in ONNX files: one that PaddlePaddle wrote, an export of our own, and files that are none.

`paddle_ocr.onnx` are the first blocks of a classifier of PaddleOCR (Apache License 2.0), from the package
rapidocr-onnxruntime 1.2.3: sizes that the file leaves open, channels first, weights as constants between the layers.
"""

import hashlib

import keras
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from pydantic import ValidationError

from stages.backbones.libraries import Architecture
from stages.backbones.onnx_costs import count_multiply_adds, count_parameters, first_kernels
from stages.backbones.onnx_file import open_network
from stages.backbones.onnx_layer import as_model
from stages.backbones.parts import cut, on_pixels
from stages.backbones.weights import ONNX_FILE, open_backbone, rebuild, sha256_of
from stages.export.formats import as_proto
from stages.networks import operations
from stages.networks.layer_graph import first_kernels as first_kernels_of_layers
from stages.networks.predicting import predict
from tests.catalog import PADDLE

pytestmark = pytest.mark.usefixtures("tensors")

SHAPE = (32, 48, 3)
ROW = {"library": "onnx", "architecture": "Paddle", "options": {}, "min_side": 32}


def network_of(content, output="", shape=SHAPE, **options):
    options |= {"output": output} if output else {}
    return open_network(content, options, shape, 1, "a.onnx")


def images_of(n=3, shape=SHAPE):
    return np.random.default_rng(0).random((n, *shape), np.float32)


def file_of(nodes, kind=TensorProto.FLOAT, shape=("n", 3, None, None), made=("made",), weights=()):
    """The content of a file with these nodes, from a tensor `images` of the kind and shape to the tensors made."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("images", kind, shape)] if shape else [],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in made],
        list(weights),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()


def cast(made="made"):
    return helper.make_node("Cast", ["images"], [made], to=TensorProto.FLOAT)


def test_a_file_of_another_library_gives_maps_with_channels_last():
    network, images = network_of(PADDLE.read_bytes()), images_of()
    assert network.features(images).shape == (3, 4, 24, 24)
    np.testing.assert_array_equal(network.features(images), network.run(images).transpose(0, 2, 3, 1))
    # The channels enter in the order of the file: its first layer, computed by Keras.
    first = network_of(PADDLE.read_bytes(), "conv2d_53.tmp_0")
    padded = keras.ops.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = keras.ops.conv(padded, first_kernels(network), strides=2)
    np.testing.assert_allclose(first.features(images), expected, atol=1e-5)


def test_any_tensor_of_the_file_may_be_the_features():
    assert network_of(PADDLE.read_bytes(), "pool2d_0.tmp_0").features(images_of()).shape == (3, 1, 1, 8)


def test_what_a_file_costs_is_counted_up_to_its_features():
    network = network_of(PADDLE.read_bytes())
    # Convolutions 856, six batch normalisations of 4 numbers a channel 320, two biases 10, four of the activation.
    assert count_parameters(network) == 856 + 320 + 10 + 4
    # At 16x24: 8 filters of 3x3x3 and of 8; at 8x24: 8 of 3x3, two dense layers of 16, 8 of 8 and 24 of 8; at 4x24.
    assert count_multiply_adds(network) == 384 * 8 * (27 + 8) + 192 * 8 * 9 + 32 + 192 * 8 * (8 + 24) + 96 * 24 * 9
    before = network_of(PADDLE.read_bytes(), "conv2d_53.tmp_0")
    assert count_parameters(before) == 216
    assert count_multiply_adds(before) == 384 * 8 * 27


@pytest.fixture(scope="module")
def exported():
    """A network of Keras's layers, and its export to ONNX."""
    keras.utils.set_random_seed(0)
    images = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(5, 3, 2, "same", activation="relu")(images)
    x = keras.layers.SeparableConv2D(7, 3)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(images, keras.layers.Dense(4)(x))
    return model, as_proto(model).SerializeToString()


@pytest.mark.slow
def test_an_export_of_our_own_is_the_network_that_it_was_made_of(exported):
    model, content = exported
    network = network_of(content, shape=(16, 16, 3))
    images = images_of(5, (16, 16, 3))
    assert not network.takes_channels_first
    np.testing.assert_allclose(network.features(images)[:, 0, 0], model(images), atol=1e-6)
    assert count_parameters(network) == model.count_params() - 16  # biases of 0, which the export leaves out
    assert count_multiply_adds(network) == operations.count_multiply_adds(model)
    (kernel,) = first_kernels_of_layers(model).values()
    np.testing.assert_array_equal(first_kernels(network), kernel)


@pytest.mark.parametrize(
    ("kind", "dtype"), [(TensorProto.UINT8, np.uint8), (TensorProto.FLOAT16, np.float16), (TensorProto.FLOAT, None)]
)
def test_images_enter_in_the_type_of_the_file(kind, dtype):
    images = np.full((2, 4, 4, 3), 77.3, np.float32)
    features = network_of(file_of([cast()], kind, (1, 3, 4, 4)), shape=(4, 4, 3)).features(images)
    assert features.shape == (2, 4, 4, 3)  # one image after the other, because the file takes one
    assert (features == (images.astype(dtype) if dtype else images)).all()


def test_bytes_are_not_scaled():
    model = as_model(network_of(file_of([cast()], TensorProto.UINT8)), "some")
    with pytest.raises(ValueError, match=r"^params\.yaml train\.some\.scaling: expected none, because the ONNX"):
        on_pixels(model, "unit", SHAPE)
    pixels = (255 * images_of()).astype(np.uint8)
    np.testing.assert_array_equal(predict(on_pixels(model, "none", SHAPE), pixels, 2), pixels)


def test_maps_may_have_another_order_than_images():
    """As TensorFlow's networks that tf2onnx wrote: images with channels last, maps inside with channels first."""
    turn = helper.make_node("Transpose", ["images"], ["made"], perm=[0, 3, 1, 2])
    content = file_of([turn], shape=("n", None, None, 3))
    images = images_of()
    assert network_of(content).features(images).shape == (3, 3, 32, 48)
    np.testing.assert_array_equal(network_of(content, channels="first").features(images), images)


def test_a_file_that_fixes_the_number_of_images_inside_gets_one_after_the_other():
    flat = helper.make_node("Reshape", ["images", "shape"], ["made"])
    one = numpy_helper.from_array(np.array([1, -1]), "shape")
    network, images = network_of(file_of([flat], weights=[one])), images_of()
    assert not network.takes_many
    assert network.features(images).shape == (3, 1, 1, 32 * 48 * 3)
    assert network_of(PADDLE.read_bytes()).takes_many


def test_what_comes_after_the_features_is_left_out():
    bad = helper.make_node("Reshape", ["made", "shape"], ["after"])
    seven = numpy_helper.from_array(np.array([7, 7]), "shape")
    network = network_of(file_of([cast(), bad], made=("after",), weights=[seven]), "made")
    np.testing.assert_array_equal(network.features(images_of()), images_of())
    assert [node.op_type for node in network.proto.graph.node] == ["Cast"]
    assert not network.proto.graph.initializer


def test_kernels_in_bytes_or_behind_other_nodes_are_counted():
    kernel = np.random.default_rng(0).integers(-9, 9, (4, 3, 3, 3)).astype(np.int8)
    weights = [numpy_helper.from_array(kernel, "bytes"), numpy_helper.from_array(np.float32(0.5), "scale")]
    nodes = [
        helper.make_node("DequantizeLinear", ["bytes", "scale"], ["floats"]),
        helper.make_node("Identity", ["floats"], ["kernel"]),
        helper.make_node("Conv", ["images", "kernel"], ["made"]),
    ]
    network = network_of(file_of(nodes, weights=weights))
    assert count_parameters(network) == 4 * 27 + 1
    assert count_multiply_adds(network) == 4 * 27 * 30 * 46
    np.testing.assert_array_equal(first_kernels(network), kernel.transpose(2, 3, 1, 0) * np.float32(0.5))


def test_products_are_counted_on_whichever_side_the_weights_are():
    left = numpy_helper.from_array(np.ones((1, 3, 5, 32), np.float32), "left")
    right = numpy_helper.from_array(np.ones((48, 7), np.float32), "right")
    nodes = [
        helper.make_node("MatMul", ["left", "images"], ["a"]),
        helper.make_node("MatMul", ["a", "right"], ["made"]),
    ]
    network = network_of(file_of(nodes, weights=[left, right]))
    assert count_multiply_adds(network) == 3 * 5 * 48 * 32 + 3 * 5 * 7 * 48


def test_weights_among_the_inputs_and_omitted_inputs_change_nothing():
    """As files before version 4 of the format have them."""
    kernel, shift = (numpy_helper.from_array(np.ones(shape, np.float32), name)
                     for name, shape in (("kernel", (4, 3, 1, 1)), ("shift", (1, 4, 1, 1))))  # fmt: skip
    most = numpy_helper.from_array(np.float32(9), "most")
    nodes = [
        helper.make_node("Conv", ["images", "kernel"], ["a"]),
        helper.make_node("Clip", ["a", "", "most"], ["b"]),
        helper.make_node("Dropout", ["b"], ["c", ""]),
        helper.make_node("Add", ["c", "shift"], ["made"]),
    ]
    proto = onnx.load_from_string(file_of(nodes, weights=[kernel, shift, most]))
    proto.graph.input.extend(
        helper.make_tensor_value_info(each.name, each.data_type, each.dims) for each in (kernel, shift)
    )
    proto.ir_version = 3
    network = network_of(proto.SerializeToString(), "b")
    assert network.features(images_of()).shape == (3, 32, 48, 4)
    assert [each.name for each in network.proto.graph.input] == ["images"]
    assert count_parameters(network) == 12 + 1
    assert [node.op_type for node in network.proto.graph.node] == ["Conv", "Clip"]


def test_a_network_that_mixes_images_gets_one_after_the_other():
    mean = helper.make_node("ReduceMean", ["floats"], ["mean"], axes=[0], keepdims=1)
    nodes = [cast("floats"), mean, helper.make_node("Sub", ["floats", "mean"], ["made"])]
    assert not network_of(file_of(nodes, TensorProto.UINT8)).takes_many
    assert network_of(file_of(nodes[:1], TensorProto.UINT8, made=("floats",))).takes_many


def test_a_product_of_two_tensors_from_the_image_is_no_layer():
    nodes = [helper.make_node("MatMul", ["images", "turned"], ["made"])]
    nodes.insert(0, helper.make_node("Transpose", ["images"], ["turned"], perm=[0, 1, 3, 2]))
    assert count_multiply_adds(network_of(file_of(nodes))) == 0


def test_a_file_without_a_convolution_of_colours_has_no_filters():
    assert first_kernels(network_of(file_of([cast()]))).shape == (1, 1, 3, 0)


def external():
    tensor = numpy_helper.from_array(np.zeros((1, 3, 1, 1), np.float32), "shift")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return file_of([helper.make_node("Add", ["images", "shift"], ["made"])], weights=[tensor])


def branching():
    made = [helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)]
    branch = helper.make_graph([helper.make_node("Identity", ["images"], ["inner"])], "b", [], made)
    always = numpy_helper.from_array(np.array(True), "always")
    chosen = helper.make_node("If", ["always"], ["made"], then_branch=branch, else_branch=branch)
    return file_of([chosen], weights=[always])


FLATTEN = helper.make_node("Reshape", ["images", "shape"], ["made"])
THREE = numpy_helper.from_array(np.array([0, 3, -1]), "shape")


@pytest.mark.parametrize(
    ("content", "output", "message"),
    [
        (b"", "", "expected an ONNX file with an output, got none."),
        (b"not a file", "", "expected an ONNX file that takes images of 32x48 pixels, got: "),
        (PADDLE.read_bytes()[:5000], "", "expected an ONNX file that takes images of 32x48 pixels, got: "),
        (
            PADDLE.read_bytes(),
            "x",
            "options.output to name a tensor of the file, such as relu_4.tmp_0, got x.",
        ),
        (file_of([cast("a"), cast("b")], made=("a", "b")), "", "options.output to name one of the outputs, a, b, got"),
        (file_of([FLATTEN], weights=[THREE]), "", r"expected maps or vectors of features, got .* \(1, 3, 1536\)\."),
        (file_of([cast()], shape=("n", 1, 32, 48)), "", "expected one input of images, one or any number, with 3"),
        (file_of([cast()], shape=(2, 3, 32, 48)), "", "expected one input of images, one or any number, with 3"),
        (file_of([cast()], kind=TensorProto.INT64), "", "expected one input of images, one or any number, with 3"),
        (file_of([cast()], shape=("n", 3, 32, 32)), "", "expected an ONNX file that takes images of 32x48 pixels"),
        (file_of([helper.make_node("Evil", ["images"], ["made"], domain="x")]), "", "takes images of 32x48 pixels"),
        (branching(), "", r"expected layers one after the other with whole weights, got branches or loops\."),
        (external(), "", r"expected all weights in the file, got some in others\."),
    ],
)
def test_a_file_that_gives_no_features_is_refused_in_one_line(content, output, message):
    with pytest.raises(ValueError, match=rf"^a\.onnx: .*{message}") as caught:
        network_of(content, output)
    assert "\n" not in str(caught.value)


def test_it_is_a_backbone_that_is_frozen_whole(tmp_path):
    (tmp_path / ONNX_FILE).write_bytes(PADDLE.read_bytes())
    row = Architecture.model_validate(ROW)
    backbone = open_backbone("paddle", row, SHAPE, tmp_path)
    assert sha256_of(backbone) == hashlib.sha256(PADDLE.read_bytes()).hexdigest()
    frozen, tail = cut(backbone, 0)
    assert tail is None
    with pytest.raises(ValueError, match=r"train\.paddle\.trainable_layers: expected 0, because an ONNX file does not"):
        cut(backbone, 1)
    pixels = (255 * images_of(5)).astype(np.uint8)
    whole = on_pixels(frozen, "unit", SHAPE)
    assert whole.output_shape == (None, 4, 24, 24)
    found = predict(whole, pixels, 2)
    np.testing.assert_allclose(
        found, network_of(PADDLE.read_bytes()).features(pixels.astype(np.float32) / 255), atol=1e-5
    )
    again = rebuild({**ROW, "network": "paddle", "image_shape": list(SHAPE)}, tmp_path)
    np.testing.assert_array_equal(predict(on_pixels(again, "unit", SHAPE), pixels, 2), found)


def test_a_file_has_no_other_options():
    known = {"output": "a", "channels": "last"}
    assert Architecture.model_validate({**ROW, "options": known}).options == known
    for options in ({"outputs": "a"}, {"output": 3}, {"channels": "middle"}):
        with pytest.raises(ValidationError, match="expected of an ONNX file the options output, a tensor's name, and"):
            Architecture.model_validate({**ROW, "options": options})


def test_a_model_is_named_as_its_network():
    assert as_model(network_of(file_of([cast()])), "some").name == "some"
