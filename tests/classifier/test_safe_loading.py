import io
import json
import os
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from stages import models
from stages.backbones.parts import cut, valid_cuts
from stages.classifier.safe_loading import check_objects, load_checked, load_weights
from stages.networks import heads
from stages.training.hyperparams import read_settings
from stages.training.saving import save
from tests.catalog import NETWORKS, make, network_of

pytestmark = pytest.mark.usefixtures("tensors")

MEMBERS = ("config.json", "metadata.json", "model.weights.h5")


@pytest.fixture
def canary(tmp_path):
    """A file that is there as soon as something hostile has run."""
    return tmp_path / "canary"


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """The members of a good file."""
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, activation="relu")])
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dropout(0.5))
    model.add(keras.layers.Dense(2, activation="softmax"))
    path = tmp_path_factory.mktemp("good") / "model.keras"
    save(model, path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in MEMBERS}


def write(path, members, deflated=None):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content, zipfile.ZIP_DEFLATED if name == deflated else zipfile.ZIP_STORED)
    return path


@pytest.fixture
def pack(tmp_path, content):
    """Write the good file with other members instead of its own, or besides them."""
    return lambda **options: write(tmp_path / "model.keras", content | options.pop("members", {}), **options)


def refused(path, message):
    """The one line with which the file is refused."""
    with pytest.raises(ValueError) as caught:
        load_checked(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: expected ")
    assert message in line
    assert "\n" not in line
    assert len(line) < len(str(path)) + 300
    return line


# --- what is loaded


def settings_of(name, **changes):
    settings = read_settings(name, network_of(name))
    return settings.model_copy(update={"width": 0.05, **changes})


@pytest.fixture
def in_root(root, monkeypatch):
    monkeypatch.chdir(root)


def check_same(model, path):
    save(model, path)
    loaded = load_checked(path)
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
    for ours, theirs in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert getattr(loaded, "optimizer", None) is None


def build(name, **changes):
    network = network_of(name)
    return network.build((network.MIN_SIDE, network.MIN_SIDE, 3), 3, settings_of(name, **changes))


# Towers, batch normalisation, the scaling that needs a function, and layers with two kernels or one for each channel.
@pytest.mark.parametrize(
    ("name", "scaling"),
    [
        ("peetznet", "signed"), ("convnet", "unit"), ("vgg", "imagenet_bgr"),
        pytest.param("xception", "signed", marks=pytest.mark.slow),
        pytest.param("efficientnet_lite0", "efficientnet_lite", marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_a_network_is_loaded_as_it_was(in_root, tmp_path, name, scaling):
    check_same(build(name, scaling=scaling), tmp_path / "model.keras")


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_has_known_layers_alone(in_root, tmp_path, name):
    with keras.StatelessScope(initialize_variables=False):
        config = keras.saving.serialize_keras_object(build(name))
    check_objects(config, tmp_path)  # which refuses all others, as the tests below see


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_a_network_trained_in_16_bits_is_loaded(in_root, tmp_path, precision):
    keras.config.set_dtype_policy(precision)
    try:
        model = models.load("convnet").build((32, 32, 3), 3, settings_of("convnet"))
    finally:
        keras.config.set_dtype_policy("float32")
    check_same(model, tmp_path / "model.keras")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "head"), [("xception", "linear"), ("vgg16", "dense")])
def test_every_head_with_a_tail_under_it_is_loaded(in_root, tmp_path, name, head):
    side = network_of(name).MIN_SIDE
    backbone = make(name, (side, side, 3))
    frozen, tail = cut(backbone, valid_cuts(backbone)[-3])
    top = heads.build(tail.output_shape[1:], 3, settings_of(name, head=head, width=0.01))
    activations = keras.Input(frozen.output_shape[1:])
    check_same(keras.Model(activations, top(tail(activations))), tmp_path / "model.keras")


def test_the_good_file_of_these_tests_is_loaded(pack):
    assert load_checked(pack()).output_shape == (None, 2)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.keras: expected a model's file, got no such file\."):
        load_checked(tmp_path / "none.keras")


# --- code in the file


def test_a_lambda_with_code_is_refused_and_does_not_run(tmp_path, canary):
    source = f"lambda x: (__import__('pathlib').Path({str(canary)!r}).touch(), x)[1]"
    model = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(eval(source))])
    model.save(tmp_path / "model.keras")
    canary.unlink()
    refused(tmp_path / "model.keras", "expected layers of this project's networks, got keras.layers.Lambda")
    assert not canary.exists()
    keras.models.load_model(tmp_path / "model.keras", compile=False, safe_mode=False)
    assert canary.exists()  # the file is as hostile as it should be


def named(module, name, config=None, registered=None):
    return {"module": module, "class_name": name, "config": config or {}, "registered_name": registered}


HOSTILE = {
    "os.system": named("os", "system", {"command": "CANARY"}),
    "os.system as function": named("os", "function", "system", "system"),
    "builtins.eval": named("builtins", "eval", {"source": "CANARY"}, "eval"),
    "a built-in function": named("builtins", "function", "eval", "eval"),
    "subprocess.Popen": named("subprocess", "Popen", {"args": "CANARY"}),
    "Lambda": named("keras.layers", "Lambda", {"function": "CANARY"}),
    "legacy Lambda": {"class_name": "Lambda", "config": {"function": ["CANARY", None, None]}},
    "TFSMLayer": named("keras.layers", "TFSMLayer", {"filepath": "/"}),
    "a download": named("keras.utils", "get_file", {"origin": "http://127.0.0.1:9/"}),
    "a vocabulary of a file": named("keras.layers", "StringLookup", {"vocabulary": "/etc/passwd"}),
    "a custom layer": named("attack", "Layer", {}, "attack>Layer"),
    "a known layer under another name": named("keras.layers", "Dense", {"units": 1}, "attack>Layer"),
    "a known layer elsewhere": named("attack", "Dense", {"units": 1}),
    "an unexported class": named("keras.src.saving.saving_lib", "H5IOStore", {"root_path": "/tmp/x"}),
    "a type": {"class_name": "__typespec__", "spec_name": "x", "module": "os", "registered_name": None, "config": []},
    "no text": named(["os"], {"system": 1}),
    "a module alone": {"module": "os"},
}


def replace_layer(config, value):
    config["config"]["layers"].insert(1, value)


def replace_activation(config, value):
    config["config"]["layers"][-1]["config"]["activation"] = value


def replace_initializer(config, value):
    config["config"]["layers"][1]["config"]["kernel_initializer"] = value


def add_compilation(config, value):
    config["compile_config"] = {"optimizer": value, "loss": value}


def add_call(config, value):
    config["config"]["layers"][1]["inbound_nodes"] = [{"args": [[{"x": value}]], "kwargs": {}}]


@pytest.mark.parametrize("place", [replace_layer, replace_activation, replace_initializer, add_compilation, add_call])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_config_that_names_anything_else_is_refused_wherever_it_does(pack, content, canary, name, place):
    config = json.loads(content["config.json"])
    value = json.loads(json.dumps(HOSTILE[name]).replace("CANARY", f"touch {canary}"))
    place(config, value)
    refused(pack(members={"config.json": json.dumps(config)}), "expected layers of this project's networks, got ")
    assert not canary.exists()


def test_the_places_of_the_test_above_take_what_is_known(pack, content):
    config = json.loads(content["config.json"])
    replace_initializer(config, named("keras.initializers", "Zeros"))
    assert load_checked(pack(members={"config.json": json.dumps(config)})).output_shape == (None, 2)


@pytest.mark.parametrize("name", list(HOSTILE))
def test_a_config_that_is_something_else_as_a_whole_is_refused(pack, canary, name):
    config = json.dumps(HOSTILE[name]).replace("CANARY", f"touch {canary}")
    refused(pack(members={"config.json": config}), "expected layers of this project's networks, got ")
    assert not canary.exists()


def test_a_config_of_a_layer_and_no_model_is_refused(pack):
    config = json.dumps(named("keras.layers", "Dense", {"units": 1}))
    refused(pack(members={"config.json": config}), "got keras.layers.Dense")


@pytest.mark.parametrize(
    "config", ["", "{", "[]", "7", '"x"', "null", "[" * 100_000, '{"a":' * 100_000, "\xff\xfe", '{"config": {}}']
)
def test_a_config_that_is_none_is_refused(pack, config):
    refused(pack(members={"config.json": config.encode("latin-1")}), "expected ")


def test_a_config_whose_layers_do_not_fit_is_refused(pack, content):
    config = json.loads(content["config.json"])
    del config["config"]["layers"][2]["config"]
    refused(pack(members={"config.json": json.dumps(config)}), "expected a model, got ")


def test_what_a_file_says_of_itself_cannot_write_to_the_terminal(pack, content):
    config = json.loads(content["config.json"])
    replace_layer(config, named("\x1b[2J", "a\nb"))
    assert refused(pack(members={"config.json": json.dumps(config)}), "got \N{REPLACEMENT CHARACTER}[2J").isprintable()


# --- pickles


class Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.system, (f"touch {self.path}",))


def test_a_pickled_file_is_refused_and_does_not_run(tmp_path, canary):
    path = tmp_path / "model.keras"
    path.write_bytes(pickle.dumps(Touch(canary)))
    refused(path, "expected a zip archive, got File is not a zip file.")
    assert not canary.exists()
    pickle.loads(path.read_bytes())
    assert canary.exists()  # as above


def test_arrays_with_pickled_objects_are_refused_and_do_not_run(tmp_path, pack, content, canary):
    stream = io.BytesIO()
    np.savez(stream, weights=np.array([Touch(canary)], dtype=object))
    path = tmp_path / "model.keras"
    path.write_bytes(stream.getvalue())
    refused(path, "expected a zip of config.json, metadata.json, model.weights.h5, got weights.npy.")
    members = {"config.json": content["config.json"], "metadata.json": b"{}", "model.weights.npz": stream.getvalue()}
    refused(write(path, members), "got config.json, metadata.json, model.weights.npz.")
    refused(pack(members={"model.weights.h5": stream.getvalue()}), "expected weights in HDF5, got ")
    assert not canary.exists()


# --- other archives


@pytest.mark.parametrize("name", ["../evil.py", "/tmp/evil.py", "assets/vocabulary.txt", "evil\\..\\x", "CONFIG.JSON"])
def test_a_zip_with_another_member_is_refused_and_unpacks_nothing(tmp_path, pack, name):
    path = pack(members={name: b"evil"})
    before = sorted(tmp_path.rglob("*"))
    refused(path, "expected a zip of config.json, metadata.json, model.weights.h5, got ")
    assert sorted(tmp_path.rglob("*")) == before
    assert not (tmp_path.parent / "evil.py").exists()


@pytest.mark.parametrize("name", MEMBERS)
def test_a_zip_without_a_member_or_with_one_twice_is_refused(tmp_path, content, name):
    path = write(tmp_path / "model.keras", {key: value for key, value in content.items() if key != name})
    refused(path, "expected a zip of config.json, metadata.json, model.weights.h5, got ")
    write(path, content)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(name, content[name])
    refused(path, "expected a zip of config.json, metadata.json, model.weights.h5, got ")


def test_a_legacy_h5_file_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.save(tmp_path / "model.h5")
    (tmp_path / "model.h5").rename(path)
    refused(path, "expected a zip archive, got File is not a zip file.")


@pytest.mark.parametrize("length", [0, 1, 100, -30])
def test_a_damaged_file_is_refused(pack, length):
    path = pack()
    path.write_bytes(path.read_bytes()[:length])
    refused(path, "expected a zip archive, got ")


def test_a_member_with_another_checksum_is_refused(pack):
    path = pack()
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"softmax"', b'"sigmoid"'))
    refused(path, "expected members that can be read, got Bad CRC-32 for file 'config.json'.")


def test_an_encrypted_member_is_refused(pack):
    path = pack()
    whole = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        whole[whole.index(signature) + offset] |= 1
    path.write_bytes(whole)
    refused(path, "expected members that can be read, got ")


# --- bombs


def peak(path, message):
    """The most memory that refusing the file took, in bytes."""
    tracemalloc.start()
    try:
        refused(path, message)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", MEMBERS)
def test_a_zip_bomb_is_refused_before_it_is_inflated(pack, name):
    path = pack(members={name: bytes(20_000_000)}, deflated=name)
    assert path.stat().st_size < 1_000_000
    assert peak(path, f"expected {name} whole and as it is, got it cut off or compressed.") < 5_000_000


def test_a_config_of_many_megabytes_is_refused(pack):
    path = pack(members={"config.json": b" " * 10_000_001})
    assert peak(path, "expected a config.json of at most 10000000 bytes, got 10000001.") < 5_000_000


def test_a_member_that_claims_more_bytes_than_there_are_is_refused(pack, content):
    path = pack()
    whole = bytearray(path.read_bytes())
    start = whole.rindex(b"PK\x01\x02")  # the last entry, the weights'
    struct.pack_into("<II", whole, start + 20, 2**32 - 2, 2**32 - 2)
    path.write_bytes(whole)
    assert peak(path, "expected model.weights.h5 whole and as it is, got it cut off or compressed.") < 5_000_000


def test_layers_with_more_weights_than_the_file_holds_get_no_memory(pack, content):
    config = json.loads(content["config.json"])
    config["config"]["layers"][-1]["config"]["units"] = 10**12
    path = pack(members={"config.json": json.dumps(config)})
    # 3x3x3x4 + 4, and 6x6x4 and 1 for each unit
    refused(path, f"expected the {112 + 145 * 10**12} weights that its layers have, got {112 + 145 * 2}.")
    config["config"]["layers"][-1]["config"]["units"] = 3
    refused(
        pack(members={"config.json": json.dumps(config)}), "expected the 547 weights that its layers have, got 402."
    )


def test_the_right_number_of_weights_in_wrong_shapes_is_refused(pack, content):
    def reshape(file):
        kernel = file["layers/dense/vars/0"][()]
        del file["layers/dense/vars/0"]
        file["layers/dense/vars/0"] = kernel.T

    refused(pack(members={"model.weights.h5": changed(content, reshape)}), "expected a model, got ")


# --- weights that lead elsewhere


def changed(content, change):
    """The good weights after a change to the HDF5 file."""
    stream = io.BytesIO(content["model.weights.h5"])
    with h5py.File(stream, "r+") as file:
        change(file)
    return stream.getvalue()


KERNEL = "layers/dense/vars/0"  # (144, 2)


def external_link(file):
    del file[KERNEL]
    file[KERNEL] = h5py.ExternalLink("/etc/passwd", "/")


def soft_link(file):
    del file[KERNEL]
    file[KERNEL] = h5py.SoftLink("/layers/conv2d/vars/0")


def another_link(file):
    file["more"] = h5py.ExternalLink("/etc/passwd", "/")


def external_storage(file):
    del file[KERNEL]
    file.create_dataset(KERNEL, (144, 2), "f4", external=[("/etc/passwd", 0, 144 * 2 * 4)])


def virtual(file):
    del file[KERNEL]
    layout = h5py.VirtualLayout((144, 2), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (144, 2))
    file.create_virtual_dataset(KERNEL, layout)


def compressed(file):
    del file[KERNEL]
    file.create_dataset(KERNEL, (144, 2), "f4", compression="gzip", chunks=(144, 2))


def never_written(file):
    file.create_dataset("more", (10**12,), "f4")


def chunks_never_written(file):
    file.create_dataset("more", (10**12,), "f4", chunks=(1000,))


def text(file):
    file["more"] = "text"


def objects(file):
    file.create_dataset("more", data=np.array([file.ref]), dtype=h5py.ref_dtype)


def named_type(file):
    file["more"] = np.dtype("f4")


def nothing(file):
    file["more"] = h5py.Empty("f4")


@pytest.mark.parametrize(
    "change",
    [external_link, soft_link, another_link, external_storage, virtual, compressed, never_written,
     chunks_never_written, text, objects, named_type, nothing],
)  # fmt: skip
def test_weights_that_are_not_plainly_in_the_file_are_refused(pack, content, change):
    path = pack(members={"model.weights.h5": changed(content, change)})
    refused(path, f"expected plain numbers inside the file, got {'more' if change not in REPLACED else KERNEL}.")


REPLACED = (external_link, soft_link, external_storage, virtual, compressed)


def test_more_weights_than_the_layers_have_are_refused(pack, content):
    path = pack(members={"model.weights.h5": changed(content, lambda file: file.create_dataset("more", data=[1.0]))})
    refused(path, "expected the 402 weights that its layers have, got 403.")


# --- weights alone


@pytest.fixture
def dense(tmp_path):
    """A model of one layer, and a file of its weights."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model.set_weights([np.arange(6.0).reshape(2, 3), np.arange(3.0)])
    path = tmp_path / "backbone.weights.h5"
    model.save_weights(path)
    return model, path


def test_weights_alone_are_loaded(dense):
    model, path = dense
    model.set_weights([np.zeros((2, 3)), np.zeros(3)])
    load_weights(model, path)
    np.testing.assert_array_equal(model.get_weights()[0], [[0, 1, 2], [3, 4, 5]])


def test_weights_alone_that_lead_elsewhere_or_are_none_are_refused(dense):
    model, path = dense
    with h5py.File(path, "r+") as file:
        file["more"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(ValueError, match=r"backbone\.weights\.h5: expected plain numbers inside the file, got more\."):
        load_weights(model, path)
    path.write_bytes(b"no weights")
    with pytest.raises(ValueError, match=r"backbone\.weights\.h5: expected weights in HDF5, got "):
        load_weights(model, path)
    with pytest.raises(FileNotFoundError, match="expected a model's file, got no such file"):
        load_weights(model, Path(path.parent, "none"))


def test_weights_of_another_model_are_refused(dense):
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)], name="other")
    with pytest.raises(ValueError, match=r"backbone\.weights\.h5: expected weights of other, got ") as caught:
        load_weights(other, dense[1])
    assert "\n" not in str(caught.value)
