"""The credits of the images that the page shows: author, licence and origin."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from stages.core.tables import tally

UNKNOWN = "unknown"
UNESCAPED = re.compile(r"[\s\x00-\x1f\x7f<>\"'`\\]")


@dataclass(frozen=True)
class Credit:
    """The credit of a shown image; addresses begin with http or https, or are empty."""

    anchor: str
    title: str
    author: str
    licence: str
    licence_url: str
    page_url: str
    source: str
    source_id: str


def credit_of(row: Any) -> Credit:
    """Return the credit of an image from its row in `images.csv`; the file's name replaces a missing title."""
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
    """Return the anchor on the page where an image is credited."""
    return f"image-{image_id[:16]}"


def safe_address(address: str) -> str:
    """Return the address if it begins with http or https, otherwise "": `javascript:` must not become a link.

    An address with spaces, quotes or angle brackets is refused too: no address holds them unescaped (RFC 3986).
    """
    if UNESCAPED.search(address.strip()):
        return ""
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        return ""
    return address.strip() if parts.scheme.lower() in ("http", "https") and parts.netloc else ""


def in_order(credits: Iterable[Credit]) -> list[Credit]:
    """Return each credit once, ordered by licence, author and title."""
    return sorted(set(credits), key=lambda one: (one.licence, one.author, one.title, one.anchor))


def sources_of(images: pd.DataFrame) -> list[dict[str, Any]]:
    """Return each source and licence with its address, its count of images and its authors, the most frequent first."""
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
