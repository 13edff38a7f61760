"""What became of everything that was listed, for each source and class."""

from typing import Any

from stages.core.counts import tally


def count(images: list[dict[str, Any]], failures: list[dict[str, str]]) -> dict[str, Any]:
    """How many were listed, kept and failed, the latter by reason: in all, and for each source and class."""
    rows = sorted({(row["source"], row["class"]) for row in [*images, *failures]})
    sources: dict[str, dict[str, Any]] = {}
    for key in rows:
        own = [[row for row in some if (row["source"], row["class"]) == key] for some in (images, failures)]
        sources.setdefault(key[0], {})[key[1] or "no class"] = account(*own)
    return {**account(images, failures), "classes": tally(row["class"] for row in images), "sources": sources}


def account(images: list[dict[str, Any]], failures: list[dict[str, Any]]) -> dict[str, Any]:
    """Listed = kept + failed, by reason."""
    failed = tally(row["reason"] for row in failures)
    return {"listed": len(images) + len(failures), "kept": len(images), "failed": failed}
