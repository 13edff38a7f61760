"""The images to review: an entry for each image in each of its classes, and the listings that the page shows."""

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.core.tables import read_table

FILTERS = ("all", "kept", "suggestions", "groups", "rejected", "decided")
PAGE = 60  # entries on a page
KEY = ["image_id", "class"]
VERDICT = ["state", "now", "reason", "detail", "twin", "distance", "group"]
SUGGESTION = ["kind", "suggested", "score"]
COLUMNS = [*KEY, "file", "title", "author", "source_id", "width", "height", "copies", *VERDICT, *SUGGESTION]

Rows = npt.NDArray[np.intp]
Entry = dict[str, Any]


def read_entries(raw: Path, cleaned: Path, suggestions: Path) -> pd.DataFrame:
    """Return a row for each image in each class that the image was collected in, sorted by class and image_id.

    The tables of `clean` and the table of suggestions may be missing. The columns with a meaning of their own:

    - `class`: the class that the image was collected in; `now`: its class in the cleaned data
    - `state`: kept, rejected or new (not cleaned yet); `copies`: how often the same bytes were collected
    - `group`: the same text for a kept image, its look-alikes and the rejected images that repeat it
    - `score`: the score of the strongest suggestion, or -1
    """
    images = read_table(raw / "images.csv")
    images["copies"] = images.groupby(KEY)["file"].transform("size").astype(str)
    entries = images.drop_duplicates(KEY)
    entries = entries.merge(read_verdicts(entries, cleaned), on=KEY, how="left")
    # A decision puts all copies of an image into one class: its other classes no longer contain the image.
    is_gone = entries["state"].isna() & entries["image_id"].isin(entries.loc[entries["state"].notna(), "image_id"])
    entries = entries[~is_gone].assign(state=entries["state"].fillna("new"))
    entries["now"] = entries["now"].fillna(entries["class"])
    entries = entries.merge(read_suggestions(suggestions), on=["image_id", "now"], how="left")
    entries["score"] = entries["score"].where(entries["state"] == "kept").astype(float).fillna(-1.0)
    entries = entries.reindex(columns=COLUMNS, fill_value="").fillna("")
    group_of = entries[entries["state"] == "kept"].drop_duplicates("image_id").set_index("image_id")["group"]
    entries["group"] = entries["group"].mask(entries["group"] == "", entries["twin"].map(group_of)).fillna("")
    return entries.sort_values(["now", "image_id"], kind="stable").reset_index(drop=True)


def read_verdicts(entries: pd.DataFrame, cleaned: Path) -> pd.DataFrame:
    """Return the verdicts of `clean`, at most one row for each entry."""
    columns = [*KEY, *VERDICT]
    kept = read_if_there(cleaned / "kept.csv", columns).assign(state="kept")
    rejected = read_if_there(cleaned / "rejected.csv", columns).assign(state="rejected")
    verdicts = pd.concat([kept, rejected], ignore_index=True)
    verdicts["now"] = verdicts["class"]
    # A moved image has no entry in its new class: the verdict belongs to the entry in its old class.
    is_moved = ~pd.MultiIndex.from_frame(verdicts[KEY]).isin(pd.MultiIndex.from_frame(entries[KEY]))
    origin = entries.drop_duplicates("image_id").set_index("image_id")["class"]
    verdicts["class"] = verdicts["class"].mask(is_moved, verdicts["image_id"].map(origin))
    # The same bytes twice in a class are one entry: the verdict on its copies is not the verdict on the entry.
    is_copy = (verdicts["reason"] == "duplicate") & (verdicts["twin"] == verdicts["image_id"])
    return verdicts.loc[is_copy.sort_values(kind="stable").index].drop_duplicates(KEY)


def read_suggestions(path: Path) -> pd.DataFrame:
    """Return the strongest suggestion for each image and class; the class is in the column `now`."""
    table = read_if_there(path, [*KEY, *SUGGESTION]).rename(columns={"class": "now"})
    table["score"] = table["score"].astype(float)
    return table.sort_values("score", ascending=False, kind="stable").drop_duplicates(["image_id", "now"])


def read_if_there(path: Path, columns: list[str]) -> pd.DataFrame:
    """Return the columns of the table, with empty texts for a missing column; no rows if there is no file."""
    table = read_table(path) if path.exists() else pd.DataFrame(columns=KEY, dtype=str)
    return table.reindex(columns=columns, fill_value="")


class Gallery:
    """The entries and, for each filter except `decided`, the rows that it shows, as `rows_by_class` returns them."""

    def __init__(self, entries: pd.DataFrame) -> None:
        self.entries = entries
        self.classes = sorted({*entries["class"], *entries["now"]})
        self.now, self.group = entries["now"].to_numpy(), entries["group"].to_numpy()
        self.rows_of: dict[str, list[int]] = {}
        for row, image_id in enumerate(entries["image_id"]):
            self.rows_of.setdefault(image_id, []).append(row)
        self.listings = {name: self.rows_by_class(rows) for name, rows in list_rows(entries).items()}
        everywhere = self.listings["groups"][""]
        for class_, rows in self.listings["groups"].items():
            # Look-alikes are shown together, also when they are in another class. (np.isin is quadratic on texts.)
            is_joined = pd.Series(self.group[everywhere]).isin(self.group[rows])
            self.listings["groups"][class_] = everywhere[is_joined.to_numpy()]

    def rows_by_class(self, rows: Rows) -> dict[str, Rows]:
        """Return the rows of each class in their order, and all rows under the empty name."""
        positions = pd.Series(rows).groupby(self.now[rows]).indices
        return {"": rows} | {str(class_): rows[inside] for class_, inside in positions.items()}

    def find(self, image_ids: Iterable[str]) -> Rows:
        """Return the rows of the images; an image that is not among the data has none."""
        return np.array([row for image_id in image_ids for row in self.rows_of.get(image_id, ())], dtype=np.intp)

    def starts(self, name: str, rows: Rows) -> list[int]:
        """Return the position in a listing where each page begins.

        Look-alikes are on the same page, unless there are more of them than a page holds.
        """
        groups = self.group[rows] if name == "groups" else np.arange(len(rows))
        edges = [0, *(np.flatnonzero(groups[1:] != groups[:-1]) + 1).tolist(), len(rows)]
        starts = [0]
        for first, end in pairwise(edges):
            if end - starts[-1] > PAGE and first > starts[-1]:
                starts.append(first)
            while end - starts[-1] > PAGE:
                starts.append(starts[-1] + PAGE)
        return starts

    def entry(self, row: int) -> Entry:
        """Return the record of a row; its `twin` is the record of the image that it repeats, or None."""
        entry = self.record(row)
        others = [other for other in self.rows_of.get(entry["twin"], []) if other != row]
        others.sort(key=lambda other: self.entries["state"].iloc[other] != "kept")
        return entry | {"twin": self.record(others[0]) if others else None}

    def record(self, row: int) -> Entry:
        """Return the values of a row by column; all are texts, except the float `score`."""
        return {str(column): value for column, value in self.entries.iloc[row].items()}


def list_rows(entries: pd.DataFrame) -> dict[str, Rows]:
    """Return for each filter except `decided` the rows of all classes in the order in which the page shows them."""
    is_alike = entries["group"].duplicated(keep=False) & (entries["group"] != "")
    shown = {
        "all": entries,
        "kept": entries[entries["state"] == "kept"],
        "suggestions": entries[entries["score"] >= 0].sort_values("score", ascending=False, kind="stable"),
        "groups": entries[is_alike].sort_values(["group", "state", "image_id"], kind="stable"),
        "rejected": entries[entries["state"] == "rejected"].sort_values(["reason", "twin", "image_id"], kind="stable"),
    }
    return {name: table.index.to_numpy(dtype=np.intp) for name, table in shown.items()}
