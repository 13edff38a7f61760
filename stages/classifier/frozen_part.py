"""The frozen part under a trained head: the backbone that params.yaml describes, with the weights of the training."""

from pathlib import Path

import keras

from stages.classifier.model_facts import Backbone, Facts
from stages.classifier.safe_loading import load_weights
from stages.core import params
from stages.networks.backbones import Architecture, cut, make_backbone, on_pixels, sha256_of

WEIGHTS = "backbone.weights.h5"


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
    whole = make_backbone(facts.network, architecture, tuple(facts.image_shape))
    own = folder / WEIGHTS
    path = own if own.is_file() else pretrained / facts.network / WEIGHTS
    load_weights(whole, path)
    if (found := sha256_of(whole)) != backbone.sha256:
        raise ValueError(f"{path}: expected tensors with SHA-256 {backbone.sha256}, got {found}.")
    frozen, _ = cut(whole, backbone.trainable_layers)
    return on_pixels(frozen, backbone.scaling, tuple(facts.image_shape))
