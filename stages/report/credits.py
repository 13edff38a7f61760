"""Who made the pictures that are shown, under which licence, and where each is from."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from stages.core.counts import tally

UNKNOWN = "unknown"
UNESCAPED = re.compile(r"[\s\x00-\x1f\x7f<>\"'`\\]")


@dataclass(frozen=True)
class Credit:
    """What is said of a shown picture; addresses are http or https, or empty."""

    anchor: str
    title: str
    author: str
    licence: str
    licence_url: str
    page_url: str
    source: str
    source_id: str


def credit(row: Any) -> Credit:
    """The credit of an image, of its row in `images.csv`; a missing title is the name of its file."""
    return Credit(
        anchor=anchor_of(row["image_id"]),
        title=row["title"] or PurePosixPath(row["source_id"]).name,
        author=row["author"] or UNKNOWN,
        licence=row["licence"] or UNKNOWN,
        licence_url=safe_address(row["licence_url"]),
        page_url=safe_address(row["page_url"]) or safe_address(row["url"]),
        source=row["source"],
        source_id=row["source_id"],
    )


def anchor_of(image_id: str) -> str:
    """The name on a page of the place where an image is credited."""
    return f"picture-{image_id[:16]}"


def safe_address(address: str) -> str:
    """The address where it is one of http or https; else nothing: `javascript:` must not become a link.

    Nor does one with blanks, quotes or brackets, which no address holds unescaped (RFC 3986).
    """
    if UNESCAPED.search(address.strip()):
        return ""
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        return ""
    return address.strip() if parts.scheme.lower() in ("http", "https") and parts.netloc else ""


def in_order(credits: Iterable[Credit]) -> list[Credit]:
    """Each credit once, by licence, author and title."""
    return sorted(set(credits), key=lambda one: (one.licence, one.author, one.title, one.anchor))


def sources_of(images: pd.DataFrame) -> list[dict[str, Any]]:
    """Each source and licence with its address, the number of its images and the names of their authors, most first."""
    rows = []
    for (source, licence), part in images.groupby(["source", "licence"], sort=True):
        authors = tally(part["author"].where(part["author"] != "", UNKNOWN))
        rows.append({
            "source": source,
            "licence": licence or UNKNOWN,
            "licence_url": safe_address(part["licence_url"].iloc[0]),
            "count": len(part),
            "authors": sorted(authors, key=lambda author: (-authors[author], author)),
        })  # fmt: skip
    return rows
