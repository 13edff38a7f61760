"""A Markdown table that reads well on a page and in a terminal."""

from typing import Any

from tabulate import tabulate


def to_markdown(rows: list[list[Any]], header: list[str], alignment: str) -> str:
    """A Markdown table; l and r say how each column is aligned."""
    sides = {"l": "left", "r": "right"}
    table: str = tabulate(
        rows, header, tablefmt="pipe", disable_numparse=True, colalign=[sides[each] for each in alignment]
    )
    return table
