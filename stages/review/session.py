"""A review in progress: what the files say, kept up with, and how the next decision gets into its table."""

import fcntl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from stages.core.files import read_table, replacing
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
from stages.review.decision_file import append, mend
from stages.review.gallery import Gallery, Rows, read_tiles

CHOICES = DECISIONS[:-1]


@dataclass(frozen=True)
class Paths:
    """Where the raw images, the tables of `clean`, that of suggestions and that of decisions are."""

    raw: Path
    cleaned: Path
    suggestions: Path
    reviews: Path


def create(path: Path) -> None:
    """A table without decisions is at the path, where there was none."""
    if not path.exists():
        with replacing(path) as unfinished:
            unfinished.write_bytes(HEADER + b"\n")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Until the block ends, no other process or thread is in such a block for the same file."""
    with path.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def now() -> str:
    """The time in UTC as the table has it."""
    return datetime.now(UTC).strftime(TIME)


def stamp(path: Path) -> tuple[int, ...]:
    """What changes when the file does; empty where there is none."""
    if not path.exists():
        return ()
    status = path.stat()
    return (status.st_ino, status.st_size, status.st_mtime_ns)


class Session:
    """The gallery and the standing decisions, as the files have them; safe to use from several threads.

    Raises:
        FileNotFoundError: there are no raw images.
        ValueError: a table cannot be read.
    """

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.dropped = ""  # the last row of an interrupted write, if one was found
        self.mutex = threading.RLock()
        self.stamps: list[tuple[int, ...]] = []
        self.images: Collected
        self.gallery: Gallery
        self.standing: Standing
        create(paths.reviews)
        with self.writing():
            pass

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A block in which the table of decisions is whole, known, and nobody else's to write."""
        with self.mutex, locked(self.paths.reviews):
            if torn := mend(self.paths.reviews):
                self.dropped = torn
                print(f"{self.paths.reviews}: dropped the last row, not written to its end: {torn}", file=sys.stderr)
            self.refresh()
            yield

    def refresh(self) -> None:
        """What is known is what the files say.

        Raises:
            FileNotFoundError: there are no raw images, or no decisions.
            ValueError: a table cannot be read.
        """
        paths = self.paths
        cleaned = (paths.cleaned / "kept.csv", paths.cleaned / "rejected.csv")
        files = (paths.raw / "images.csv", *cleaned, paths.suggestions, paths.reviews)
        stamps = [stamp(file) for file in files]
        if stamps == self.stamps:
            return
        if stamps[:-1] != self.stamps[:-1]:
            images = collect_classes(read_table(files[0]))
            gallery = Gallery(read_tiles(paths.raw, paths.cleaned, paths.suggestions))
        else:
            images, gallery = self.images, self.gallery
        standing = read_standing(paths.reviews, images)
        # All at once: where a table cannot be read, all stays as it was.
        self.images, self.gallery, self.standing, self.stamps = images, gallery, standing, stamps
        self.is_decided = np.zeros(len(gallery.tiles), dtype=bool)
        self.is_decided[gallery.find(standing)] = True

    def decide(self, image_id: str, decision: str, class_: str, reason: str) -> Decision:
        """The decision that now stands, written after an undo of another that stood; one that stood is not repeated.

        Raises:
            ValueError: it is no decision on one of the images.
            OSError: it could not be written.
        """
        if decision not in CHOICES:
            raise ValueError(f"decision: expected one of {', '.join(CHOICES)}, got {decision!r}.")
        if "\n" in class_ or "\r" in class_:
            raise ValueError(f"class: expected a name of one line, as a decision is one, got {class_!r}.")
        with self.writing():
            new = Decision(image_id, decision, class_, " ".join(reason.split()), now())
            check_decision(new, {}, self.images, "decision")
            _, old = self.standing.get(image_id, (0, None))
            if old and (old.decision, old.class_, old.reason) == (decision, class_, new.reason):
                return old
            self.write([Decision(image_id, "undo", "", "", new.time)] * bool(old) + [new])
            return new

    def undo(self, image_id: str = "") -> Decision:
        """The decision that stands no more: that on an image, or the last one.

        Raises:
            ValueError: none stood.
            OSError: it could not be written.
        """
        with self.writing():
            row = Decision(image_id or next(reversed(self.standing), ""), "undo", "", "", now())
            if not row.image_id:
                raise ValueError("undo: expected a standing decision, got none.")
            check_decision(row, self.standing, self.images, "undo")
            _, old = self.standing[row.image_id]
            self.write([row])
            return old

    def write(self, rows: list[Decision]) -> None:
        """The rows are in the table, and known."""
        for row in rows:
            append(self.paths.reviews, row)
        self.refresh()

    def missing(self) -> list[Path]:
        """What there could be and is not: the tables of `clean`, that of suggestions."""
        return [path for path in (self.paths.cleaned, self.paths.suggestions) if not path.exists()]

    def listing(self, name: str) -> dict[str, Rows]:
        """The rows that a filter shows, by class and, under the empty name, of all; `decided` has the last first."""
        if name == "decided":
            return self.gallery.divide(self.gallery.find(reversed(self.standing)))
        return self.gallery.listings[name]
