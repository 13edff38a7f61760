"""Openverse: images under open licences, found by queries.

https://api.openverse.org/v1/
"""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from stages.core.params import Section
from stages.sources.json_answers import Address, Record, identity, number, records, table, text
from stages.sources.listed_image import Listed
from stages.web.client import Client
from stages.web.secrets import read_key

PAGE_SIZE = 20  # the most images of one answer without an account
PAGES = 20  # the most pages of one search; the page_count of an answer can end it earlier
Licence = Literal["cc0", "pdm", "by", "by-sa", "by-nc", "by-nd", "by-nc-sa", "by-nc-nd"]
Category = Literal["photograph", "illustration", "digitized_artwork"]


class Entry(Section):
    """The params of one search on Openverse; without `licences`, all licences are taken."""

    queries: list[str] = Field(min_length=1)
    licences: list[Licence] = Field(default=[])
    categories: list[Category] = Field(default=[])
    limit: int = Field(default=PAGE_SIZE * PAGES, ge=1)
    address: Address = "https://api.openverse.org"


def listing(entry: Entry, class_: str, client: Client) -> Iterator[Listed]:
    """Yield the images of each query up to the limit; an image of several queries comes once.

    An image without an address is listed with an empty url, so that it is counted. An
    attribution needs title, author, licence and page. OPENVERSE_TOKEN in the environment, an account's bearer token, is
    sent if it is set.

    Raises:
        ValueError: The service gives no usable answer.
    """
    seen: set[str] = set()
    for query in entry.queries:
        for found in _search(entry, query, client):
            source_id = identity(found, "id", entry.address)
            if source_id not in seen:
                seen.add(source_id)
                yield _describe(found, source_id, class_)


def _search(entry: Entry, query: str, client: Client) -> Iterator[Record]:
    """Yield the results of the query, page by page; only the count of pages ends them, not an empty page."""
    url = f"{entry.address}/v1/images/"
    token = read_key("OPENVERSE_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    question: dict[str, str | int] = {"q": query, "page_size": PAGE_SIZE}
    for key, choices in (("license", entry.licences), ("category", entry.categories)):
        if choices:
            question[key] = ",".join(choices)
    left = entry.limit
    for page in range(1, PAGES + 1):
        answer = table(client.json(url, question | {"page": page}, headers), url)
        results = records(answer, url, "results")[:left]
        yield from results
        left -= len(results)
        if not left or page >= number(answer, "page_count", url):
            return


def _describe(found: Record, source_id: str, class_: str) -> Listed:
    licence = " ".join(part for part in (text(found, "license"), text(found, "license_version")) if part)
    return Listed(
        source_id=source_id,
        class_=class_,
        title=text(found, "title"),
        url=text(found, "url"),
        page_url=text(found, "foreign_landing_url"),
        author=text(found, "creator"),
        licence=licence,
        licence_url=text(found, "license_url"),
    )
