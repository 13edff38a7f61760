"""Wikimedia Commons: freely licensed files, found by queries.

https://commons.wikimedia.org/w/api.php
"""

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from stages.core.params import Section
from stages.sources.json_answers import Address, Record, identity, number, records, shorten, table, text
from stages.sources.listed_image import Listed
from stages.web.client import Client

PAGE_SIZE = 50  # the most files that one answer describes
QUESTION = {
    "action": "query", "format": "json", "formatversion": 2, "generator": "search", "gsrnamespace": 6,
    "gsrlimit": PAGE_SIZE, "prop": "imageinfo", "iiprop": "url|mime|extmetadata",
    "iiextmetadatafilter": "ObjectName|Artist|Attribution|License|LicenseShortName|LicenseUrl",
    "iiextmetadatalanguage": "en",
}  # fmt: skip
Licence = Literal["cc0", "pd", "cc-by", "cc-by-sa"]
# The widths that Wikimedia has ready: https://www.mediawiki.org/wiki/Common_thumbnail_sizes.
Width = Literal[0, 250, 330, 500, 960, 1280, 1920, 3840]


class Entry(Section):
    """The params of one search on Commons; without `licences`, all licences are taken.

    `width` is the largest width in pixels: Wikimedia scales wider images down to it; 0 takes the originals.
    """

    queries: list[str] = Field(min_length=1)
    licences: list[Licence] = Field(default=[])
    width: Width = 1280
    limit: int = Field(default=500, ge=1)
    address: Address = "https://commons.wikimedia.org"


def listing(entry: Entry, class_: str, client: Client) -> Iterator[Listed]:
    """Yield the files of each query under the licences, up to the limit; a file of several queries comes once.

    A query takes Commons' own search words, such as `incategory:`; only bitmaps are searched for. A file without an
    address is listed with an empty url, so that it is counted. The author is the name that the file's page asks for.

    Raises:
        ValueError: The service gives no usable answer.
    """
    seen: set[str] = set()
    for query in entry.queries:
        left = entry.limit
        for page in _search(entry, query, client):
            image, code = _describe(page, class_, entry.address)
            if left and _is_allowed(code, entry.licences):
                left -= 1
                if image.source_id not in seen:
                    seen.add(image.source_id)
                    yield image
            if not left:
                break


def _search(entry: Entry, query: str, client: Client) -> Iterator[Record]:
    """Yield the files that the query finds, in the order of the search.

    An answer can describe only some of its files, and the next answers complete it; `batchcomplete` marks the last.
    """
    url = f"{entry.address}/w/api.php"
    question = QUESTION | {"gsrsearch": f"{query} filetype:bitmap"}
    if entry.width:
        question["iiurlwidth"] = entry.width
    cursors: list[Any] = [{}]
    batch: dict[str, dict[str, Any]] = {}
    while True:
        answer = table(client.json(url, question | cursors[-1]), url)
        if "error" in answer:
            raise ValueError(f"{url}: expected files, got {shorten(answer['error'])}.")
        for page in records(answer, url, "query", "pages"):
            batch.setdefault(identity(page, "pageid", url), {}).update(page)
        following = answer.get("continue")
        is_last = not isinstance(following, Mapping) or following in cursors
        if is_last or "batchcomplete" in answer:
            yield from sorted(batch.values(), key=lambda page: number({"index": 0, **page}, "index", url))
            batch = {}
        if is_last:
            return
        cursors.append(following)


def _describe(page: Record, class_: str, address: str) -> tuple[Listed, str]:
    """Return the file's entry, and the code of its licence."""
    info = next(iter(records(page, address, "imageinfo")), {})
    metadata = table(info.get("extmetadata") or {}, address)
    facts = {key: text(table(value, address), "value") for key, value in metadata.items()}
    name = text(page, "title").removeprefix("File:")
    image = Listed(
        source_id=identity(page, "pageid", address),
        class_=class_,
        title=_plain(facts.get("ObjectName", "")) or name,
        url=(text(info, "thumburl") or text(info, "url")) if text(info, "mime").startswith("image/") else "",
        page_url=text(info, "descriptionurl"),
        author=_plain(facts.get("Attribution", "")) or _plain(facts.get("Artist", "")),
        licence=facts.get("LicenseShortName", "") or facts.get("License", ""),
        licence_url=facts.get("LicenseUrl", ""),
    )
    return image, facts.get("License", "").lower()


def _is_allowed(code: str, licences: list[Licence]) -> bool:
    """Return whether the code, such as `cc-by-sa-4.0` or `cc-by-2.0-de`, is one of the licences in any version."""
    return not licences or any(re.fullmatch(rf"{re.escape(licence)}(-\d.*)?", code) for licence in licences)


def _plain(markup: str) -> str:
    """Return the words of a piece of HTML."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", markup)).split())
