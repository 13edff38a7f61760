"""Image search at endpoints with the API of the former Bing image search 7."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from stages.core.params import Section
from stages.sources.json_answers import Record, check_address, records, table, text
from stages.sources.listed_image import Listed
from stages.web.client import Client
from stages.web.secrets import read_key

PAGE_SIZE = 150  # the most that the API answered at once
BARREN_PAGES = 3  # this number of pages in a row without a new result is the end
KEY = "BING_SEARCH_KEY"


def check_endpoint(address: str) -> str:
    """Return the address without a slash at its end.

    Raises:
        ValueError: The text is not an http or https address, or `check_address` refuses it.
    """
    if not address.startswith(("http://", "https://")):
        raise ValueError(
            "expected the address of an endpoint with the API of Bing image search 7, "
            f"Microsoft's own ended on 2025-08-11, got {address!r}."
        )
    return check_address(address)


class Entry(Section):
    """One search; `address` is the endpoint up to its version, as in https://host/v7.0."""

    queries: list[str] = Field(min_length=1)
    licence: Literal["Any", "Public", "Share", "ShareCommercially", "Modify", "ModifyCommercially"] = "Any"
    safe_search: Literal["Off", "Moderate", "Strict"] = "Strict"
    limit: int = Field(default=1000, ge=1)
    address: Annotated[str, AfterValidator(check_endpoint)] = Field(default="", validate_default=True)


def listing(entry: Entry, class_: str, client: Client) -> Iterator[Listed]:
    """Yield the results of each query up to the limit; a result of several queries comes once.

    The API names neither author nor licence, so that both stay unknown; `licence` only filters. A result without an
    address is listed with an empty url, so that it is counted. BING_SEARCH_KEY in the environment is sent as the key.

    Raises:
        ValueError: The service gives no usable answer.
    """
    seen: set[str] = set()
    for query in entry.queries:
        for position, found in enumerate(_search(entry, query, client)):
            source_id = _identify(found) or f"{query} {position}"
            if source_id not in seen:
                seen.add(source_id)
                yield _describe(found, source_id, class_)


def _search(entry: Entry, query: str, client: Client) -> Iterator[Record]:
    """Yield the results of the query until the next offset is no larger, or the answers repeat themselves."""
    url = f"{entry.address}/images/search"
    key = read_key(KEY)
    headers = {"Ocp-Apim-Subscription-Key": key} if key else {}
    question: dict[str, str | int] = {"q": query, "safeSearch": entry.safe_search}
    if entry.licence != "Any":
        question["license"] = entry.licence
    offset, left, barren = 0, entry.limit, 0
    known: set[str] = set()
    while left and barren < BARREN_PAGES:
        page = {"count": min(PAGE_SIZE, left), "offset": offset}
        answer = table(client.json(url, question | page, headers), url)
        results = records(answer, url, "value")[:left]
        yield from results
        # At its end a listing gives the last page again and again.
        barren = barren + 1 if known.issuperset(map(_identify, results)) else 0
        known.update(map(_identify, results))
        left -= len(results)
        following = answer.get("nextOffset")
        if not isinstance(following, int) or following <= offset:
            return
        offset = following


def _identify(found: Record) -> str:
    """Return the result's id, or its address if the endpoint gives no ids."""
    return text(found, "imageId") or text(found, "contentUrl")


def _describe(found: Record, source_id: str, class_: str) -> Listed:
    return Listed(
        source_id=source_id,
        class_=class_,
        title=text(found, "name"),
        url=text(found, "contentUrl"),
        page_url=text(found, "hostPageUrl"),
    )
