"""Backbones that others publish: how params.yaml says each is built, and the libraries that build them."""

from collections.abc import Callable
from typing import Annotated, Any, Self

import keras
from pydantic import AfterValidator, Field, ValidationError, model_validator

from stages.core.params import Section
from stages.core.validation import first_problem

ONNX = "onnx"  # a network in a file, which is opened and not built
Shape = tuple[int, ...]


class NotPublished(ValueError):
    """The library publishes no such weights."""


def check_library(library: str) -> str:
    """Check that backbones of the library can be built, and return its name.

    Raises:
        ValueError: The library is none of LIBRARIES, nor ONNX.
    """
    if library not in (*LIBRARIES, ONNX):
        raise ValueError(f"expected one of {', '.join((*LIBRARIES, ONNX))}, got {library}.")
    return library


class Architecture(Section, extra="ignore"):
    """The keys of `pretrained.networks.<network>` that say how its backbone is built.

    `architecture` is the library's name of the network, and `options` are further arguments to it. `min_side` is the
    shortest side of an image, in pixels, that the layers take. The name of an ONNX file is free; its options are those
    of `onnx_file.open_network`.
    """

    library: Annotated[str, AfterValidator(check_library)]
    architecture: str = Field(pattern="^[A-Za-z][A-Za-z0-9]*$")
    options: dict[str, Any]
    min_side: int = Field(ge=1)

    @model_validator(mode="after")
    def check_options(self) -> Self:
        """Check that an ONNX file has no other options than it takes.

        Raises:
            ValueError: It has.
        """
        is_name = isinstance(self.options.get("output", ""), str)
        is_order = self.options.get("channels", "first") in ("first", "last")
        if self.library == ONNX and not (is_name and is_order and {*self.options} <= {"output", "channels"}):
            raise ValueError(
                "expected of an ONNX file the options output, a tensor's name, and channels, first or last, alone, got "
                f"{self.options}."
            )
        return self


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
