"""What there is to review: a tile for each collected image, and the listings in which a person leafs through them."""

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.core.files import read_table

FILTERS = ("all", "kept", "suggestions", "groups", "rejected", "decided")
PAGE = 60  # tiles
KEY = ["image_id", "class"]
VERDICT = ["state", "now", "reason", "detail", "twin", "distance", "group"]
SUGGESTION = ["kind", "suggested", "score"]
COLUMNS = [*KEY, "file", "title", "author", "source_id", "width", "height", "copies", *VERDICT, *SUGGESTION]

Rows = npt.NDArray[np.intp]
Tile = dict[str, Any]


def read_tiles(raw: Path, cleaned: Path, suggestions: Path) -> pd.DataFrame:
    """A row for each image in each class that it was collected in, sorted by class and image_id.

    `class` is where it was collected and `now` where the cleaned data have it, `state` is kept, rejected or new (not
    cleaned yet), `copies` says how often the same bytes came, `group` joins a kept image with its look-alikes and with
    what was rejected for repeating it, `score` is that of the strongest suggestion, or -1. The tables of `clean` and
    that of suggestions may be missing.
    """
    images = read_table(raw / "images.csv")
    images["copies"] = images.groupby(KEY)["file"].transform("size").astype(str)
    tiles = images.drop_duplicates(KEY)
    tiles = tiles.merge(read_verdicts(tiles, cleaned), on=KEY, how="left")
    # A decision puts all copies of an image into one class: in the others there is none any more.
    is_gone = tiles["state"].isna() & tiles["image_id"].isin(tiles.loc[tiles["state"].notna(), "image_id"])
    tiles = tiles[~is_gone].assign(state=tiles["state"].fillna("new"))
    tiles["now"] = tiles["now"].fillna(tiles["class"])
    tiles = tiles.merge(read_suggestions(suggestions), on=["image_id", "now"], how="left")
    tiles["score"] = tiles["score"].where(tiles["state"] == "kept").astype(float).fillna(-1.0)
    tiles = tiles.reindex(columns=COLUMNS, fill_value="").fillna("")
    group_of = tiles[tiles["state"] == "kept"].drop_duplicates("image_id").set_index("image_id")["group"]
    tiles["group"] = tiles["group"].mask(tiles["group"] == "", tiles["twin"].map(group_of)).fillna("")
    return tiles.sort_values(["now", "image_id"], kind="stable").reset_index(drop=True)


def read_verdicts(tiles: pd.DataFrame, cleaned: Path) -> pd.DataFrame:
    """What `clean` made of the tiles, at most one row for each."""
    columns = [*KEY, *VERDICT]
    kept = read_if_there(cleaned / "kept.csv", columns).assign(state="kept")
    rejected = read_if_there(cleaned / "rejected.csv", columns).assign(state="rejected")
    verdicts = pd.concat([kept, rejected], ignore_index=True)
    verdicts["now"] = verdicts["class"]
    # A moved image has no tile in its new class: the verdict belongs to that in the old one.
    is_moved = ~pd.MultiIndex.from_frame(verdicts[KEY]).isin(pd.MultiIndex.from_frame(tiles[KEY]))
    origin = tiles.drop_duplicates("image_id").set_index("image_id")["class"]
    verdicts["class"] = verdicts["class"].mask(is_moved, verdicts["image_id"].map(origin))
    # The same bytes twice in a class are one tile, and that its copies were rejected is no news.
    is_copy = (verdicts["reason"] == "duplicate") & (verdicts["twin"] == verdicts["image_id"])
    return verdicts.loc[is_copy.sort_values(kind="stable").index].drop_duplicates(KEY)


def read_suggestions(path: Path) -> pd.DataFrame:
    """The strongest suggestion for each image and class, the class in the column `now`."""
    table = read_if_there(path, [*KEY, *SUGGESTION]).rename(columns={"class": "now"})
    table["score"] = table["score"].astype(float)
    return table.sort_values("score", ascending=False, kind="stable").drop_duplicates(["image_id", "now"])


def read_if_there(path: Path, columns: list[str]) -> pd.DataFrame:
    """These columns of the table, empty texts in those that it lacks; no rows where there is no file."""
    table = read_table(path) if path.exists() else pd.DataFrame(columns=KEY, dtype=str)
    return table.reindex(columns=columns, fill_value="")


class Gallery:
    """The tiles and, for each filter but `decided`, the rows of those shown by class, as `divide` gives them."""

    def __init__(self, tiles: pd.DataFrame) -> None:
        self.tiles = tiles
        self.classes = sorted({*tiles["class"], *tiles["now"]})
        self.now, self.group = tiles["now"].to_numpy(), tiles["group"].to_numpy()
        self.rows_of: dict[str, list[int]] = {}
        for row, image_id in enumerate(tiles["image_id"]):
            self.rows_of.setdefault(image_id, []).append(row)
        self.listings = {name: self.divide(rows) for name, rows in list_rows(tiles).items()}
        everywhere = self.listings["groups"][""]
        for class_, rows in self.listings["groups"].items():
            # Look-alikes are seen together, also those in another class. (np.isin is quadratic on texts.)
            is_joined = pd.Series(self.group[everywhere]).isin(self.group[rows])
            self.listings["groups"][class_] = everywhere[is_joined.to_numpy()]

    def divide(self, rows: Rows) -> dict[str, Rows]:
        """The rows by class, each in their order, and all of them under the empty name."""
        positions = pd.Series(rows).groupby(self.now[rows]).indices
        return {"": rows} | {str(class_): rows[inside] for class_, inside in positions.items()}

    def find(self, image_ids: Iterable[str]) -> Rows:
        """The rows of these images."""
        return np.array([row for image_id in image_ids for row in self.rows_of[image_id]], dtype=np.intp)

    def starts(self, name: str, rows: Rows) -> list[int]:
        """Where in a listing each page begins; no page parts look-alikes, unless they alone are too many."""
        groups = self.group[rows] if name == "groups" else np.arange(len(rows))
        edges = [0, *(np.flatnonzero(groups[1:] != groups[:-1]) + 1).tolist(), len(rows)]
        starts = [0]
        for first, end in pairwise(edges):
            if end - starts[-1] > PAGE and first > starts[-1]:
                starts.append(first)
            while end - starts[-1] > PAGE:
                starts.append(starts[-1] + PAGE)
        return starts

    def tile(self, row: int) -> Tile:
        """What is known of a tile, all text but `score`, and as `twin` what is known of the picture that it repeats."""
        tile = self.record(row)
        others = [other for other in self.rows_of.get(tile["twin"], []) if other != row]
        others.sort(key=lambda other: self.tiles["state"].iloc[other] != "kept")
        return tile | {"twin": self.record(others[0]) if others else None}

    def record(self, row: int) -> Tile:
        """The columns of a row."""
        return {str(column): value for column, value in self.tiles.iloc[row].items()}


def list_rows(tiles: pd.DataFrame) -> dict[str, Rows]:
    """For each filter but `decided` the rows of all classes in the order in which they are shown."""
    is_alike = tiles["group"].duplicated(keep=False) & (tiles["group"] != "")
    shown = {
        "all": tiles,
        "kept": tiles[tiles["state"] == "kept"],
        "suggestions": tiles[tiles["score"] >= 0].sort_values("score", ascending=False, kind="stable"),
        "groups": tiles[is_alike].sort_values(["group", "state", "image_id"], kind="stable"),
        "rejected": tiles[tiles["state"] == "rejected"].sort_values(["reason", "twin", "image_id"], kind="stable"),
    }
    return {name: table.index.to_numpy(dtype=np.intp) for name, table in shown.items()}
