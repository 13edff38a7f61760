"""Counts of the listed, kept and failed images, for each source and class."""

from typing import Any

from stages.core.tables import tally


def count_by_source(images: list[dict[str, Any]], failures: list[dict[str, str]]) -> dict[str, Any]:
    """Count the images that were listed, kept, and failed by reason: in all, and for each source and class."""
    keys = sorted({(row["source"], row["class"]) for row in [*images, *failures]})
    sources: dict[str, dict[str, Any]] = {}
    for key in keys:
        kept, failed = ([row for row in rows if (row["source"], row["class"]) == key] for rows in (images, failures))
        sources.setdefault(key[0], {})[key[1] or "no class"] = count_outcomes(kept, failed)
    return {**count_outcomes(images, failures), "classes": tally(row["class"] for row in images), "sources": sources}


def count_outcomes(images: list[dict[str, Any]], failures: list[dict[str, Any]]) -> dict[str, Any]:
    """Count the listed images as the kept ones and the failed ones by reason."""
    failed = tally(row["reason"] for row in failures)
    return {"listed": len(images) + len(failures), "kept": len(images), "failed": failed}
