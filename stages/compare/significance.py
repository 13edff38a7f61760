"""Tests of whether two networks really differ, given which of the same images each network got right."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest


def mcnemar(right_a: npt.NDArray[np.bool_], right_b: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Return how many images only a and only b got right, and the two-sided `p` of McNemar's exact test.

    If both networks were right equally often, each would have half of the images that only one of them got right
    (McNemar 1947; the exact form is the binomial test). `p` is 1 if there are no such images. The test assumes that
    the images are independent. The images of a group of near-duplicates are not: networks that differ on one image of
    a group mostly differ on its other images too, so one piece of evidence counts several times and `p` is too small.
    Where groups have more than one image, trust the interval of `bootstrap.difference`, which draws whole groups.
    """
    only_a, only_b = int(np.sum(right_a & ~right_b)), int(np.sum(right_b & ~right_a))
    p = float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
    return {"only_a": only_a, "only_b": only_b, "p": p}


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values in the given order, each raised for the number of tests (Holm 1979).

    The source is "A Simple Sequentially Rejective Multiple Test Procedure". If all pairs with an adjusted p-value below
    0.05 are called different, then the chance that any of these calls is wrong is at most 5 %.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(raised, 1)
    return [float(value) for value in adjusted]
