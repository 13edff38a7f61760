"""The limits of a network's answers, set on validation, and what they do to the test images.

They are set so that of images like the validation images a stated share is treated right, however the network is made
(split conformal prediction: Vovk et al. 2005; Angelopoulos and Bates 2021, https://arxiv.org/abs/2107.07511). The share
holds on average over choices of validation images, and here only nearly: the same images have chosen the epoch and the
temperature, and images of a group say less than single ones. So the test images show what the limits really do.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.evaluate.predictions import Predictions
from stages.networks.answer_limits import AnswerLimits
from stages.results.grouped_accuracy import accuracy_interval
from stages.results.scores import DIGITS, round_values

Floats = npt.NDArray[np.floating[Any]]


def set_limits(val: Predictions, novelty: Floats, refused_share: float, set_coverage: float) -> AnswerLimits:
    """Return the limits that the validation images set; too few of them refuse no image and make all classes likely.

    Args:
        val: The predictions for the validation images.
        novelty: Their novelty, `(n,)`.
        refused_share: The share of images of the classes that may be called none of them.
        set_coverage: How often the true class is to be among the likely ones.
    """
    highest = conformal_limit(novelty, 1 - refused_share)
    lowest = -conformal_limit(-val.probabilities[np.arange(len(val.labels)), val.labels], set_coverage)
    return AnswerLimits(novelty=highest if math.isfinite(highest) else None, least_probability=max(0.0, lowest))


def conformal_limit(scores: Floats, share: float) -> float:
    """Return the limit that a further score exceeds with a chance of at most 1 - share; infinity of too few scores."""
    rank = math.ceil((len(scores) + 1) * share)
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else math.inf


def score_answers(limits: AnswerLimits, test: Predictions, novelty: Floats) -> dict[str, Any]:
    """Return what the limits do to the test images, and the 95 % intervals of the shares.

    `refused` is the share that is called none of the classes, `covered` the share whose true class is among the likely
    ones, and `likely_classes` the mean number of these.
    """
    likely = limits.find_likely(test.probabilities)
    shares = {"refused": limits.refuse(novelty), "covered": likely[np.arange(len(test.labels)), test.labels]}
    found = {name: float(each.mean()) for name, each in shares.items()}
    found["likely_classes"] = float(likely.sum(axis=1).mean())
    ends = {name: accuracy_interval(each, test.groups) for name, each in shares.items()}
    intervals = {name: [round(end, DIGITS) for end in pair] for name, pair in ends.items()}
    return round_values(found) | {"intervals": intervals}
