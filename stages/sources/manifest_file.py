"""Manifests: CSV files with a row for each image on the web, with its address, its class and its provenance.

A list of addresses that a person writes by hand needs only the columns `url` and `class`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from pathlib import Path

import pandas as pd

from stages.core.files import replacing
from stages.core.tables import SPLITS, read_table, write_table
from stages.sources.listed_image import Listed, names_folder

NAMES = {"class_": "class", "given_split": "split"}  # {field: column} where the names differ
COLUMNS = [NAMES.get(field.name, field.name) for field in fields(Listed) if field.name != "member"]


def is_manifest(path: Path) -> bool:
    """Return whether the path ends like a manifest."""
    return path.suffix.lower() == ".csv"


def listing(path: Path) -> Iterator[Listed]:
    """Yield the manifest's rows; the file's path replaces a missing source, the address a missing id.

    Raises:
        ValueError: The file is not a manifest, or a row has an unknown split or a class that cannot name a folder.
    """
    table = read_table(path)
    check_columns(table, path)
    for line, row in enumerate(table.to_dict("records"), start=2):
        where = f"{path} line {line}"
        values = {str(column): str(value) for column, value in row.items()}
        class_, split = values.pop("class"), values.pop("split", "")
        if not names_folder(class_):
            raise ValueError(f"{where}: expected a class that can name a folder, got {class_!r}.")
        if split not in (*SPLITS, ""):
            raise ValueError(f"{where}: expected a split of {', '.join(SPLITS)}, got {split}.")
        source, source_id = values.pop("source", "") or str(path), values.pop("source_id", "") or values["url"]
        yield Listed(source=source, source_id=source_id, class_=class_, given_split=split, **values)


def check_columns(table: pd.DataFrame, path: Path) -> None:
    """Check that the table has the columns of a manifest.

    Raises:
        ValueError: A column is missing or unknown.
    """
    if not {"url", "class"} <= set(table.columns):
        raise ValueError(f"{path}: expected the columns url and class, got {', '.join(table.columns)}.")
    if unknown := [column for column in table.columns if column not in COLUMNS]:
        raise ValueError(f"{path}: expected columns of {', '.join(COLUMNS)}, got {unknown[0]}.")


def to_table(listed: Iterable[Listed]) -> pd.DataFrame:
    """Return the images as the rows of a manifest, sorted by class, source and id."""
    rows = [{NAMES.get(key, key): value for key, value in asdict(image).items()} for image in listed]
    order = ["class", "source", "source_id", "url"]
    return pd.DataFrame(rows, columns=COLUMNS, dtype=str).sort_values(order, kind="stable")


def write(images: Iterable[Listed], path: Path) -> None:
    """Write the images as the rows of the manifest at the path."""
    with replacing(path) as unfinished:
        write_table(to_table(images), unfinished)


def describe_image(image: Listed) -> str:
    """Return class, source, id and address of the image in one line."""
    return f"{image.class_} {image.source} {image.source_id} {image.url}"
