"""The table of a person's decisions on single images: it only grows, one row per decision, and is read strictly.

A decision on an image that is not among the data stands too: it waits until the image comes back. The image may have
been deleted, or not have come this time, or the data may be others.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd

COLUMNS = ["image_id", "decision", "class", "reason", "time"]
DECISIONS = ("keep", "reject", "move", "undo")
HEADER = ",".join(COLUMNS).encode()
TIME = "%Y-%m-%dT%H:%M:%SZ"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Decision:
    """One row: `keep` or `reject` an image of a class, `move` it to a class, or `undo` the standing decision on it."""

    image_id: str
    decision: str
    class_: str
    reason: str
    time: str


@dataclass(frozen=True)
class Collected:
    """The classes in which each image was collected, by image_id, and the sorted names of all classes."""

    classes: dict[str, set[str]]
    names: list[str]


Standing = dict[str, tuple[int, Decision]]


def collect_classes(images: pd.DataFrame) -> Collected:
    """Return the classes in a table with the columns `image_id` and `class`; an image may have several rows."""
    classes: dict[str, set[str]] = {}
    for image_id, class_ in zip(images["image_id"], images["class"], strict=True):
        classes.setdefault(image_id, set()).add(class_)
    return Collected(classes, sorted(set().union(*classes.values())))


def read_decisions(path: Path, images: pd.DataFrame) -> dict[str, Decision]:
    """Return the standing decisions by image_id, in the order of the file, without the decisions that were undone.

    Those that wait for their image are among them.

    Args:
        path: The table of decisions.
        images: The images of the data, with the columns `image_id` and `class`.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: A line is not a decision, names a class that its image cannot have, contradicts a standing
            decision, or was not written to its end.
    """
    return {image_id: decision for image_id, (_, decision) in read_standing(path, collect_classes(images)).items()}


def read_standing(path: Path, images: Collected) -> Standing:
    """Return what `read_decisions` returns, each decision together with the number of its line."""
    standing: Standing = {}
    for line, decision in read_rows(path):
        check_decision(decision, standing, images, f"{path} line {line}")
        if decision.decision == "undo":
            del standing[decision.image_id]
        else:
            standing.setdefault(decision.image_id, (line, decision))
    return standing


def read_rows(path: Path) -> Iterator[tuple[int, Decision]]:
    """Yield each row with the number of its line; each row is checked by itself, not against the other rows.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The header is wrong, a line is not a decision, or the last row was not written to its end.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a table of decisions, got no such file.")
    header, *lines = path.read_bytes().removeprefix(BYTE_ORDER_MARK).split(b"\n")
    if header.removesuffix(b"\r") != HEADER:
        got = header.decode(errors="replace")
        raise ValueError(f"{path} line 1: expected the columns {HEADER.decode()}, got {got!r}.")
    for number, line in enumerate(lines, start=2):
        where = f"{path} line {number}"
        if number == len(lines) + 1 and not is_whole(line):  # The last row has no newline after it.
            if line:
                raise ValueError(
                    f"{where}: expected a whole row, got one that was not written to its end; "
                    "`python -m stages.review` mends it."
                )
            return
        yield number, parse_row(line, where)


def parse_row(line: bytes, where: str) -> Decision:
    """Return the decision on a line that is given without its newline.

    Raises:
        ValueError: The line does not have five fields of CSV, or its decision, image_id or time is not valid.
    """
    try:
        fields = next(csv.reader([line.removesuffix(b"\r").decode()], strict=True), [])
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{where}: expected a row of CSV in UTF-8, got {error}.") from error
    if len(fields) != len(COLUMNS):
        raise ValueError(f"{where}: expected {len(COLUMNS)} fields ({','.join(COLUMNS)}), got {len(fields)}.")
    decision = Decision(*fields)
    if not decision.image_id:
        raise ValueError(f"{where}: expected an image_id, got an empty one.")
    if decision.decision not in DECISIONS:
        raise ValueError(f"{where}: expected a decision of {', '.join(DECISIONS)}, got {decision.decision!r}.")
    if not is_time(decision.time):
        raise ValueError(f"{where}: expected a time in UTC like 2026-11-21T12:00:00Z, got {decision.time!r}.")
    return decision


def is_time(text: str) -> bool:
    """Return whether the text is a time of the calendar in exactly the format of the column `time`."""
    try:
        return datetime.strptime(text, TIME).strftime(TIME) == text
    except ValueError:
        return False


def is_whole(line: bytes) -> bool:
    """Return whether a row was written to its end: only then is its last field, the time, complete."""
    try:
        return bool(parse_row(line, ""))
    except ValueError:
        return False


def check_decision(decision: Decision, standing: Standing, images: Collected, where: str) -> None:
    """Check that a decision fits the images and the standing decisions.

    Raises:
        ValueError: The image cannot have the class, the undo has nothing to undo, or another decision stands.
    """
    image_id, class_ = decision.image_id, decision.class_
    line, before = standing.get(image_id, (0, None))
    if decision.decision == "undo":
        if before is None:
            raise ValueError(f"{where}: expected a standing decision to undo, got none on {image_id}.")
        return
    own = images.classes.get(image_id, set())
    classes = images.names if decision.decision == "move" else sorted(own)
    if own and class_ not in classes:
        raise ValueError(f"{where}: expected a class of {', '.join(classes)} to {decision.decision}, got {class_!r}.")
    if before and (before.decision, before.class_) != (decision.decision, class_):
        raise ValueError(
            f"{where}: expected an undo of line {line} ({before.decision} {before.class_}) before another decision on "
            f"{image_id}, got {decision.decision} {class_}."
        )
