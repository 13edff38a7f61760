"""Whether two networks really differ, from which of the same images each has right."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest


def mcnemar(right_a: npt.NDArray[np.bool_], right_b: npt.NDArray[np.bool_]) -> dict[str, float]:
    """The images that `only_a` and `only_b` have right, and the two-sided `p` of McNemar's exact test.

    If both were equally often right, of the images that one alone has right each would have half (McNemar 1947; exact:
    the binomial test). `p` is 1 where there are none. The test takes the images for independent. Those of a group of
    near-duplicates are not: networks that differ on one of them mostly differ on the others too, one piece of evidence
    counts several times, and p comes out too small. Where groups have more than one image, trust the interval of
    `bootstrap.difference`, which draws them whole.
    """
    only_a, only_b = int(np.sum(right_a & ~right_b)), int(np.sum(right_b & ~right_a))
    p = float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
    return {"only_a": only_a, "only_b": only_b, "p": p}


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values, in their order, raised for being so many (Holm 1979, "A Simple Sequentially Rejective […]").

    Calling those below 0.05 different is wrong about any pair at most once in 20 times.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(raised, 1)
    return [float(value) for value in adjusted]
