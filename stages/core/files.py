"""Tables, JSON and folders on disk, which are written completely or not at all."""

import hashlib
import io
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from stages.core.locks import locked


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a path for a file or folder that replaces the target when the block ends without an error.

    The target is locked during the block, because a killed `dvc` leaves its step running, and the step of a second
    `dvc` must not write to the same target.

    Raises:
        ValueError: Another process is writing the same target.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.part")
    refusal = f"{target}: expected no other step writing it, got one that still runs."
    with locked(target.with_name(f".{target.name}.lock"), refusal):
        remove(unfinished)
        try:
            yield unfinished
            unfinished.stat()  # Raises if the block wrote nothing, so that the old target stays.
            remove(target)
            unfinished.replace(target)
        finally:
            remove(unfinished)


def remove(path: Path) -> None:
    """Delete the file, link or folder at the path, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV file with every value as text, as `parse_table` does.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not a CSV table.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a table, got no such file.")
    return parse_table(path.read_bytes(), str(path))


def parse_table(content: bytes, where: str) -> pd.DataFrame:
    """Parse CSV text with every value as text, so that a class called `007` or `NA` keeps its name.

    Args:
        content: The bytes of the table, in UTF-8.
        where: The name of the table in error messages.

    Raises:
        ValueError: The text is not a CSV table, or its rows are longer than its header.
    """
    try:
        table = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"{where}: expected a CSV table, got {error}.") from error
    # If every row has one field too many, pandas takes the first field as an index and shifts the other fields.
    if not isinstance(table.index, pd.RangeIndex):
        raise ValueError(f"{where}: expected a CSV table, got rows longer than its header of {len(table.columns)}.")
    return table


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write the table as CSV, with the same bytes on every system."""
    table.to_csv(path, index=False, lineterminator="\n")


def write_json(values: dict[str, Any], path: Path) -> None:
    """Write the values as indented JSON, which reads well in a diff."""
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read the values of a JSON file.

    Raises:
        FileNotFoundError: The file does not exist.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a JSON file, got no such file.")
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values


def sha256(path: Path) -> str:
    """Return the SHA-256 hash of the file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
