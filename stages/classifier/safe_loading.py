"""Safe loading of model files that may come from elsewhere: a file is checked before anything in it is built or run.

Keras imports what a `.keras` file names, and reads the files that its weights point to. Here a file is loaded only if
it holds nothing except layers of this project's networks and the weights of these layers.
"""

import io
import json
import math
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import h5py
import keras

MEMBERS = ["config.json", "metadata.json", "model.weights.h5"]
MAX_CONFIG = 10_000_000  # bytes; Xception's config has 300,000
# All layers of `stages/models` and of common backbones. Keras has many more, and a file can ask for any of them.
LAYERS = (
    "Activation", "Add", "AveragePooling2D", "BatchNormalization", "Concatenate", "Conv2D", "Dense", "DepthwiseConv2D",
    "Dropout", "Flatten", "GlobalAveragePooling2D", "InputLayer", "LeakyReLU", "MaxPooling2D", "Multiply",
    "ReLU", "Rescaling", "Reshape", "SeparableConv2D", "ZeroPadding2D",
)  # fmt: skip
MODELS: list[tuple[str | None, str]] = [("keras", "Sequential"), ("keras.src.models.functional", "Functional")]
KNOWN = [
    *MODELS,
    *(("keras.layers", name) for name in LAYERS),
    *(("keras.initializers", name) for name in ("GlorotUniform", "Ones", "VarianceScaling", "Zeros")),
    ("keras", "DTypePolicy"),
    ("keras.src.ops.numpy", "Flip"),
    (None, "__keras_tensor__"),
]


def load_checked(path: Path) -> keras.Model:
    """Load the model of a `.keras` file, not compiled.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not a model, or holds anything except known layers and their weights.
    """
    config, weights = read_members(path)
    check_objects(config, path)
    held, needed = count_numbers(io.BytesIO(weights), path), count_weights(config, path)
    if held != needed:
        raise ValueError(f"{path}: expected the {needed} weights that its layers have, got {held}.")
    with refusing("a model", path):
        return keras.models.load_model(path, compile=False, safe_mode=True)


def load_weights(model: keras.Model, path: Path) -> None:
    """Load the weights of a `.weights.h5` file into the model.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file does not hold weights, or holds anything except weights of such a model.
    """
    with open_file(path) as stream:
        count_numbers(stream, path)
    with refusing(f"weights of {model.name}", path):
        model.load_weights(path)


def open_file(path: Path) -> IO[bytes]:
    """Open the file for reading.

    Raises:
        FileNotFoundError: There is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a model's file, got no such file.")
    return path.open("rb")


@contextmanager
def refusing(expected: str, path: Path) -> Iterator[None]:
    """Yield, and turn any error of the block into one line that says what the file was expected to be.

    Raises:
        ValueError: The block raised an error; a damaged or hostile file can make parsers and Keras raise nearly any.
    """
    try:
        yield
    except Exception as error:
        raise ValueError(f"{path}: expected {expected}, got {shorten(error)}.") from error


def shorten(found: object) -> str:
    """Return the text of what was found, in one line of at most 150 characters without control characters."""
    line = " ".join(str(found).split()).removesuffix(".")
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)[:150]


def read_members(path: Path) -> tuple[dict[str, Any], bytes]:
    """Read the config and the bytes of the weights in a `.keras` file.

    Keras compresses no member of the file, so a compressed member is refused.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not a zip archive of exactly the MEMBERS, all of them uncompressed.
    """
    with open_file(path) as stream:
        with refusing("a zip archive", path):
            archive = zipfile.ZipFile(stream)
        entries = {entry.filename: entry for entry in archive.infolist()}
        if sorted(entry.filename for entry in archive.infolist()) != MEMBERS:
            names = ", ".join(entry.filename for entry in archive.infolist())
            raise ValueError(f"{path}: expected a zip of {', '.join(MEMBERS)}, got {shorten(names) or 'nothing'}.")
        for name, entry in entries.items():
            # Reading asks for as much memory as the entry claims to need.
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > path.stat().st_size:
                raise ValueError(f"{path}: expected {name} whole and as it is, got it cut off or compressed.")
        if entries["config.json"].file_size > MAX_CONFIG:
            size = entries["config.json"].file_size
            raise ValueError(f"{path}: expected a config.json of at most {MAX_CONFIG} bytes, got {size}.")
        with refusing("members that can be read", path):
            config, weights = archive.read("config.json"), archive.read("model.weights.h5")
    with refusing("a config in JSON", path):
        return dict(json.loads(config)), weights


def check_objects(config: dict[str, Any], path: Path) -> None:
    """Check that a config describes a model and names no class or function except the known ones.

    Raises:
        ValueError: The config names another class or function.
    """
    waiting: list[Any] = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if {"class_name", "module", "registered_name"} & value.keys():
                check_object(value, KNOWN if value is not config else MODELS, path)
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def check_object(named: dict[str, Any], known: list[tuple[str | None, str]], path: Path) -> None:
    """Check that a part of a config names a known class.

    Raises:
        ValueError: The part names another class.
    """
    module, name = named.get("module"), named.get("class_name")
    # `known` is a list and not a set, because a hostile name may be unhashable.
    if (module, name) not in known or named.get("registered_name") not in (None, name):
        found = shorten(f"{module}.{name}, registered as {named.get('registered_name')}")
        raise ValueError(f"{path}: expected layers of this project's networks, got {found}.")


def count_weights(config: dict[str, Any], path: Path) -> int:
    """Return how many numbers the weights of a config's layers have.

    The weights get no memory here, because a config can ask for any number of them.

    Raises:
        ValueError: The layers do not fit together.
    """

    def build() -> int:
        with keras.StatelessScope(initialize_variables=False):
            model = keras.saving.deserialize_keras_object(config, safe_mode=True)
        return sum(math.prod(variable.shape) for variable in model.weights)

    # In a thread of its own: Keras keeps a list for each thread of variables without memory, to allocate them later.
    with refusing("a model", path), ThreadPoolExecutor(1) as pool:
        return pool.submit(build).result()


def count_numbers(stream: IO[bytes], path: Path) -> int:
    """Return how many numbers an HDF5 file holds, and check that all of them are stored inside the file.

    Raises:
        ValueError: The file is not HDF5, leads to another file, or holds anything except numbers.
    """
    links: dict[str, Any] = {}
    items: dict[str, Any] = {}
    with refusing("weights in HDF5", path), h5py.File(stream, "r") as file:
        file.visititems_links(links.__setitem__)
        file.visititems(items.__setitem__)
        odd = [name for name, link in links.items() if not isinstance(link, h5py.HardLink)]
        odd += [name for name, item in items.items() if not isinstance(item, h5py.Group) and not is_plain(item)]
        numbers = sum(int(item.size) for item in items.values() if isinstance(item, h5py.Dataset) and not odd)
    if odd:
        raise ValueError(f"{path}: expected plain numbers inside the file, got {shorten(odd[0])}.")
    return numbers


def is_plain(item: Any) -> bool:
    """Return whether a part of an HDF5 file is an array of numbers with all bytes in one place inside the file."""
    if not isinstance(item, h5py.Dataset) or item.shape is None or item.dtype.kind not in "fiu":
        return False
    is_whole = item.id.get_create_plist().get_layout() in (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT)
    return is_whole and item.external is None and item.id.get_storage_size() == item.nbytes
