"""Danbooru and other boards with its API.

https://danbooru.donmai.us/wiki_pages/help:api
"""

from collections.abc import Iterator
from functools import partial
from typing import Literal

from pydantic import Field

from stages.sources import boorus
from stages.sources.json_answers import Address, Record, is_image_address, number, records, shorten, text
from stages.sources.listed_image import Listed
from stages.web.client import Client
from stages.web.secrets import encode_account, read_key, read_variable

KEY = "DANBOORU_API_KEY"
PAGE_SIZE = 200  # the most posts of one answer
RATINGS = {"general": "g", "sensitive": "s", "questionable": "q", "explicit": "e"}
Rating = Literal["general", "sensitive", "questionable", "explicit"]


class Entry(boorus.Search):
    """The params of one tag on Danbooru, which answers searches for at most two tags without an account."""

    ratings: list[Rating] = Field(default=["general"], min_length=1)
    address: Address = "https://danbooru.donmai.us"


def listing(entry: Entry, class_: str, client: Client) -> Iterator[Listed]:
    """Yield the posts with the tag, and with `negatives` posts without it: see `boorus.list_classes`.

    A post that is a film, or whose file is hidden (its artist asked for that, or an account is needed), is listed with
    an empty url, so that it is counted. The author is the artist's tag; the licence stays unknown. DANBOORU_LOGIN and
    DANBOORU_API_KEY in the environment are sent if both are set.

    Raises:
        ValueError: The board gives no usable answer.
    """
    ratings = [RATINGS[rating] for rating in entry.ratings]
    return boorus.list_classes(entry, class_, ratings, partial(_page, entry.address, client))


def _page(address: str, client: Client, tags: list[str], below: int | None) -> list[boorus.Post]:
    url = f"{address}/posts.json"
    question: dict[str, str | int] = {"tags": " ".join(tags), "limit": PAGE_SIZE}
    if below is not None:
        question["page"] = f"b{below}"
    answer = client.json(url, question, _credentials())
    if isinstance(answer, dict) and "success" in answer:
        raise ValueError(f"{url}: expected posts, got {shorten(answer)}.")
    return [_read(post, address) for post in records(answer, url)]


def _credentials() -> dict[str, str]:
    login, key = read_variable("DANBOORU_LOGIN"), read_key(KEY)
    if not login or not key:
        return {}
    # Sent in a header, since addresses end up in logs.
    return {"Authorization": encode_account(login, key, KEY)}


def _read(post: Record, address: str) -> boorus.Post:
    post_id = number(post, "id", address)
    url = text(post, "file_url")
    return boorus.Post(
        number=post_id,
        md5=text(post, "md5"),
        rating=text(post, "rating"),
        image=Listed(
            source_id=str(post_id),
            class_="",
            url=url if is_image_address(url) else "",
            page_url=f"{address}/posts/{post_id}",
            author=text(post, "tag_string_artist"),
        ),
    )
