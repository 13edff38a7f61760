"""Backbones that others publish, and their two parts: a frozen part, and a tail whose training goes on."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import keras
import numpy as np
from pydantic import AfterValidator, Field, ValidationError

from stages.core.params import Section
from stages.core.validation import first_problem
from stages.networks.layers import scaling_layer
from stages.networks.network_params import Scaling

TAIL_WEIGHTS = "tail.weights.h5"
Shape = tuple[int, ...]


class NotPublished(ValueError):
    """The library publishes no such weights."""


def check_library(library: str) -> str:
    """Check that backbones of the library can be built, and return its name.

    Raises:
        ValueError: The library is none of LIBRARIES.
    """
    if library not in LIBRARIES:
        raise ValueError(f"expected one of {', '.join(LIBRARIES)}, got {library}.")
    return library


class Architecture(Section, extra="ignore"):
    """The keys of `pretrained.networks.<network>` that say how its backbone is built.

    `architecture` is the library's name of the network, and `options` are further arguments to it. `min_side` is the
    shortest side of an image, in pixels, that the layers take.
    """

    library: Annotated[str, AfterValidator(check_library)]
    architecture: str = Field(pattern="^[A-Za-z][A-Za-z0-9]*$")
    options: dict[str, Any]
    min_side: int = Field(ge=1)


def parse_architecture(facts: dict[str, Any], where: str) -> Architecture:
    """Return how a backbone is built, from the facts that `pretrained` or `features` wrote of it.

    Raises:
        ValueError: The facts do not say so, as those of earlier versions.
    """
    try:
        return Architecture.model_validate(facts)
    except ValidationError as error:
        raise ValueError(first_problem(error, lambda keys: " ".join([where, *keys]), lambda _: ())) from error


def make_backbone(name: str, row: Architecture, image_shape: Shape, weights: str | None = None) -> keras.Model:
    """Return a network without its top, from scaled images `(batch, *image_shape)` to `(batch, h, w, channels)`.

    Args:
        name: The name of the network in params.yaml, and of the model.
        row: What params.yaml says of it.
        image_shape: Height, width and channels of the images.
        weights: `imagenet` for the weights that the library publishes; None for random weights.

    Raises:
        ValueError: The library has no such network, does not take these arguments or this shape, or publishes no such
            weights.
    """
    where = f"params.yaml pretrained.networks.{name}"
    try:
        whole = LIBRARIES[row.library](row, image_shape, weights)
    except NotPublished:
        raise
    except Exception as error:  # A library can raise anything about its arguments.
        raise ValueError(
            f"{where}: expected a network of {row.library} that takes the options and images of "
            f"{image_shape[0]}x{image_shape[1]} pixels, got {row.architecture}: {' '.join(str(error).split())[:200]}"
        ) from error
    if len(whole.inputs) != 1 or len(whole.outputs) != 1 or len(whole.output_shape) != 4:
        raise ValueError(
            f"{where}: expected a network from images to maps of features, got {row.architecture} with an output of "
            f"the shape {whole.output_shape}."
        )
    return keras.Model(whole.input, whole.output, name=name)  # its own class may need the library to be read again


def from_keras(row: Architecture, image_shape: Shape, weights: str | None) -> keras.Model:
    """Return a network of `keras.applications`."""
    make = getattr(keras.applications, row.architecture)
    model: keras.Model = make(weights=weights, include_top=False, input_shape=image_shape, **row.options)
    return model


def from_keras_cv(row: Architecture, image_shape: Shape, weights: str | None) -> keras.Model:
    """Return a backbone of KerasCV, built from the numbers in its options, because its presets are on a server."""
    if weights is not None:
        raise NotPublished(f"expected a mirror pip: or file:, because KerasCV holds no weights of {row.architecture}.")
    import keras_cv  # It takes seconds to import.

    model: keras.Model = getattr(keras_cv.models, row.architecture)(input_shape=image_shape, **row.options)
    return model


LIBRARIES: dict[str, Callable[[Architecture, Shape, str | None], keras.Model]] = {
    "keras": from_keras,
    "keras_cv": from_keras_cv,
}


def valid_cuts(backbone: keras.Model) -> list[int]:
    """Return each number n for which exactly one tensor enters the last n layers.

    For these numbers the layers before can be frozen and their activations kept. 0 is always among them: then the whole
    backbone is frozen. Nothing else is, where tensors are computed between the layers, as in MobileNetV3.
    """
    position = {id(layer.output): i for i, layer in enumerate(backbone.layers)}
    if len(backbone.operations) > len(backbone.layers):
        return [0]
    last_use = dict.fromkeys(range(len(backbone.layers)), -1)
    for i, layer in enumerate(backbone.layers[1:], start=1):
        for tensor in keras.tree.flatten(layer.input):
            last_use[position[id(tensor)]] = max(last_use[position[id(tensor)]], i)
    last_use[position[id(backbone.output)]] = len(backbone.layers)
    n = len(backbone.layers)
    return [n - 1 - i for i in range(n - 1, -1, -1) if sum(last_use[j] > i for j in range(i + 1)) == 1]


def cut(backbone: keras.Model, trainable_layers: int) -> tuple[keras.Model, keras.Model | None]:
    """Cut off the last `trainable_layers` layers, and return the frozen part and the tail; for 0 the tail is None.

    The tail is a model from the frozen part's output to the backbone's output.

    Raises:
        ValueError: Not exactly one tensor enters the last `trainable_layers` layers.
    """
    if trainable_layers == 0:
        return backbone, None
    cuts = valid_cuts(backbone)
    if trainable_layers not in cuts:
        below = max((n for n in cuts if n < trainable_layers), default=None)
        above = min((n for n in cuts if n > trainable_layers), default=None)
        nearest = " or ".join(str(n) for n in (below, above) if n is not None)
        raise ValueError(
            f"params.yaml train.{backbone.name}.trainable_layers: expected a number of layers that one tensor enters, "
            f"got {trainable_layers}; the nearest is {nearest}."
        )
    boundary = backbone.layers[-trainable_layers - 1].output
    frozen = keras.Model(backbone.input, boundary, name=f"{backbone.name}_frozen")
    return frozen, keras.Model(boundary, backbone.output, name=f"{backbone.name}_tail")


def on_pixels(frozen: keras.Model, scaling: Scaling, shape: Shape) -> keras.Model:
    """Return a model that scales pixels in [0, 255] and applies the frozen part, with its trained batch statistics."""
    pixels = keras.Input(shape)
    activations = frozen(scaling_layer(scaling)(pixels), training=False)
    return keras.Model(pixels, activations, name=f"{frozen.name}_on_pixels")


def rebuild(facts: dict[str, Any]) -> keras.Model:
    """Return the backbone that activations come from, by the facts that `features` wrote, with random weights.

    Raises:
        ValueError: The facts name no network that can be built.
    """
    row = parse_architecture(facts, f"the activations of {facts['network']}")
    return make_backbone(facts["network"], row, tuple(facts["image_shape"]))


def read_tail(facts: dict[str, Any], source: Path) -> keras.Model | None:
    """Return the tail with the weights that the step `features` wrote to the source folder; None for 0 layers."""
    if facts["trainable_layers"] == 0:
        return None  # before the backbone is built, which takes seconds
    _, tail = cut(rebuild(facts), facts["trainable_layers"])
    if tail is not None:
        tail.load_weights(source / TAIL_WEIGHTS)
    return tail


def sha256_of(model: keras.Model) -> str:
    """Return the SHA-256 hash of the shapes and float32 values of the model's weights, in the model's order.

    The hash does not depend on the file format, nor on layer names, which Keras numbers across all models of a process.
    """
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(repr(weight.shape).encode())
        digest.update(np.ascontiguousarray(weight, dtype="<f4").tobytes())
    return digest.hexdigest()
