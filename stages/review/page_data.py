"""What the page of a review shows, as values for JSON."""

from bisect import bisect_right
from dataclasses import asdict
from typing import Any

import numpy as np

from stages.review.gallery import FILTERS, Rows, Tile
from stages.review.session import Session

NONE: Rows = np.array([], dtype=np.intp)


def overview(session: Session, name: str, class_: str) -> dict[str, Any]:
    """What stands around the tiles: classes and filters with their numbers of tiles, the progress, what is wrong."""
    with session.mutex:
        problem = ""
        try:
            session.refresh()
        except (ValueError, OSError) as error:
            problem = str(error)
        listing = session.listing(name)
        rows = listing.get(class_, NONE)
        classes = ["", *session.gallery.classes]
        return {
            "classes": [[each, len(listing.get(each, NONE))] for each in classes],
            "filters": [[each, len(session.listing(each).get(class_, NONE))] for each in FILTERS],
            "total": len(rows),
            "decided": int(session.is_decided[rows].sum()),
            "standing": len(session.standing),
            "reasons": sorted({decision.reason for _, decision in session.standing.values()} - {""}),
            "missing": [str(path) for path in session.missing()],
            "problem": problem,
            "dropped": session.dropped,
        }


def page(session: Session, name: str, class_: str, number: int | None) -> dict[str, Any]:
    """The overview, and the tiles of a page of a listing; without a number, of the first with an undecided tile."""
    with session.mutex:
        around = overview(session, name, class_)
        rows = session.listing(name).get(class_, NONE)
        starts = session.gallery.starts(name, rows)
        if number is None:
            number = (next_undecided(session, name, class_, -1) or {"page": 0})["page"]
        number = min(max(number, 0), len(starts) - 1)
        shown = rows[starts[number] : [*starts, len(rows)][number + 1]]
        tiles = [tile(session, int(row)) for row in shown]
        return around | {"page": number, "pages": len(starts), "first": starts[number], "tiles": tiles}


def tile(session: Session, row: int) -> Tile:
    """A tile as the gallery has it, with the standing decisions on it and on its twin."""
    shown = session.gallery.tile(row)
    for each in filter(None, (shown, shown["twin"])):
        _, decision = session.standing.get(each["image_id"], (0, None))
        each["decision"] = asdict(decision) if decision else None
    return shown


def next_undecided(session: Session, name: str, class_: str, after: int) -> dict[str, int] | None:
    """Page and position in a listing of the first undecided tile after a position, else of the very first."""
    with session.mutex:
        rows = session.listing(name).get(class_, NONE)
        undecided = np.flatnonzero(~session.is_decided[rows])
        if not len(undecided):
            return None
        position = int(undecided[np.searchsorted(undecided, after, side="right") % len(undecided)])
        return {"page": bisect_right(session.gallery.starts(name, rows), position) - 1, "position": position}
