"""A review in progress: it follows changes of the files, and writes decisions to the table."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from stages.core.files import replacing
from stages.core.tables import read_table
from stages.images.decisions import (
    DECISIONS,
    HEADER,
    TIME,
    Collected,
    Decision,
    Standing,
    check_decision,
    collect_classes,
    read_standing,
)
from stages.review.decision_file import append, mend, writing_alone
from stages.review.gallery import Gallery, Rows, read_entries

CHOICES = DECISIONS[:-1]


@dataclass(frozen=True)
class Paths:
    """The folders of raw and cleaned images, and the tables of suggestions and of decisions."""

    raw: Path
    cleaned: Path
    suggestions: Path
    reviews: Path


def create_table(path: Path) -> None:
    """Create a table without decisions if there is no table yet."""
    if not path.exists():
        with replacing(path) as unfinished:
            unfinished.write_bytes(HEADER + b"\n")


def now() -> str:
    """Return the time in UTC in the format of the table."""
    return datetime.now(UTC).strftime(TIME)


def stamp(path: Path) -> tuple[int, ...]:
    """Return numbers that change when the file changes; empty where there is no file."""
    if not path.exists():
        return ()
    status = path.stat()
    return (status.st_ino, status.st_size, status.st_mtime_ns)


class Session:
    """The gallery and the standing decisions, as in the files; safe to use from several threads.

    Raises:
        FileNotFoundError: There are no raw images.
        ValueError: A table cannot be read.
    """

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.dropped = ""  # the last row of an interrupted write, if one was found
        self.mutex = threading.RLock()
        self.stamps: list[tuple[int, ...]] = []
        self.images: Collected
        self.gallery: Gallery
        self.standing: Standing
        create_table(paths.reviews)
        with self.writing():
            pass

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Yield while no other process or thread writes the table of decisions; the table is mended and read first."""
        with self.mutex, writing_alone(self.paths.reviews):
            if torn := mend(self.paths.reviews):
                self.dropped = torn
                print(f"{self.paths.reviews}: dropped the last row, not written to its end: {torn}", file=sys.stderr)
            self.refresh()
            yield

    def refresh(self) -> None:
        """Read the files again if they have changed.

        Raises:
            FileNotFoundError: The table of raw images or the table of decisions is missing.
            ValueError: A table cannot be read.
        """
        paths = self.paths
        cleaned = (paths.cleaned / "kept.csv", paths.cleaned / "rejected.csv")
        files = (paths.raw / "images.csv", *cleaned, paths.suggestions, paths.reviews)
        stamps = [stamp(file) for file in files]
        if stamps == self.stamps:
            return
        if stamps[:-1] != self.stamps[:-1]:
            images = collect_classes(read_table(files[0]))
            gallery = Gallery(read_entries(paths.raw, paths.cleaned, paths.suggestions))
        else:
            images, gallery = self.images, self.gallery
        standing = read_standing(paths.reviews, images)
        # All attributes change together: if a table cannot be read, none of them changes.
        self.images, self.gallery, self.standing, self.stamps = images, gallery, standing, stamps
        self.is_decided = np.zeros(len(gallery.entries), dtype=bool)
        self.is_decided[gallery.find(standing)] = True
        self.waiting = sum(image_id not in images.classes for image_id in standing)

    def decide(self, image_id: str, decision: str, class_: str, reason: str) -> Decision:
        """Write a decision, and before it an undo if another decision stands on the image; return what now stands.

        A decision that stands already is not written again.

        Raises:
            ValueError: The decision is unknown, or does not fit the images.
            OSError: The decision could not be written.
        """
        if decision not in CHOICES:
            raise ValueError(f"decision: expected one of {', '.join(CHOICES)}, got {decision!r}.")
        if "\n" in class_ or "\r" in class_:
            raise ValueError(f"class: expected a name of one line, as a decision is one, got {class_!r}.")
        with self.writing():
            new = Decision(image_id, decision, class_, " ".join(reason.split()), now())
            if image_id not in self.images.classes:
                raise ValueError(f"decision: expected an image of the data, got {image_id!r}.")
            check_decision(new, {}, self.images, "decision")
            _, old = self.standing.get(image_id, (0, None))
            if old and (old.decision, old.class_, old.reason) == (decision, class_, new.reason):
                return old
            self.write([Decision(image_id, "undo", "", "", new.time)] * bool(old) + [new])
            return new

    def undo(self, image_id: str = "") -> Decision:
        """Undo the decision on an image, or without an image_id the last decision on an image that is shown; return it.

        Raises:
            ValueError: There is no decision to undo.
            OSError: The undo could not be written.
        """
        with self.writing():
            shown = [each for each in self.standing if each in self.images.classes]
            row = Decision(image_id or next(reversed(shown), ""), "undo", "", "", now())
            if not row.image_id:
                raise ValueError("undo: expected a standing decision, got none.")
            check_decision(row, self.standing, self.images, "undo")
            _, old = self.standing[row.image_id]
            self.write([row])
            return old

    def write(self, rows: list[Decision]) -> None:
        """Append rows to the table, and read the table again."""
        for row in rows:
            append(self.paths.reviews, row)
        self.refresh()

    def missing(self) -> list[Path]:
        """Return the optional paths that do not exist: the folder of `clean`, the table of suggestions."""
        return [path for path in (self.paths.cleaned, self.paths.suggestions) if not path.exists()]

    def listing(self, name: str) -> dict[str, Rows]:
        """Return the rows that a filter shows, by class, and all rows under ""; `decided` begins with the last one."""
        if name == "decided":
            return self.gallery.rows_by_class(self.gallery.find(reversed(self.standing)))
        return self.gallery.listings[name]
