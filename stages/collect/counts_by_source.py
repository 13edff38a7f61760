"""Counts of the listed, kept and failed images, for each source and class."""

from collections import defaultdict
from typing import Any

from stages.core.tables import tally


def count_by_source(images: list[dict[str, Any]], failures: list[dict[str, str]]) -> dict[str, Any]:
    """Count the images that were listed, kept, and failed by reason: in all, and for each source and class."""
    rows: defaultdict[tuple[str, str], tuple[list[dict[str, Any]], list[dict[str, Any]]]] = defaultdict(
        lambda: ([], [])
    )
    for place, found in enumerate((images, failures)):
        for row in found:
            rows[row["source"], row["class"]][place].append(row)
    sources: dict[str, dict[str, Any]] = {}
    for source, name in sorted(rows):
        sources.setdefault(source, {})[name or "no class"] = count_outcomes(*rows[source, name])
    return {**count_outcomes(images, failures), "classes": tally(row["class"] for row in images), "sources": sources}


def count_outcomes(images: list[dict[str, Any]], failures: list[dict[str, Any]]) -> dict[str, Any]:
    """Count the listed images as the kept ones and the failed ones by reason."""
    failed = tally(row["reason"] for row in failures)
    return {"listed": len(images) + len(failures), "kept": len(images), "failed": failed}
