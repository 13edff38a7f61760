"""What a model is familiar with: the features of training images, and the limits of its answers, from `evaluate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from stages.classifier.model_facts import describe_problem
from stages.classifier.safe_loading import refusing
from stages.core.files import sha256
from stages.networks.answer_limits import LIMITS, REFERENCES, AnswerLimits
from stages.networks.layer_graph import last_features
from stages.networks.novelty import MOST, measure_novelty
from stages.networks.predicting import predict


@dataclass(frozen=True)
class Familiarity:
    """The limits of a model, the model up to its last features, and these of training images, `(m, d)`."""

    limits: AnswerLimits
    feature_model: keras.Model
    references: npt.NDArray[np.float16]

    def refuse(self, rows: npt.NDArray[Any], batch_size: int) -> npt.NDArray[np.bool_]:
        """Return which rows, as the model takes them, show none of the classes."""
        return self.limits.refuse(measure_novelty(predict(self.feature_model, rows, batch_size), self.references))


def read_familiarity(model: keras.Model, folder: Path, evaluation: Path) -> Familiarity | None:
    """Read what belongs to the model in a folder: from there, or else from the folder of its evaluation.

    Returns:
        None if neither is there, or if they are of another model, as before the next `dvc repro`.

    Raises:
        ValueError: A file is damaged.
    """
    source = folder if (folder / LIMITS).is_file() else evaluation
    if not (source / LIMITS).is_file():
        return None
    limits = read_limits(source / LIMITS)
    if limits.model != sha256(folder / "model.keras"):
        return None
    feature_model = last_features(model)
    return Familiarity(limits, feature_model, read_references(source / REFERENCES, feature_model.output_shape[1]))


def read_limits(path: Path) -> AnswerLimits:
    """Read the limits from a file.

    Raises:
        ValueError: The file is damaged.
    """
    try:
        return AnswerLimits.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(describe_problem(path, error)) from error


def read_references(path: Path, width: int) -> npt.NDArray[np.float16]:
    """Read the features of training images from a file; it is mapped first, so that it cannot claim memory.

    Raises:
        ValueError: The file is missing or damaged, or does not hold features of `width` numbers.
    """
    with refusing("features of training images", path):
        references = np.lib.format.open_memmap(path, mode="r")
    if references.dtype != np.float16 or references.ndim != 2 or references.shape[1] != width:
        raise ValueError(f"{path}: expected rows of {width} numbers of 16 bits, got {references.shape}.")
    if not 0 < len(references) <= MOST:
        raise ValueError(f"{path}: expected 1 to {MOST} rows of finite numbers, got {len(references)}.")
    if others := int((~np.isfinite(references)).sum()):
        raise ValueError(f"{path}: expected rows of finite numbers, got {others} others.")
    return np.array(references)
