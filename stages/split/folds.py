"""Folds for cross-validation: in a deal every image is tested once, by a network trained without its group.

Each deal divides the images anew. In further deals also all images stay together that share a value of a column, such
as the author: a network is then tested on authors that it does not know. A third kind of deal leaves the test images of
the split out, so that `compare` may choose the champion by it.
"""

from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from stages.core import params
from stages.core.tables import SPLITS
from stages.split.dealing import assign
from stages.split.grouping import unite

CHOOSING = ("train", "val")  # the splits that play a part in the choice of the champion
LEAST = len(SPLITS)  # folds: one to test, one to choose the epoch, one to train on

Splits = npt.NDArray[np.str_]


class CrossValidation(params.Section):
    """The section `cross_validation` of params.yaml; dvc.yaml reads `networks`, and `cross_validate` reads `shares`."""

    networks: dict[str, Any]
    folds: int = Field(ge=LEAST)
    deals: int = Field(ge=1)
    choice_deals: int = Field(ge=0)
    seed: int = Field(ge=0)
    apart: str | None
    shares: list[Annotated[float, Field(gt=0, lt=1)]]


def deal_folds(
    settings: CrossValidation, index: pd.DataFrame, groups: pd.Series, group_by: list[str], split: Splits
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the table of folds, and in numbers what was dealt or why not.

    The table has a row for each image: `image_id`, `class`, `group`, and the number of its fold in `deal_0`, `deal_1`
    and so on; in `choice_0`, `choice_1` and so on of training and validation images alone, and NaN for the others. If
    values of a column such as `author` are to be kept apart, it has also this `author`, the group of all that shares it
    directly or not, `author_group`, and the folds `apart_0`, `apart_1` and so on of these groups.

    Args:
        settings: How many folds and deals.
        index: The images, with `image_id` and `class`.
        groups: The group of each image, which stays together.
        group_by: What the groups have in common, as in `split.group_by`.
        split: The split of each image.

    Raises:
        ValueError: There is no such column.
    """
    table = index[["image_id", "class"]].assign(group=groups)
    check_column(settings.apart, index)
    dealt, found = deal_series(settings, table, "deal", settings.folds, settings.deals)
    if settings.choice_deals and "folds" in found:
        choosing = table[np.isin(split, CHOOSING)]
        choice, chosen = deal_series(settings, choosing, "choice", settings.folds, settings.choice_deals)
        dealt, found = dealt.join(choice), found | {"choice": chosen}
    if not settings.apart or settings.apart in group_by or "folds" not in found:
        return table.join(dealt), found
    wider, values = unite(index, [*group_by, settings.apart]), index[settings.apart].astype(str)
    apart, also_found = deal_series(settings, table.assign(group=wider), "apart", found["folds"], settings.deals)
    if (values == "").all():
        also_found = {"reason": "no image has one"}
    elif also_found.get("folds", found["folds"]) != found["folds"]:
        also_found = {"reason": f"a class has fewer than {found['folds']} groups of images that share one"}
    if "reason" not in also_found:
        table, dealt = table.assign(**{settings.apart: values, f"{settings.apart}_group": wider}), dealt.join(apart)
    return table.join(dealt), found | {"apart": {"column": settings.apart, **also_found}}


def check_column(name: str | None, index: pd.DataFrame) -> None:
    """Check that a column whose values are to be kept apart exists.

    Raises:
        ValueError: There is no such column, or it is one whose values every network must know.
    """
    able = [each for each in index.columns if each not in ("image_id", "class", "group", "given_split")]
    if name and name not in able:
        shown = ", ".join(able)
        raise ValueError(f"params.yaml cross_validation.apart: expected one of {shown}, got {name}.")


def deal_series(
    settings: CrossValidation, table: pd.DataFrame, name: str, folds: int, deals: int
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return a column of fold numbers for each deal, and the number of folds and the largest group, or the reason.

    There are fewer folds than asked for if a class has fewer groups, and none if it has fewer than three.
    """
    folds = min(folds, int(table.groupby("class")["group"].nunique().min()))
    largest = int(table["group"].value_counts().iloc[0])
    if folds < LEAST:
        return table[[]], {"reason": f"a class has fewer than {LEAST} groups", "largest_group": largest}
    names = tuple(map(str, range(folds)))
    try:
        dealt = {f"{name}_{deal}": assign(table, (1,) * folds, names, settings.seed + deal) for deal in range(deals)}
    except ValueError:  # `assign` says to the user of `split.ratios` what to do; here there are just no folds.
        return table[[]], {"reason": "no way was found to put each class into each fold", "largest_group": largest}
    return pd.DataFrame(dealt, table.index), {"folds": folds, "deals": deals, "largest_group": largest}


def describe_folds(found: dict[str, Any]) -> list[str]:
    """Return in a line each why there are no folds; nothing if all were dealt."""
    lines = [f"split: no folds for cross-validation, because {found['reason']}."] if "reason" in found else []
    apart, choice = found.get("apart", {}), found.get("choice", {})
    if "reason" in choice and not lines:
        lines.append(f"split: no folds of training and validation images alone, because {choice['reason']}.")
    if "reason" in apart:
        lines.append(f"split: no folds that keep apart every {apart['column']}, because {apart['reason']}.")
    return lines
