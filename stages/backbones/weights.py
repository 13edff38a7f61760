"""Backbones with their weights, from the file that `pretrained` wrote: weights of Keras's layers, or an ONNX file."""

import hashlib
from pathlib import Path
from typing import Any

import keras
import numpy as np

from stages.backbones.libraries import ONNX, Architecture, make_backbone, parse_architecture
from stages.backbones.onnx_layer import as_model, find_network
from stages.backbones.parts import Shape, cut
from stages.networks.determinism import current_threads

WEIGHTS, ONNX_FILE, TAIL_WEIGHTS = "backbone.weights.h5", "backbone.onnx", "tail.weights.h5"
MOST_BYTES = 2_000_000_000  # of a file of weights


def file_of(row: Architecture) -> str:
    """Return the name of the file that holds the backbone's weights."""
    return ONNX_FILE if row.library == ONNX else WEIGHTS


def open_backbone(name: str, row: Architecture, image_shape: Shape, folder: Path) -> keras.Model:
    """Return the backbone for scaled images of this shape, with the weights in the folder.

    Raises:
        ValueError: The backbone cannot be built, or does not take such images.
    """
    path = folder / file_of(row)
    if row.library == ONNX:
        return open_onnx(name, row, image_shape, path.read_bytes(), str(path))
    backbone = make_backbone(name, row, image_shape)
    backbone.load_weights(path)
    return backbone


def open_onnx(name: str, row: Architecture, image_shape: Shape, content: bytes, where: str) -> keras.Model:
    """Return the backbone in the content of an ONNX file.

    Raises:
        ValueError: The content is no network from such images to features.
    """
    from stages.backbones.onnx_file import open_network  # ONNX and its runtime take a quarter of a second

    return as_model(open_network(content, row.options, image_shape, current_threads(), where), name)


def rebuild(facts: dict[str, Any], folder: Path) -> keras.Model:
    """Return the backbone that activations come from, by the facts that `features` wrote into the folder.

    Its weights are random, but for those in an ONNX file.

    Raises:
        ValueError: The facts name no network that can be built.
    """
    row = parse_architecture(facts, f"the activations of {facts['network']}")
    if row.library == ONNX:
        return open_backbone(facts["network"], row, tuple(facts["image_shape"]), folder)
    return make_backbone(facts["network"], row, tuple(facts["image_shape"]))


def read_tail(facts: dict[str, Any], source: Path) -> keras.Model | None:
    """Return the tail with the weights that the step `features` wrote to the source folder; None for 0 layers."""
    if facts["trainable_layers"] == 0:
        return None  # before the backbone is built, which takes seconds
    _, tail = cut(rebuild(facts, source), facts["trainable_layers"])
    if tail is not None:
        tail.load_weights(source / TAIL_WEIGHTS)
    return tail


def sha256_of(model: keras.Model) -> str:
    """Return the SHA-256 hash of the shapes and float32 values of the model's weights, in the model's order.

    The hash does not depend on the file format, nor on layer names, which Keras numbers across all models of a process.
    Of an ONNX file it is that of the file.
    """
    if network := find_network(model):
        return network.sha256
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(repr(weight.shape).encode())
        digest.update(np.ascontiguousarray(weight, dtype="<f4").tobytes())
    return digest.hexdigest()
