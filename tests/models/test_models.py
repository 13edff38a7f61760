import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from ruamel.yaml import YAML

from stages import models
from stages.backbones.libraries import make_backbone
from stages.backbones.parts import cut
from stages.backbones.weights import sha256_of
from stages.core import params
from stages.networks.layers import SCALINGS, scaling_layer
from stages.pretrained.run import Pretrained
from stages.training.hyperparams import read_settings
from stages.training.saving import save
from tests.catalog import NETWORKS, make, network_of
from tests.repositories import warm_environment

pytestmark = pytest.mark.usefixtures("tensors", "in_root")

LARGE = ("efficientnet_lite0", "inception_v3", "xception")  # building one takes seconds
QUICK = ("convnet", "peetznet")
NAMES = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in NETWORKS if name not in LARGE]
SCRATCH = [
    "alexnet",
    "convnet",
    "peetznet",
    "vgg",
    "vgg16",
    "vgg19",
]  # networks whose `build` has no published backbone
DEEPEST = {"vgg16": {"form": "paper"}}  # the form that needs MIN_SIDE
N_CLASSES = 3


@pytest.fixture(scope="module", autouse=True)
def in_root(root):
    """Work in the project, to read its params.yaml."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        yield


def settings_of(name, **changes):
    settings = read_settings(name, network_of(name))
    return settings.model_copy(update={"width": 0.05, "dropout": 0.1, **changes})


def build(name, shape=None, n_classes=N_CLASSES, **changes):
    """Build a network as a new process does with seed 0, for its smallest images if no shape is given."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    return assemble(name, shape, n_classes, **changes)


def assemble(name, shape, n_classes, **changes):
    network = network_of(name)
    return network.build(shape or (network.MIN_SIDE, network.MIN_SIDE, 3), n_classes, settings_of(name, **changes))


def outline(name, shape=None, n_classes=N_CLASSES, **changes):
    """Build a network without memory for its weights."""
    with keras.StatelessScope(initialize_variables=False):
        return assemble(name, shape, n_classes, **changes)


def images(model):
    shape = (4, *model.input_shape[1:])
    return np.random.default_rng(0).uniform(0, 255, shape).astype("float32")


def predict(model):
    return np.asarray(model(images(model), training=False))  # `predict` would trace a graph, which takes seconds.


@pytest.fixture(
    scope="module",
    params=NAMES,
)
def built(request):
    model = build(request.param)
    return model, predict(model)


def test_gives_probabilities_of_every_class(built):
    _, probabilities = built
    assert probabilities.shape == (4, N_CLASSES)
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_a_saved_copy_predicts_the_same(built, tmp_path):
    model, probabilities = built
    save(model, tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(predict(copy), probabilities)
    assert not list(tmp_path.glob("dated_*"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alexnet", "convnet", "peetznet", "vgg", "xception"])  # the others consist of these
def test_two_builds_give_the_same_bytes(name, tmp_path):
    for file in ("first.keras", "second.keras"):
        save(build(name), tmp_path / file)
    assert (tmp_path / "first.keras").read_bytes() == (tmp_path / "second.keras").read_bytes()


@pytest.mark.slow
# The large ones are fed activations, and what then learns is a head.
@pytest.mark.parametrize("name", NAMES)
def test_one_step_lowers_the_loss_of_its_batch(name):
    model = build(name, dropout=0.0)
    # Both losses are computed in training mode, because batch normalisation makes the loss of inference different.
    model.compile(keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy", run_eagerly=True)
    before, after = (float(model.train_on_batch(images(model), np.array([0, 1, 2, 0]))) for _ in range(2))
    assert after < before


@pytest.mark.slow
def test_two_processes_give_the_same_weights(root):
    names = [name for name in NETWORKS if name not in LARGE]
    script = f"""
import json, keras
from stages import models
from stages.backbones.weights import sha256_of
from stages.training.hyperparams import read_settings
hashes = {{}}
for name in reversed({names}):
    keras.utils.set_random_seed(0)
    network = models.load(name)
    settings = read_settings(name, network)
    settings = settings.model_copy(update={{"width": 0.05, "dropout": 0.1}})
    hashes[name] = sha256_of(network.build((network.MIN_SIDE, network.MIN_SIDE, 3), 3, settings))
print(json.dumps(hashes))
"""
    ran = subprocess.run(
        ["python", "-c", script], cwd=root, env=warm_environment(), capture_output=True, text=True, check=True
    )
    assert json.loads(ran.stdout.splitlines()[-1]) == {name: sha256_of(build(name)) for name in names}


def test_a_trained_models_file_holds_no_optimizer(tmp_path):
    model = build("vgg")
    save(model, tmp_path / "untrained.keras")
    model.compile(keras.optimizers.Adam(0.0), "sparse_categorical_crossentropy", run_eagerly=True)
    model.train_on_batch(images(model), np.array([0, 1, 2, 0]))
    save(model, tmp_path / "trained_at_rate_0.keras")
    assert (tmp_path / "trained_at_rate_0.keras").read_bytes() == (tmp_path / "untrained.keras").read_bytes()


# EfficientNet-Lite0 pads its images, and takes smaller ones; below its smallest side less than one place is left.
@pytest.mark.parametrize("name", [name for name in NAMES if "efficientnet_lite0" not in str(name)])
def test_takes_images_of_its_smallest_side_and_not_one_pixel_less(name):
    side = network_of(name).MIN_SIDE
    changes = DEEPEST.get(name, {})
    outline(name, (side, side, 3), **changes)
    for shape in ((side - 1, side - 1, 3), (side, side - 1, 3)):
        with pytest.raises(ValueError, match=r"output size would be (zero or )?negative|must be at least"):
            outline(name, shape, **changes)


@pytest.mark.parametrize("name", NAMES)
def test_takes_images_that_are_not_square(name):
    side = network_of(name).MIN_SIDE
    assert outline(name, (side + 30, side, 3)).output_shape == (None, N_CLASSES)


@pytest.mark.parametrize("name", SCRATCH)
def test_width_scales_the_parameters(name):
    def count(width):
        return outline(name, (96, 96, 3), width=width).count_params()

    assert 3 < count(1.0) / count(0.5) < 4.2


def test_width_scales_the_head_and_leaves_a_published_backbone_alone():
    narrow, wide = (outline("xception", width=width, head="dense") for width in (0.5, 1.0))
    assert narrow.get_layer("xception").count_params() == wide.get_layer("xception").count_params()
    assert narrow.count_params() < wide.count_params()


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


@pytest.mark.parametrize(
    ("name", "convolutions", "poolings", "dropouts", "dense"),
    [
        ("vgg", 6, 3, 5, 3),
        ("alexnet", 5, 3, 3, 3),
        ("peetznet", 12, 6, 9, 3),
        ("convnet", 5, 5, 1, 1),
        ("vgg16", 12, 4, 2, 3),
        ("vgg19", 16, 5, 2, 3),
    ],
)
def test_has_the_layers_of_its_report(name, convolutions, poolings, dropouts, dense):
    found = kinds(outline(name, (96, 96, 3)))
    wanted = {"Conv2D": convolutions, "MaxPooling2D": poolings, "Dropout": dropouts, "Dense": dense}
    assert {kind: found.count(kind) for kind in wanted} == wanted
    assert found.count("Rescaling") == 1


def test_convnets_blocks_are_those_of_its_datas_author():
    found = outline("convnet", (128, 128, 3), width=1.0)
    block = ["Conv2D", "BatchNormalization", "LeakyReLU", "MaxPooling2D"]
    assert kinds(found) == ["InputLayer", "Rescaling", *5 * block, "Flatten", "Dropout", "Dense"]
    assert [layer.filters for layer in convolutions(found)] == [16, 32, 64, 128, 256]


@pytest.mark.parametrize("kernel_size", [2, 25])
def test_convnet_takes_any_kernel_size(kernel_size):
    model = build("convnet", kernel_size=kernel_size)
    assert {layer.kernel_size for layer in convolutions(model)} == {(kernel_size, kernel_size)}
    assert np.isfinite(predict(model)).all()


def convolutions(model):
    return [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]


@pytest.mark.parametrize(
    ("name", "changes", "published"),
    [("vgg16", {"form": "paper"}, "VGG16"), ("vgg19", {}, "VGG19")],
)
def test_has_the_convolutions_that_keras_publishes(name, changes, published):
    def stack(model):
        layers = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D | keras.layers.MaxPooling2D)]
        return [
            (type(layer), layer.strides, layer.padding, layer.output.shape, [weight.shape for weight in layer.weights])
            + ((layer.activation,) if isinstance(layer, keras.layers.Conv2D) else (layer.pool_size,))
            for layer in layers
        ]

    with keras.StatelessScope(initialize_variables=False):
        reference = getattr(keras.applications, published)(weights=None, include_top=False, input_shape=(96, 64, 3))
        backbone = make(name, (96, 64, 3))
    assert stack(outline(name, (96, 64, 3), width=1.0, **changes)) == stack(reference)
    assert stack(backbone) == stack(reference)


def test_vgg16_of_film_genres_has_blocks_of_2_2_4_4():
    found = outline("vgg16", (96, 96, 3), width=1.0, form="film_genres")
    assert [layer.filters for layer in convolutions(found)] == [64] * 2 + [128] * 2 + [256] * 4 + [512] * 4


def test_vgg16_and_vgg19_at_224_pixels_have_the_papers_parameters():
    assert outline("vgg16", (224, 224, 3), 1000, width=1.0, form="paper").count_params() == 138_357_544
    assert outline("vgg19", (224, 224, 3), 1000, width=1.0).count_params() == 143_667_240


def test_inception_has_the_parameters_of_its_report():
    model = outline("inception_v3", (96, 96, 3), 4, head="linear")
    assert model.count_params() == 21_810_980
    model.get_layer("inception_v3").trainable = False
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == 8_196


@pytest.mark.slow
@pytest.mark.parametrize(("name", "published"), [("inception_v3", "InceptionV3"), ("xception", "Xception")])
def test_has_the_backbone_that_keras_publishes(name, published):
    with keras.StatelessScope(initialize_variables=False):
        reference = getattr(keras.applications, published)(weights=None, include_top=False, input_shape=(96, 96, 3))
    trunk = outline(name, (96, 96, 3)).get_layer(name)
    assert kinds(trunk) == kinds(reference)
    assert [weight.shape for weight in trunk.weights] == [weight.shape for weight in reference.weights]


def test_peetznets_towers_have_the_kernels_of_their_params():
    sizes = [layer.kernel_size[0] for layer in convolutions(outline("peetznet", tower_b=[3, 4, 3]))]
    assert sorted(sizes) == sorted([5, 5, 4, 4, 3, 3, 3, 3, 4, 4, 3, 3])


@pytest.mark.parametrize(
    ("name", "changes", "parameters"),
    [("vgg", {}, 208_609_154), ("peetznet", {"tower_b": [3, 4, 3]}, 414_797_954)],
)
def test_has_the_parameters_of_its_report_at_224_pixels(name, changes, parameters):
    assert outline(name, (224, 224, 3), 2, width=1.0, **changes).count_params() == parameters


def test_alexnet_at_227_pixels_has_the_papers_positions():
    model = outline("alexnet", (227, 227, 3))
    flat = next(layer for layer in model.layers if isinstance(layer, keras.layers.Flatten))
    assert flat.input.shape[1:3] == (6, 6)


def test_an_unknown_network_is_one_line_with_the_choices():
    with pytest.raises(ValueError, match=rf"expected a module of {', '.join(models.names())}, got resnet\."):
        models.load("resnet")


def test_a_network_without_a_file_is_the_module_published_and_takes_no_images():
    assert models.module_of("vgg") == "vgg"
    assert models.module_of("efficientnet_lite0") == "published"
    assert not hasattr(models.load("published"), "build")


def test_the_rows_that_the_docs_show_are_all_that_a_published_network_needs(root, project):
    text = (root / "docs" / "networks.md").read_text(encoding="utf-8")
    (block,) = [each for each in text.split("```yaml\n") if "  mobilenet_v2:" in each.split("```")[0]]
    rows = YAML(typ="safe").load(block.split("```")[0])
    for table, added in ((name, rows[name]) for name in ("networks", "backbones", "train")):
        project(f"{table}.mobilenet_v2", added["mobilenet_v2"])
    project("pretrained.networks.mobilenet_v2", rows["pretrained"]["networks"]["mobilenet_v2"])
    made_by = params.read(Pretrained, "pretrained").networks["mobilenet_v2"]
    settings = read_settings("mobilenet_v2", models.load(rows["networks"]["mobilenet_v2"]["module"]))
    with keras.StatelessScope(initialize_variables=False):
        backbone = make_backbone("mobilenet_v2", made_by, (96, 96, 3))
    assert settings.scaling == "signed"
    assert cut(backbone, 0)[0].output_shape == (None, 3, 3, 1280)


def test_adding_a_network_is_adding_one_file(tmp_path, monkeypatch):
    source = """
import keras
from stages.networks.network_params import NetworkParams
from stages.networks.layers import probabilities, scaling_layer

MIN_SIDE = 1

class Params(NetworkParams):
    pass

def build(shape, n_classes, params):
    pixels = [keras.Input(shape), scaling_layer(params.scaling), keras.layers.Flatten()]
    return keras.Sequential([*pixels, probabilities(n_classes)])
"""
    (tmp_path / "softmax_regression.py").write_text(source)
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path)])
    assert "softmax_regression" in models.names()
    network = models.load("softmax_regression")
    monkeypatch.delitem(sys.modules, network.__name__)
    settings = read_settings("vgg", network)
    assert network.build((4, 4, 3), 2, settings).count_params() == 4 * 4 * 3 * 2 + 2


@pytest.fixture(params=["float32", "mixed_bfloat16"])
def policy(request):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


PIXELS = np.random.default_rng(1).uniform(0, 255, (2, 5, 7, 3)).astype("float32")
EXPECTED = {
    "none": PIXELS,
    "imagenet_rgb": keras.applications.densenet.preprocess_input(PIXELS.copy()),
    "unit": PIXELS / 255,
    "signed": PIXELS / 127.5 - 1,
    "imagenet_bgr": keras.applications.vgg16.preprocess_input(PIXELS.copy()),
    "efficientnet_lite": (PIXELS - 127) / 128,
}


@pytest.mark.parametrize("form", ["sequential", "functional"])
@pytest.mark.parametrize("scaling", SCALINGS)
def test_scaling_is_saved_with_the_model_and_exact_at_any_precision(scaling, form, policy, tmp_path):
    pixels = keras.Input((5, 7, 3))
    if form == "sequential":
        model = keras.Sequential([pixels, scaling_layer(scaling)])
    else:
        model = keras.Model(pixels, scaling_layer(scaling)(pixels))
    save(model, tmp_path / "model.keras")
    keras.config.set_dtype_policy("float32")
    copy = keras.models.load_model(tmp_path / "model.keras")
    for each in (model, copy):
        np.testing.assert_allclose(each.predict_on_batch(PIXELS), EXPECTED[scaling], rtol=0, atol=1e-6)
    assert not copy.weights


def test_every_scaling_is_a_choice_of_params():
    for scaling in SCALINGS:
        values = {"dropout": 0.1, "width": 1.0, "scaling": scaling}
        assert models.load("vgg").Params.model_validate(values).scaling == scaling
    with pytest.raises(ValueError, match=r"'none', 'unit', .*, 'imagenet_rgb' or 'efficientnet_lite'"):
        models.load("vgg").Params.model_validate(values | {"scaling": "half"})


def test_imagenet_bgr_takes_integer_pixels_and_leaves_them_as_they_are():
    pixels = PIXELS.astype("uint8")
    expected = keras.applications.vgg16.preprocess_input(pixels.astype("float32"))
    np.testing.assert_array_equal(np.asarray(scaling_layer("imagenet_bgr")(pixels)), expected)
    np.testing.assert_array_equal(pixels, PIXELS.astype("uint8"))


def test_a_network_fed_imagenet_bgr_is_saved_whole(tmp_path):
    model = build("vgg", scaling="imagenet_bgr")
    save(model, tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(predict(copy), predict(model))
