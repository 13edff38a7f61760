"""When a network should not name one class: limits for images that are none of the classes, and for likely classes.

`evaluate` sets the limits on validation images, and `predict` keeps to them.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from stages.core.params import Section

LIMITS, REFERENCES = "answer_limits.json", "references.npy"  # in the folder of an evaluation, and in the champion's
Floats = npt.NDArray[np.floating[Any]]


class AnswerLimits(Section, extra="ignore"):
    """The limits of one model, known by the SHA-256 of its file, `model`; it is empty as long as there is no file.

    Above `novelty` an image is none of the classes; None: no image is. From `least_probability` on a class is likely;
    at 0 all classes are, because there were too few images to set a limit.
    """

    model: str = ""
    novelty: float | None = Field(ge=0)
    least_probability: float = Field(ge=0, le=1)

    def refuse(self, novelty: Floats) -> npt.NDArray[np.bool_]:
        """Return which images are none of the classes, given their novelty `(n,)`."""
        return np.asarray(novelty > (np.inf if self.novelty is None else self.novelty))

    def find_likely(self, probabilities: Floats) -> npt.NDArray[np.bool_]:
        """Return which classes are likely for each image `(n, n_classes)`; the most probable class always is."""
        is_highest = probabilities == probabilities.max(axis=1, keepdims=True)
        return np.asarray((probabilities >= self.least_probability) | is_highest)
