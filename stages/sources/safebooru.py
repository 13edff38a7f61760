"""Safebooru and other boards with the API of Gelbooru 0.2.

https://safebooru.org/index.php?page=help&topic=dapi
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, Literal

from pydantic import Field

from stages.sources import boorus
from stages.sources.json_answers import Address, Record, is_image_address, number, records, shorten, text
from stages.sources.listed_image import Listed
from stages.web.client import Client, FetchError

PAGE_SIZE = 100  # posts that every board of this kind gives at once
NOTHING = ("no JSON", "b''")  # a blank page is often an answer without a body
Rating = Literal["general", "safe", "sensitive", "questionable", "explicit"]


class Entry(boorus.Search):
    """The params of one tag on a board."""

    ratings: list[Rating] = Field(default=["general", "safe"], min_length=1)
    address: Address = "https://safebooru.org"


def listing(entry: Entry, class_: str, client: Client) -> Iterator[Listed]:
    """Yield the posts with the tag, and with `negatives` posts without it: see `boorus.list_classes`.

    A post that is a film, or names no file, is listed with an empty url, so that it is counted. The board names neither
    artist nor licence, so that both stay unknown.

    Raises:
        ValueError: The board gives no usable answer.
    """
    return boorus.list_classes(entry, class_, list(entry.ratings), partial(_page, entry.address, client))


def _page(address: str, client: Client, tags: list[str], below: int | None) -> list[boorus.Post]:
    # A board refuses pages by their number after some 200, but never refuses posts below a number.
    tags = tags if below is None else [*tags, f"id:<{below}"]
    url = f"{address}/index.php"
    question: dict[str, str | int] = {"page": "dapi", "s": "post", "q": "index", "json": 1, "limit": PAGE_SIZE}
    question |= {"pid": 0, "tags": " ".join(tags)}
    try:
        answer = client.json(url, question)
    except FetchError as error:
        if (error.reason, error.detail) != NOTHING:
            raise
        return []
    return [_read(post, address) for post in _unwrap(answer, url)]


def _unwrap(answer: Any, url: str) -> list[Record]:
    """Return the posts of an answer: a list, inside a table since version 0.2.5; null is a blank page."""
    if answer is None:
        return []
    if isinstance(answer, dict):
        # If the search is down, the answer is "success": "false" and a message.
        if "success" in answer:
            raise ValueError(f"{url}: expected posts, got {shorten(answer)}.")
        return records(answer, url, "post")
    return records(answer, url)


def _read(post: Record, address: str) -> boorus.Post:
    post_id = number(post, "id", address)
    url = text(post, "file_url")
    if not url and text(post, "image"):
        url = f"{address}/images/{text(post, 'directory')}/{text(post, 'image')}"
    return boorus.Post(
        number=post_id,
        md5=text(post, "hash") or text(post, "md5"),
        rating=text(post, "rating"),
        image=Listed(
            source_id=str(post_id),
            class_="",
            url=url if is_image_address(url) else "",
            page_url=f"{address}/index.php?page=post&s=view&id={post_id}",
        ),
    )
