"""A person's decisions on single images: a table that only grows, one line a decision, read strictly."""

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
    """One row: `keep` or `reject` an image of a class, `move` it to a class, or `undo` what stands on it."""

    image_id: str
    decision: str
    class_: str
    reason: str
    time: str


@dataclass(frozen=True)
class Collected:
    """The classes that each image was collected in, by image_id, and the names of all classes, sorted."""

    classes: dict[str, set[str]]
    names: list[str]


Standing = dict[str, tuple[int, Decision]]


def collected(images: pd.DataFrame) -> Collected:
    """What a table with the columns `image_id` and `class` says; an image may have several rows."""
    classes: dict[str, set[str]] = {}
    for image_id, class_ in zip(images["image_id"], images["class"], strict=True):
        classes.setdefault(image_id, set()).add(class_)
    return Collected(classes, sorted(set().union(*classes.values())))


def read_decisions(path: Path, images: pd.DataFrame) -> dict[str, Decision]:
    """The standing decisions by image_id, in the order of the file; what was undone is not among them.

    Args:
        path: the table of decisions.
        images: the data's images, with the columns `image_id` and `class`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line is no decision on one of the images, contradicts a standing one, or was not written whole.
    """
    return {image_id: decision for image_id, (_, decision) in read_standing(path, collected(images)).items()}


def read_standing(path: Path, images: Collected) -> Standing:
    """As `read_decisions`, each decision with the number of its line."""
    standing: Standing = {}
    for line, decision in read_rows(path):
        check(decision, standing, images, f"{path} line {line}")
        if decision.decision == "undo":
            del standing[decision.image_id]
        else:
            standing.setdefault(decision.image_id, (line, decision))
    return standing


def read_rows(path: Path) -> Iterator[tuple[int, Decision]]:
    """Each row with the number of its line, checked by itself."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a table of decisions, got no such file.")
    header, *lines = path.read_bytes().removeprefix(BYTE_ORDER_MARK).split(b"\n")
    if header.removesuffix(b"\r") != HEADER:
        got = header.decode(errors="replace")
        raise ValueError(f"{path} line 1: expected the columns {HEADER.decode()}, got {got!r}.")
    for number, line in enumerate(lines, start=2):
        where = f"{path} line {number}"
        if number == len(lines) + 1 and not is_whole(line):  # No newline follows the last one.
            if line:
                raise ValueError(
                    f"{where}: expected a whole row, got one that was not written to its end; "
                    "`python -m stages.review` mends it."
                )
            return
        yield number, parse(line, where)


def parse(line: bytes, where: str) -> Decision:
    """The decision on a line without its newline.

    Raises:
        ValueError: it is not five fields of CSV, or its decision, image_id or time is none.
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
    """Whether the text is a time of the calendar in exactly the format of the column `time`."""
    try:
        return datetime.strptime(text, TIME).strftime(TIME) == text
    except ValueError:
        return False


def is_whole(line: bytes) -> bool:
    """Whether a row was written to its end: its last field, the time, is whole only then."""
    try:
        return bool(parse(line, ""))
    except ValueError:
        return False


def check(decision: Decision, standing: Standing, images: Collected, where: str) -> None:
    """Nothing, where the decision fits the images and what stands.

    Raises:
        ValueError: it does not.
    """
    image_id, class_ = decision.image_id, decision.class_
    if image_id not in images.classes:
        raise ValueError(
            f"{where}: expected an image of the data, got {image_id!r}. "
            "Decisions of another data set belong in a review file of its own."
        )
    line, before = standing.get(image_id, (0, None))
    if decision.decision == "undo":
        if before is None:
            raise ValueError(f"{where}: expected a standing decision to undo, got none on {image_id}.")
        return
    classes = images.names if decision.decision == "move" else sorted(images.classes[image_id])
    if class_ not in classes:
        raise ValueError(f"{where}: expected a class of {', '.join(classes)} to {decision.decision}, got {class_!r}.")
    if before and (before.decision, before.class_) != (decision.decision, class_):
        raise ValueError(
            f"{where}: expected an undo of line {line} ({before.decision} {before.class_}) before another decision on "
            f"{image_id}, got {decision.decision} {class_}."
        )
