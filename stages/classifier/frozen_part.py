"""The frozen part under a trained head: the backbone that params.yaml describes, with the weights of the training."""

import hashlib
from pathlib import Path

import keras

from stages.backbones.libraries import ONNX, Architecture, make_backbone
from stages.backbones.parts import cut, on_pixels
from stages.backbones.weights import MOST_BYTES, file_of, open_onnx, sha256_of
from stages.classifier.model_facts import Backbone, Facts
from stages.classifier.safe_loading import load_weights, open_file
from stages.core import params


class Pin(params.Section, extra="ignore"):
    """The hash that params.yaml has of a network's weights."""

    sha256: str


def read_architecture(network: str) -> Architecture:
    """Read from params.yaml how the backbone of the network is built.

    Raises:
        ValueError: params.yaml does not say so.
    """
    return params.read(Architecture, f"pretrained.networks.{network}")


def open_frozen(facts: Facts, backbone: Backbone, folder: Path, pretrained: Path) -> keras.Model:
    """Return the frozen part, from pixels in [0, 255] to activations.

    How it is built is read from params.yaml: a model that came from elsewhere could ask for any number of layers.

    Raises:
        FileNotFoundError: The weights are missing.
        ValueError: params.yaml does not describe the backbone that the model was trained on, or the weights are not
            those of the training.
    """
    try:
        architecture = read_architecture(facts.network)
    except ValueError as error:
        raise ValueError(f"{folder}: expected a model on a backbone of params.yaml, got one that it lacks: {error}"
                         ) from error  # fmt: skip
    for key, trained in backbone.model_dump(include={"library", "architecture", "options"}).items():
        if trained is not None and trained != getattr(architecture, key):
            raise ValueError(
                f"{folder / 'network.json'} backbone.{key}: expected that of params.yaml pretrained.networks."
                f"{facts.network}, {getattr(architecture, key)!r:.100}, got {trained!r:.100}."
            )
    own = folder / file_of(architecture)
    path = own if own.is_file() else pretrained / facts.network / own.name
    whole = open_checked(facts, architecture, backbone.sha256, path)
    frozen, _ = cut(whole, backbone.trainable_layers)
    return on_pixels(frozen, backbone.scaling, tuple(facts.image_shape))


def open_checked(facts: Facts, architecture: Architecture, sha256: str, path: Path) -> keras.Model:
    """Return the backbone with the weights of a file.

    An ONNX file is run only if params.yaml has its hash: it could hold any operations.

    Raises:
        FileNotFoundError: The file is missing.
        ValueError: The weights do not have this hash, or those of an ONNX file not that of params.yaml.
    """
    shape = tuple(facts.image_shape)
    if architecture.library == ONNX:
        with open_file(path) as stream:
            content = stream.read(MOST_BYTES)
        pinned = params.read(Pin, f"pretrained.networks.{facts.network}").sha256
        found = hashlib.sha256(content).hexdigest()
        for expected in (sha256, pinned):
            if found != expected:
                raise ValueError(f"{path}: expected a file with SHA-256 {expected}, got {found}.")
        return open_onnx(facts.network, architecture, shape, content, str(path))
    whole = make_backbone(facts.network, architecture, shape)
    load_weights(whole, path)
    if (found := sha256_of(whole)) != sha256:
        raise ValueError(f"{path}: expected tensors with SHA-256 {sha256}, got {found}.")
    return whole
