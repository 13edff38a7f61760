"""P-values of several comparisons of networks."""

from collections.abc import Sequence

import numpy as np


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
