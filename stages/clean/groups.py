"""The groups that pairs of alike images form, and which image of several copies stays."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from stages.core.tables import tally
from stages.images.hamming_search import Integers, components

SAME, LOOK_ALIKE = "same", "look-alike"
LEAST_TIES = 0.1  # share of the pairs between two groups that have to be alike to make them one
ROUNDING = 1e-9  # by which a mean of distances may be off
SMALL, LARGE = 12, 5000  # images: a smaller group is left as it is, and a larger one too, for lack of memory
SAID = 10  # groups that are named on the terminal


def name_groups(image_ids: pd.Series, pairs: pd.DataFrame) -> list[str]:
    """Return for each row the smallest image_id in its group: of the rows that the pairs connect, and that cohere."""
    return smallest_ids(image_ids, cohere(len(image_ids), pairs))


def describe_groups(kept: pd.DataFrame) -> list[str]:
    """Return in a line each which groups have over a tenth of a class and over 12 images, or lie in several classes.

    Ten groups are named, and the others are counted.
    """
    sizes = tally(kept["class"])
    lines = []
    for group, classes in kept.groupby("group")["class"]:
        counts = tally(classes)
        is_large = any(number > max(SMALL, sizes[name] / 10) for name, number in counts.items())
        if is_large or len(counts) > 1:
            found = ", ".join(f"{number} of {sizes[name]} in {name}" for name, number in counts.items())
            lines.append(f"clean: look-alikes {str(group)[:12]}: {found}; the contact sheet of groups shows them.")
    more = [f"clean: and {len(lines) - SAID} more such groups."] if len(lines) > SAID else []
    return lines[:SAID] + more


def name_originals(image_ids: pd.Series, same: pd.DataFrame) -> list[str]:
    """Return for each row the smallest image_id among the rows that show the same image."""
    return smallest_ids(image_ids, number_groups(len(image_ids), same))


def smallest_ids(image_ids: pd.Series, labels: Integers) -> list[str]:
    """Return for each row the smallest image_id among the rows with its label."""
    smallest = image_ids.groupby(labels).min()
    return [smallest[label] for label in labels]


def number_groups(n: int, pairs: pd.DataFrame) -> Integers:
    """Return for each of n rows the number of its group."""
    return components(n, pairs["first"].to_numpy(), pairs["second"].to_numpy())


def cohere(n: int, pairs: pd.DataFrame) -> Integers:
    """Return for each of n rows the number of its group, such that no group of 13 to 5,000 rows is a mere chain.

    Two such groups become one only if at least a tenth of all pairs between them are alike; rows that show the same
    image are never parted.
    """
    labels = number_groups(n, pairs)
    sizes = np.bincount(labels, minlength=1)
    parts = labels.copy()
    for label in np.flatnonzero((sizes > SMALL) & (sizes <= LARGE)):
        rows = np.flatnonzero(labels == label)
        parts[rows] = parts.max() + divide(rows, pairs[np.isin(pairs["first"], rows)])
    same = pairs[pairs["relation"] == SAME]
    joined = components(parts.max(initial=-1) + 1, parts[same["first"]], parts[same["second"]])
    return joined[parts]


def divide(rows: Integers, pairs: pd.DataFrame) -> Integers:
    """Return the part, from 1 on, of each of the rows that the pairs connect: average linkage, cut where ties are few.

    Two rows are at distance 0 if they are alike, else at 1.
    """
    distances = np.ones((len(rows), len(rows)))
    first, second = (np.searchsorted(rows, pairs[side]) for side in ("first", "second"))
    distances[first, second] = distances[second, first] = 0
    np.fill_diagonal(distances, 0)
    tree = linkage(squareform(distances, checks=False), method="average")
    parts: Integers = fcluster(tree, 1 - LEAST_TIES + ROUNDING, criterion="distance").astype(np.int64)
    return parts


def nearest_of_another_class(classes: pd.Series, same: pd.DataFrame) -> dict[int, tuple[int, int | None]]:
    """Return for each row whose image also lies in another class such a row, and the distance in bits.

    Rows show the same image if pairs connect them. If no pair leads directly to another class, the row is the first one
    of another class in the group, and the distance is None.
    """
    labels, names = number_groups(len(classes), same), classes.to_numpy()
    crossing = same[names[same["first"]] != names[same["second"]]].sort_values(["distance", "first", "second"])
    direct: dict[int, tuple[int, int | None]] = {}
    for one, two, bits in zip(crossing["first"], crossing["second"], crossing["distance"], strict=True):
        direct.setdefault(one, (two, bits))
        direct.setdefault(two, (one, bits))
    rows = np.flatnonzero(classes.groupby(labels).transform("nunique") > 1)
    rivals = {}
    for row in map(int, rows):
        others = rows[(labels[rows] == labels[row]) & (names[rows] != names[row])]
        rivals[row] = direct.get(row, (int(others[0]), None))
    return rivals


def find_repeats(
    rank: npt.NDArray[np.int64], same: pd.DataFrame, is_pinned: npt.NDArray[np.bool_]
) -> dict[int, tuple[int, int]]:
    """Return for each row that repeats a better row which stays the nearest such row and the distance in bits.

    A lower rank is better. Rows are taken from the best on: a row stays if it is pinned, or not the same as a row that
    stays already.
    """
    first, second, bits = (same[column].to_numpy() for column in ("first", "second", "distance"))
    is_better = rank[first] < rank[second]
    better, worse = np.where(is_better, first, second), np.where(is_better, second, first)
    dropped: dict[int, tuple[int, int]] = {}
    for row in np.lexsort((rank[better], bits, rank[worse])):
        one, other = int(better[row]), int(worse[row])
        if one not in dropped and other not in dropped and not is_pinned[other]:
            dropped[other] = (one, int(bits[row]))
    return dropped
