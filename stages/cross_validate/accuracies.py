"""How often a network is right in a cross-validation: about all images, and about values it knows and does not know."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.cross_validate.learning_curve import learning_curve
from stages.cross_validate.outcomes import Outcome, right_by_deal, rounded, training_images, with_interval
from stages.cross_validate.trainings import (
    ALL,
    CHOICE,
    CHOSEN,
    KNOWN,
    UNKNOWN,
    column_apart,
    count_deals,
    is_known,
)
from stages.results.grouped_accuracy import LEAST_GROUPS, accuracy_difference, accuracy_interval, count_groups
from stages.results.scores import score

SCORES = ("balanced_accuracy", "macro_f1", "roc_auc", "log_loss")


def summarise(
    outcomes: list[Outcome], folds: pd.DataFrame, labels: npt.NDArray[np.int64], classes: list[str]
) -> dict[str, Any]:
    """Return the scores over all deals, their spread over single trainings, and how the values of a column matter.

    `deals` is 0, and nothing else is said, if there are no folds.
    """
    deals = count_deals(folds)
    if not deals:
        return {"deals": 0, "images": len(folds)}
    own = [one for one in outcomes if one.training.series == ALL]
    right = right_by_deal(own, labels, deals)
    ends = accuracy_interval(right, folds["group"].to_numpy(dtype=str))
    single = [float((one.probabilities.argmax(axis=1) == one.training.splits["test"].labels).mean()) for one in own]
    found = {
        "deals": deals,
        "folds": len(own) // deals,
        "images": len(folds),
        "training_images": training_images(own),
        **rounded({"accuracy": right.mean(), "low": ends[0], "high": ends[1]}),
        **score_deals(own, labels, classes, deals),
        "single_trainings": rounded({
            "lowest": min(single), "highest": max(single), "deviation": np.std(single, ddof=1)
        }),
    }  # fmt: skip
    found |= rate_choice(outcomes, folds, labels)
    column, curve = column_apart(folds), learning_curve(outcomes, right, folds, labels)
    found |= {"learning_curve": curve} if curve else {}
    return found | ({"apart": compare_known(outcomes, folds, column, labels, deals)} if column else {})


def rate_choice(outcomes: list[Outcome], folds: pd.DataFrame, labels: npt.NDArray[np.int64]) -> dict[str, Any]:
    """Return how often the network is right in the deals without the split's test images; empty without such deals."""
    own = [one for one in outcomes if one.training.series == CHOICE]
    if not own:
        return {}
    right = right_by_deal(own, labels, count_deals(folds, CHOSEN))
    tested = ~np.isnan(right).all(axis=1)
    groups = folds["group"].to_numpy(dtype=str)[tested]
    return {"choice": {"images": int(tested.sum()), **with_interval(right[tested], groups)}}


def score_deals(
    outcomes: list[Outcome], labels: npt.NDArray[np.int64], classes: list[str], deals: int
) -> dict[str, float]:
    """Return the means over all deals of the scores of all images."""
    said = np.zeros((deals, len(labels), len(classes)), np.float32)
    for training, probabilities in outcomes:
        said[training.deal, training.splits["test"].rows] = probabilities
    scores = [score(labels, each, classes) for each in said]
    return rounded({name: np.mean([each[name] for each in scores]) for name in SCORES})


def compare_known(
    outcomes: list[Outcome], folds: pd.DataFrame, column: str, labels: npt.NDArray[np.int64], deals: int
) -> dict[str, Any]:
    """Return the accuracies about values that are and are not in training, on the same images, and their difference.

    The images are those that in some deal were tested by a network that knew their value. All trainings compared learn
    from the same number of images, fold by fold. `all_unknown` is the accuracy about all images, with no value known.
    Intervals are for other values if there are enough of them; if a few values have most images, for other images of
    the same values (`for_other_values` is false). That of `all_unknown` may be for other values where the others are
    not, because more images are in it.
    """
    values = folds[column].to_numpy(dtype=str)
    of_series = {name: [one for one in outcomes if one.training.series == name] for name in (KNOWN, UNKNOWN)}
    known, unknown = (right_by_deal(of_series[name], labels, deals) for name in (KNOWN, UNKNOWN))
    for training, _ in of_series[KNOWN]:
        rows = training.splits["test"].rows
        known[rows[~is_known(values, training)], training.deal] = np.nan
    used = ~np.isnan(known).all(axis=1)
    if not used.any():
        return {"column": column, "images": 0}
    wide, narrow = (folds[name].to_numpy(dtype=str) for name in (f"{column}_group", "group"))
    for_others, all_for_others = (count_groups(one) >= LEAST_GROUPS for one in (wide[used], wide))
    groups = (wide if for_others else narrow)[used]
    difference = accuracy_difference(known[used], unknown[used], groups)
    return {
        "column": column,
        "images": int(used.sum()),
        "values": len(np.unique(values[used])),
        "for_other_values": for_others,
        "training_images": training_images(of_series[KNOWN]),
        "known": with_interval(known[used], groups),
        "unknown": with_interval(unknown[used], groups),
        **difference.as_values(np.nanmean(known[used], axis=1).mean() - unknown[used].mean()),
        "all_unknown": with_interval(unknown, wide if all_for_others else narrow),
    }
