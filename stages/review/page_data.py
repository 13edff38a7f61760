"""The values that the page of a review shows, ready for JSON."""

from bisect import bisect_right
from dataclasses import asdict
from typing import Any

import numpy as np

from stages.review.gallery import FILTERS, Entry, Rows
from stages.review.session import Session

NONE: Rows = np.array([], dtype=np.intp)


def overview(session: Session, name: str, class_: str) -> dict[str, Any]:
    """Return what stands around the tiles: classes and filters with their counts, the progress, and what is wrong."""
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
            "classes": [[name, len(listing.get(name, NONE))] for name in classes],
            "filters": [[name, len(session.listing(name).get(class_, NONE))] for name in FILTERS],
            "total": len(rows),
            "decided": int(session.is_decided[rows].sum()),
            "standing": len(session.standing),
            "waiting": session.waiting,
            "reasons": sorted({decision.reason for _, decision in session.standing.values()} - {""}),
            "missing": [str(path) for path in session.missing()],
            "problem": problem,
            "dropped": session.dropped,
        }


def page(session: Session, name: str, class_: str, number: int | None) -> dict[str, Any]:
    """Return the overview and the tiles of a page; without a number, of the first page with an undecided tile."""
    with session.mutex:
        around = overview(session, name, class_)
        rows = session.listing(name).get(class_, NONE)
        starts = session.gallery.starts(name, rows)
        if number is None:
            number = (next_undecided(session, name, class_, -1) or {"page": 0})["page"]
        number = min(max(number, 0), len(starts) - 1)
        shown = rows[starts[number] : [*starts, len(rows)][number + 1]]
        tiles = [entry_with_decisions(session, int(row)) for row in shown]
        return around | {"page": number, "pages": len(starts), "first": starts[number], "tiles": tiles}


def entry_with_decisions(session: Session, row: int) -> Entry:
    """Return an entry of the gallery with the standing decision on the image, and on its twin."""
    entry = session.gallery.entry(row)
    for image in filter(None, (entry, entry["twin"])):
        _, decision = session.standing.get(image["image_id"], (0, None))
        image["decision"] = asdict(decision) if decision else None
    return entry


def next_undecided(session: Session, name: str, class_: str, after: int) -> dict[str, int] | None:
    """Return the page and position of the first undecided tile after a position, else of the very first one."""
    with session.mutex:
        rows = session.listing(name).get(class_, NONE)
        undecided = np.flatnonzero(~session.is_decided[rows])
        if not len(undecided):
            return None
        position = int(undecided[np.searchsorted(undecided, after, side="right") % len(undecided)])
        return {"page": bisect_right(session.gallery.starts(name, rows), position) - 1, "position": position}
