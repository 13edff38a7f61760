"""Tables of text in CSV files, the names of the splits in them, and the counting of their values."""

import io
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

SPLITS = ("train", "val", "test")
CONFLICT = b"<<<<<<< "  # begins a line of a file that Git could not merge


def read_table(path: Path, *columns: str) -> pd.DataFrame:
    """Read a CSV file with every value as text, as `parse_table` does, and check that it has these columns.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not a CSV table, or lacks a column.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a table, got no such file.")
    table = parse_table(path.read_bytes(), str(path))
    if missing := [column for column in columns if column not in table]:
        raise ValueError(f"{path}: expected the columns {', '.join(columns)}, got no {', '.join(missing)}.")
    return table


def parse_table(content: bytes, where: str) -> pd.DataFrame:
    """Parse CSV text with every value as text, so that a class called `007` or `NA` keeps its name.

    Args:
        content: The bytes of the table, in UTF-8.
        where: The name of the table in error messages.

    Raises:
        ValueError: The text is not a CSV table, its rows are longer than its header, or Git could not merge it.
    """
    if content.startswith(CONFLICT) or b"\n" + CONFLICT in content:
        raise ValueError(f"{where}: expected a CSV table, got one with the marks of a merge conflict.")
    try:
        table = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"{where}: expected a CSV table, got {str(error).strip()}.") from error
    # If every row has one field too many, pandas takes the first field as an index and shifts the other fields.
    if not isinstance(table.index, pd.RangeIndex):
        raise ValueError(f"{where}: expected a CSV table, got rows longer than its header of {len(table.columns)}.")
    return table


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write the table as CSV, with the same bytes on every system."""
    table.to_csv(path, index=False, lineterminator="\n")


def tally(values: Iterable[str]) -> dict[str, int]:
    """Return how often each value occurs, sorted by value."""
    return dict(sorted(Counter(values).items()))
