"""A Markdown table that is easy to read on a page and in a terminal."""

from typing import Any

from tabulate import tabulate


def to_markdown(rows: list[list[Any]], header: list[str], alignment: str) -> str:
    """Return a Markdown table; each letter of `alignment`, l or r, aligns one column to the left or right."""
    sides = {"l": "left", "r": "right"}
    table: str = tabulate(
        rows, header, tablefmt="pipe", disable_numparse=True, colalign=[sides[letter] for letter in alignment]
    )
    return table
