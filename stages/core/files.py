"""Tables, JSON and folders on disk: read whole, written whole or not at all."""

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
    """A path to write to, file or folder, which takes the target's place when the block ends without an error.

    The target is locked meanwhile: a killed `dvc` leaves its step running, and a second one must not mix with it.

    Raises:
        ValueError: another process is writing the same target.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.part")
    refusal = f"{target}: expected no other step writing it, got one that still runs."
    with locked(target.with_name(f".{target.name}.lock"), refusal):
        remove(unfinished)
        try:
            yield unfinished
            unfinished.stat()  # A block that wrote nothing ends here, and the old target stays.
            remove(target)
            unfinished.replace(target)
        finally:
            remove(unfinished)


def remove(path: Path) -> None:
    """Nothing is left at the path, whether a file, a folder or nothing was there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def read_table(path: Path) -> pd.DataFrame:
    """The rows of a CSV file, as `parse_table` reads them.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no CSV table.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a table, got no such file.")
    return parse_table(path.read_bytes(), str(path))


def parse_table(content: bytes, where: str) -> pd.DataFrame:
    """The rows of CSV text with every value as text, so that a class called `007` or `NA` stays what it is.

    Raises:
        ValueError: it is no CSV table, or its rows are longer than its header.
    """
    try:
        table = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"{where}: expected a CSV table, got {error}.") from error
    # With one field too many in every row, pandas takes the first for an index and shifts the others.
    if not isinstance(table.index, pd.RangeIndex):
        raise ValueError(f"{where}: expected a CSV table, got rows longer than its header of {len(table.columns)}.")
    return table


def write_table(table: pd.DataFrame, path: Path) -> None:
    """The table is at the path as CSV, the same bytes on every system."""
    table.to_csv(path, index=False, lineterminator="\n")


def write_json(values: dict[str, Any], path: Path) -> None:
    """The values are at the path as JSON that reads well in a diff."""
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """The values of a JSON file.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a JSON file, got no such file.")
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values


def sha256(path: Path) -> str:
    """SHA-256 of the file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
