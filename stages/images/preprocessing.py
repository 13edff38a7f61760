"""How an image becomes the pixels that a network is fed, both by params.yaml and by the settings of a trained model."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, model_validator

from stages.core import params
from stages.images.faces import Box, Face, open_detector, read_face
from stages.images.reading import Crop, Pixels, read_pixels

Reader = Callable[[Path], tuple[Pixels, list[Box]]]


def check_sides(size: Any) -> Any:
    """Return the size as [height, width].

    Raises:
        ValueError: The size is neither an integer nor two integers, or a side is smaller than 1.
    """
    sides = size if isinstance(size, list) else [size, size]
    if len(sides) != 2 or not all(type(side) is int and side >= 1 for side in sides):
        raise ValueError(f"expected an integer >= 1, or [height, width], got {size!r}.")
    return sides


Size = Annotated[list[int], BeforeValidator(check_sides)]


class Preprocessing(params.Section):
    """The size and the crop of the pixels, and how faces are found if they are cut out."""

    size: Size
    crop: Literal[Crop, "face"]
    face: Face | None = None

    @model_validator(mode="after")
    def check_face(self) -> "Preprocessing":
        """Check that there are settings for faces if faces are to be cut out, and return the section itself.

        Raises:
            ValueError: The crop is `face` and the table `face` is missing.
        """
        if self.crop == "face" and self.face is None:
            raise ValueError("expected a table `face` for crop: face, got none.")
        return self

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return (self.size[0], self.size[1])


def dump_settings(settings: Preprocessing) -> dict[str, Any]:
    """Return the settings that matter for the crop, ready for JSON; `Preprocessing` can be read from them again."""
    named = {"size", "crop", "face"} if settings.crop == "face" else {"size", "crop"}
    return settings.model_dump(include=named)


def open_reader(settings: Preprocessing) -> Reader:
    """Return a function that reads a file's pixels and its faces, the largest first; only the crop `face` finds any.

    The function raises `UnusableImage` for a file that has no such pixels.
    """
    crop, face, shape = settings.crop, settings.face, settings.shape
    if crop != "face" or face is None:
        return lambda path: (read_pixels(path, shape, cast(Crop, crop)), [])
    return partial(read_face, size=shape, detector=open_detector(face))
