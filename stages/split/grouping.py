"""Which images must not be divided between splits: look-alikes, images of one author, or any that share a value."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

LOOK_ALIKES = "look-alikes"


def unite(index: pd.DataFrame, group_by: list[str]) -> pd.Series:
    """Return the name of each row's group: rows with the same value in any of the columns are in one group.

    An empty value is no common value. `look-alikes` is the column `group`. A group has the name of the first of its
    groups of look-alikes; where that is in several groups, because look-alikes are not asked for, its first row is
    added.

    Raises:
        ValueError: There is no such column.
    """
    n_rows = n_nodes = len(index)
    starts, ends = [], []
    for name in group_by:
        values = number_values(index, name)
        starts.append(np.arange(n_rows))
        ends.append(n_nodes + values)
        n_nodes += int(values.max()) + 1
    edges = np.concatenate(starts), np.concatenate(ends)
    graph = coo_array((np.ones(len(edges[0]), dtype=np.int8), edges), shape=(n_nodes, n_nodes))
    labels = connected_components(graph, directed=False)[1][:n_rows]
    names, rows = (values.groupby(labels).transform("min") for values in (index["group"], ungroup(index)))
    is_shared = names.groupby(names).transform("size") != names.groupby(labels).transform("size")
    return names.where(~is_shared, names + "/" + rows)


def number_values(index: pd.DataFrame, name: str) -> npt.NDArray[np.intp]:
    """Return a number for each row, equal for equal values of a column, and another one for each empty value.

    Raises:
        ValueError: There is no such column.
    """
    column = "group" if name == LOOK_ALIKES else name
    if column not in index:
        shown = ", ".join([LOOK_ALIKES, *(each for each in index.columns if each != "group")])
        raise ValueError(f"params.yaml split.group_by: expected some of {shown}, got {name}.")
    values = index[column].astype(str).to_numpy()
    own = np.array([f"\0{row}" for row in range(len(values))])
    return np.unique(np.where(values == "", own, values), return_inverse=True)[1]


def ungroup(index: pd.DataFrame) -> pd.Series:
    """Return a group of its own for every row, including copies of the same bytes."""
    keys = index["image_id"] + "/" + index["given_split"]
    return keys + "/" + index["source_id"] if "source_id" in index else keys
