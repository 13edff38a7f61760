"""A listed image: its class and provenance, before its bytes are fetched."""

import codecs
import csv
import io
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import PurePosixPath

import pandas as pd

from stages.core.tables import SPLITS, parse_table
from stages.sources.tree_layout import find_layout

TABLE = "images.csv"
OUTSIDE = ("/", ".", "..")  # parts of a path that leads out of its tree; they cannot be names of classes
SYSTEM_FOLDERS = ("__MACOSX", "@eaDir")  # of macOS's archives and of Synology's thumbnails
TABLES = (TABLE, "failures.csv")  # the files that `collect` writes beside the folders of its classes


@dataclass(frozen=True)
class Listed:
    """One image that a source offers.

    `source_id` names the image within its source. `source` is the kind of source that a manifest names, `member` the
    file inside a folder or archive. In all other fields "" means unknown. Texts are made fit for a table by `one_line`.
    """

    source_id: str
    class_: str
    title: str = ""
    url: str = ""
    page_url: str = ""
    author: str = ""
    licence: str = ""
    licence_url: str = ""
    given_split: str = ""
    member: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name not in ("class_", "member"):
                object.__setattr__(self, field.name, one_line(getattr(self, field.name)))


@dataclass(frozen=True)
class Failure:
    """The reason why a listed image has no bytes, short and counted, and the details of this failure."""

    reason: str
    detail: str = ""


def one_line(text: str) -> str:
    """Return the text with a space in place of control characters and of surrogates, which UTF-8 cannot write.

    pandas writes a carriage return without quotes, and reads it as the end of a row.
    """
    return re.sub(r"[\x00-\x1f\x7f\ud800-\udfff]+", " ", text)


def list_tree(files: Iterable[str]) -> Iterator[Listed]:
    """Yield the files of a tree of class folders, which splits or other folders may be around (see `tree_layout`).

    Hidden files are left out. A file in no class folder, or outside the tree, is listed with an empty class.

    Args:
        files: Paths relative to the tree's root, with forward slashes.
    """
    paths = visible_paths(files)
    layout = find_layout(paths)
    for path in paths:
        class_, given_split = layout.place(path)
        class_ = clean_class(class_)
        is_outside = any(part in OUTSIDE for part in path.parts)
        yield Listed(
            source_id=str(path),
            class_=class_ if names_folder(class_) and not is_outside else "",
            given_split=given_split,
            member=str(path),
        )


def visible_paths(files: Iterable[str]) -> list[PurePosixPath]:
    """Return the paths of the files that are not hidden, sorted."""
    return sorted(PurePosixPath(file) for file in files if not is_hidden(file))


def clean_class(name: str) -> str:
    """Return the name of a class as it is meant: composed (NFC), without spaces around it, and as Unicode.

    Python reads a name that is not UTF-8, such as one of an old archive in Latin-1, with a surrogate for each odd byte.
    """
    if any("\udc80" <= letter <= "\udcff" for letter in name):
        name = os.fsencode(name).decode("latin-1")
    return unicodedata.normalize("NFC", name).strip()


def is_hidden(file: str) -> bool:
    """Return whether the file, or a folder that holds it, has a leading dot or is what systems keep beside images."""
    parts = PurePosixPath(file).parts
    return any((part.startswith(".") and part not in OUTSIDE) or part in SYSTEM_FOLDERS for part in parts)


def names_folder(class_: str) -> bool:
    """Return whether a folder of raw images can have the class's name, on any system."""
    is_plain = not any(letter in "/\\" or ord(letter) < 32 or ord(letter) == 127 for letter in class_)
    return is_plain and class_ not in (*OUTSIDE, *TABLES, "") and len(class_.encode("utf-8", "replace")) <= 255


def parse_hand_made(content: bytes, where: str) -> pd.DataFrame:
    """Parse a table made by hand, as spreadsheets save it, with every value as text.

    It may be in UTF-16, have semicolons or tabs between its fields, and spaces around the names of its columns.

    Raises:
        ValueError: The text is not a CSV table in one of these forms.
    """
    try:
        is_utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = content.decode("utf-16" if is_utf_16 else "utf-8")
        header = text.partition("\n")[0]
        separator = next((each for each in ";\t" if each in header and "," not in header), ",")
        if separator != ",":
            rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
            stream = io.StringIO(newline="")
            csv.writer(stream).writerows(rows)
            text = stream.getvalue()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{where}: expected a CSV table in UTF-8 or UTF-16, got byte {content[error.start]:#04x} at place "
            f"{error.start}."
        ) from error
    except csv.Error as error:
        raise ValueError(f"{where}: expected a CSV table, got {error}.") from error
    return parse_table(text.encode("utf-8"), where).rename(columns=lambda name: str(name).strip())


def list_table(table: pd.DataFrame, files: Iterable[str], where: str) -> Iterator[Listed]:
    """Yield the rows of a table with `file`, `class` and columns of provenance, then the files that it does not name.

    Raises:
        ValueError: The table lacks a needed column, has an unknown column, or a row has an unknown split or a class
            that cannot name a folder.
    """
    _check_columns(table, where)
    known = set(files)
    for line, record in enumerate(table.to_dict("records"), start=2):
        row = {str(column): value for column, value in record.items()}
        given_split = row.pop("split", "")
        if given_split not in (*SPLITS, ""):
            raise ValueError(f"{where} line {line}: expected a split of {', '.join(SPLITS)}, got {given_split}.")
        member, class_ = find_member(row.pop("file"), known), clean_class(row.pop("class"))
        if class_ and not names_folder(class_):
            raise ValueError(f"{where} line {line}: expected a class that can name a folder, got {class_!r}.")
        source_id = row.pop("source_id", "") or member
        yield Listed(source_id=source_id, class_=class_, given_split=given_split, member=member, **row)
    for file in sorted(known - {find_member(file, known) for file in table["file"]} - {TABLE}):
        if not is_hidden(file):
            yield Listed(source_id=file, class_="", member=file)


def find_member(file: str, known: set[str]) -> str:
    """Return a path of a table as the listing of its folder has it: without `./` and double slashes, and with slashes.

    A backslash stays where a file's name has one.
    """
    member = str(PurePosixPath(file.strip())) if file.strip() else ""
    slashed = member.replace("\\", "/")
    return slashed if slashed in known and member not in known else member


def _check_columns(table: pd.DataFrame, where: str) -> None:
    provenance = {field.name for field in fields(Listed)} - {"class_", "member", "source", "given_split"}
    known = {"file", "class", "split", *provenance}
    for column in ("file", "class"):
        if column not in table:
            raise ValueError(f"{where}: expected the columns file and class, got {', '.join(table.columns)}.")
    unknown = [column for column in table if column not in known]
    if unknown:
        raise ValueError(f"{where}: expected columns of {', '.join(sorted(known))}, got {unknown[0]}.")
