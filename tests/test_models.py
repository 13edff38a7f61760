import keras
import numpy as np
import pytest

from stages import models
from stages.core import params
from stages.core.saving import save

pytestmark = pytest.mark.usefixtures("tensors")

SIDE = 72  # enough for every network, and quick


def settings_of(name, **changes):
    settings = params.read(models.load(name).Params, "train.common", f"train.{name}")
    return settings.model_copy(update={"width": 0.05, "dropout": 0.1, **changes})


@pytest.fixture(params=models.names())
def built(request, project):
    keras.utils.set_random_seed(0)
    model = models.load(request.param).build((SIDE, SIDE, 3), 3, settings_of(request.param))
    inputs = np.random.default_rng(0).uniform(0, 255, size=(12, SIDE, SIDE, 3)).astype("float32")
    return model, inputs, np.arange(12) % 3


def test_gives_probabilities_of_every_class(built):
    model, inputs, _ = built
    probabilities = model.predict(inputs, verbose=0)
    assert probabilities.shape == (12, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_a_few_steps_lower_the_loss(built):
    model, inputs, labels = built
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    before = model.evaluate(inputs, labels, verbose=0)
    model.fit(inputs, labels, epochs=8, verbose=0)
    assert model.evaluate(inputs, labels, verbose=0) < before


def test_a_saved_copy_predicts_the_same(built, tmp_path):
    model, inputs, _ = built
    save(model, tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(copy.predict(inputs, verbose=0), model.predict(inputs, verbose=0))


def test_saving_twice_gives_the_same_bytes_and_no_optimizer(built, tmp_path):
    model, inputs, labels = built
    save(model, tmp_path / "untrained.keras")
    model.compile(keras.optimizers.Adam(0.0), "sparse_categorical_crossentropy")
    model.fit(inputs, labels, verbose=0)
    save(model, tmp_path / "trained_at_rate_0.keras")
    assert (tmp_path / "trained_at_rate_0.keras").read_bytes() == (tmp_path / "untrained.keras").read_bytes()
    assert not list(tmp_path.glob("dated_*"))


@pytest.mark.parametrize("name", ["vgg", "alexnet", "peetznet"])
def test_takes_images_of_its_smallest_side_and_not_one_pixel_less(name, project):
    network = models.load(name)
    network.build((network.MIN_SIDE, network.MIN_SIDE, 3), 2, settings_of(name))
    with pytest.raises(ValueError, match=r"output size would be (zero or )?negative"):
        side = network.MIN_SIDE - 1
        network.build((side, side, 3), 2, settings_of(name))


@pytest.mark.parametrize("name", ["vgg", "alexnet", "peetznet"])
def test_takes_images_that_are_not_square(name, project):
    assert models.load(name).build((80, 120, 3), 2, settings_of(name)).output_shape == (None, 2)


@pytest.mark.parametrize("name", ["vgg", "alexnet", "peetznet"])
def test_width_scales_the_parameters(name, project):
    def count(width):
        return models.load(name).build((SIDE, SIDE, 3), 2, settings_of(name, width=width)).count_params()

    assert 3 < count(0.2) / count(0.1) < 4.2


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


@pytest.mark.parametrize(
    ("name", "convolutions", "poolings", "dropouts", "dense"),
    [("vgg", 6, 3, 5, 3), ("alexnet", 5, 3, 3, 3), ("peetznet", 12, 6, 9, 3)],
)
def test_has_the_layers_of_its_report(name, convolutions, poolings, dropouts, dense, project):
    found = kinds(models.load(name).build((SIDE, SIDE, 3), 2, settings_of(name)))
    wanted = {"Conv2D": convolutions, "MaxPooling2D": poolings, "Dropout": dropouts, "Dense": dense}
    assert {kind: found.count(kind) for kind in wanted} == wanted
    assert found.count("Rescaling") == 1


def test_peetznets_towers_have_the_kernels_of_their_params(project):
    model = models.load("peetznet").build((SIDE, SIDE, 3), 2, settings_of("peetznet", tower_b=[3, 4, 3]))
    sizes = [layer.kernel_size[0] for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert sorted(sizes) == sorted([5, 5, 4, 4, 3, 3, 3, 3, 4, 4, 3, 3])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "changes", "parameters"),
    [("vgg", {}, 208_609_154), ("peetznet", {"tower_b": [3, 4, 3]}, 414_797_954)],
)
def test_has_the_parameters_of_its_report_at_224_pixels(name, changes, parameters, project):
    model = models.load(name).build((224, 224, 3), 2, settings_of(name, width=1.0, **changes))
    assert model.count_params() == parameters


def test_alexnet_at_227_pixels_has_the_papers_positions(project):
    model = models.load("alexnet").build((227, 227, 3), 2, settings_of("alexnet"))
    flat = next(layer for layer in model.layers if isinstance(layer, keras.layers.Flatten))
    assert flat.input.shape[1:3] == (6, 6)


def test_an_unknown_network_is_one_line_with_the_choices():
    with pytest.raises(ValueError, match=rf"expected networks of {', '.join(models.names())}, got resnet\."):
        models.load("resnet")
