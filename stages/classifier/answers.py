"""The limits of a model's answers and the features of its training images, as `evaluate` wrote them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from stages.core.files import sha256
from stages.core.validation import first_problem
from stages.networks.answers import LIMITS, REFERENCES, Limits
from stages.networks.layer_graph import last_features
from stages.networks.novelty import measure_novelty
from stages.networks.predicting import predict


@dataclass(frozen=True)
class Answers:
    """The limits of a model, the model up to its last features, and those of training images, `(m, d)`."""

    limits: Limits
    features: keras.Model
    references: npt.NDArray[np.float16]

    def refuse(self, rows: npt.NDArray[Any], batch_size: int) -> npt.NDArray[np.bool_]:
        """Return which rows, as the model takes them, show none of the classes."""
        return self.limits.refuse(measure_novelty(predict(self.features, rows, batch_size), self.references))


def read_answers(model: keras.Model, folder: Path, evaluations: Path) -> Answers | None:
    """Read what belongs to the model in a folder: from there, or else from a network's folder of evaluations.

    Returns:
        None if neither is there, or if they are of another model, as before the next `dvc repro`.

    Raises:
        ValueError: A file is damaged.
    """
    source = folder if (folder / LIMITS).is_file() else evaluations
    if not (source / LIMITS).is_file():
        return None
    limits = read_limits(source / LIMITS)
    if limits.model != sha256(folder / "model.keras"):
        return None
    features = last_features(model)
    return Answers(limits, features, read_references(source / REFERENCES, features.output_shape[1]))


def read_limits(path: Path) -> Limits:
    """Read the limits from a file.

    Raises:
        ValueError: The file is damaged.
    """
    try:
        return Limits.model_validate_json(path.read_bytes())
    except ValidationError as error:
        problem = first_problem(error, lambda keys: " ".join(filter(None, [str(path), ".".join(keys)])), lambda _: ())
        raise ValueError(problem) from error


def read_references(path: Path, width: int) -> npt.NDArray[np.float16]:
    """Read the features of training images from a file; it is mapped, so that it can claim no memory.

    Raises:
        ValueError: The file is missing or damaged, or its features are not `width` numbers each.
    """
    try:
        references: npt.NDArray[np.float16] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise ValueError(f"{path}: expected features of training images, got a damaged or no file.") from error
    if references.dtype != np.float16 or references.ndim != 2 or references.shape[1] != width or not len(references):
        raise ValueError(f"{path}: expected rows of {width} numbers of 16 bits, got {references.shape}.")
    return references
