"""Reddit: the pictures of subreddits' posts, by PRAW. What it allows today is in the README."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlsplit

import praw
import prawcore
from pydantic import Field

from stages.core.params import Section
from stages.sources.json_answers import Address, identity, is_image_address, records, table, text
from stages.sources.listed_image import Listed
from stages.sources.reddit_requests import PatientRequestor
from stages.web.client import Client

PAGE_SIZE = 100  # the most posts of one answer
CREDENTIALS = ("REDDIT_CLIENT_ID", "REDDIT_CLIENT_SECRET")
# Reddit asks for this form: https://github.com/reddit-archive/reddit/wiki/API
USER_AGENT = "python:dvc-image-classification:0.1.0 (by /u/{})"
ENDINGS = {"image/jpg": "jpg", "image/jpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/webp": "webp"}
IMGUR = ("imgur.com", "www.imgur.com", "m.imgur.com", "i.imgur.com")
Post = Mapping[str, Any]


class Entry(Section):
    """Posts of subreddits: the union of several listings, since Reddit ends each near 1000 posts."""

    subreddits: list[Annotated[str, Field(pattern=r"^\w+$")]] = Field(min_length=1)
    listings: list[Annotated[str, Field(pattern=r"^(new|hot|top/(hour|day|week|month|year|all))$")]] = Field(
        default=["new", "hot", "top/all", "top/year", "top/month", "top/week"], min_length=1
    )
    limit: int = Field(default=1000, ge=1)
    adult: bool = False
    account: str = Field(default="unknown", pattern=r"^[\w-]+$")
    address: Address = "https://www.reddit.com"
    oauth_address: Address = "https://oauth.reddit.com"


def listing(entry: Entry, class_: str, client: Client) -> Iterator[Listed]:
    """The pictures of each post of each listing, in Reddit's order, a post that is in several once.

    A gallery's pictures are listed one by one, and a crosspost as the post that it repeats. A post without a picture
    that can be fetched (text, film, a page elsewhere) or that was removed is listed with an empty url, so that it is
    counted. Posts for adults are listed with `adult` only. `account` is named to Reddit as who runs this; PRAW makes
    its own requests, so that the client is not used. Reddit knows no licence: it stays unknown.

    Raises:
        ValueError: REDDIT_CLIENT_ID or REDDIT_CLIENT_SECRET is missing in the environment or not accepted, a subreddit
            is not there, or Reddit does not answer.
    """
    reddit = _connect(entry)
    seen: set[str] = set()
    for subreddit in entry.subreddits:
        for order in entry.listings:
            for post in _posts(reddit, subreddit, order, entry.limit):
                if post.get("over_18") and not entry.adult:
                    continue
                for image in _pictures(post, class_, entry.address):
                    if image.source_id not in seen:
                        seen.add(image.source_id)
                        yield image


def _connect(entry: Entry) -> praw.Reddit:
    for name in CREDENTIALS:
        if not os.environ.get(name):
            raise ValueError(f"environment {name}: expected that of an app on reddit.com/prefs/apps, got none.")
    client_id, client_secret = (os.environ[name] for name in CREDENTIALS)
    # All that PRAW would otherwise take from a praw.ini or its own variables is named, so that none of it counts.
    return praw.Reddit(
        client_id=client_id,
        client_secret=client_secret,
        username=None,
        password=None,
        refresh_token=None,
        redirect_uri=None,
        reddit_url=entry.address,
        oauth_url=entry.oauth_address,
        user_agent=USER_AGENT.format(entry.account),
        check_for_updates=False,
        check_for_async=False,
        requestor_class=PatientRequestor,
    )


def _posts(reddit: praw.Reddit, subreddit: str, order: str, limit: int) -> Iterator[Post]:
    """The posts of one listing. PRAW's own generator takes an empty page for the end; here only a cursor decides."""
    name, _, period = order.partition("/")
    params: dict[str, str | int] = {"limit": PAGE_SIZE} | ({"t": period} if period else {})
    cursors: set[str] = set()
    while limit > 0:
        posts, after = _page(reddit, f"r/{subreddit}/{name}", params)
        yield from posts[:limit]
        limit -= len(posts)
        if not after or after in cursors:
            return
        cursors.add(after)
        params["after"] = after


def _page(reddit: praw.Reddit, path: str, params: dict[str, str | int]) -> tuple[list[Post], str]:
    """One page's posts, and the cursor of the next or nothing.

    Raises:
        ValueError: PRAW raised something, not kept as the cause since it holds the request with its secret; or the
            answer is no page.
    """
    where = f"{reddit.config.reddit_url}/{path}"
    try:
        # As JSON: a missing attribute of PRAW's own posts is a further request, an unknown author an error.
        answer = reddit.request(method="GET", path=path, params=params)
    except (prawcore.PrawcoreException, praw.exceptions.PRAWException, LookupError, TypeError) as error:
        # The latter two are what PRAW makes of an answer that it does not understand.
        problem = _explain(error, where)
    else:
        page = table(table(answer, where).get("data"), where)
        posts = [table(child.get("data"), where) for child in records(page, where, "children")]
        return posts, text(page, "after")
    raise ValueError(problem)


def _explain(error: Exception, where: str) -> str:
    names = " and ".join(CREDENTIALS)
    if isinstance(error, prawcore.OAuthException):
        return f"environment {names}: expected those of an app, got {error.error}."
    if not isinstance(error, prawcore.ResponseException):
        return f"{where}: expected a public subreddit's posts, got {type(error).__name__}."
    status = error.response.status_code
    if status == 401:
        return f"environment {names}: expected what Reddit accepts, got status 401."
    return f"{where}: expected a public subreddit's posts, got status {status}."


def _pictures(post: Post, class_: str, address: str) -> Iterator[Listed]:
    """The post's entries: one for each picture of a gallery, otherwise one."""
    # A crosspost brings its original along; where that is gone or hidden, the list is empty.
    originals = [] if post.get("removed_by_category") else records(post, address, "crosspost_parent_list")
    original: Post = next(iter(originals), post)
    author = text(original, "author")
    entry = Listed(
        source_id=identity(original, "id", address),
        class_=class_,
        title=text(original, "title"),
        page_url=address + text(original, "permalink"),
        author="" if author == "[deleted]" else author,
    )
    for suffix, url in _addresses(original, address):
        yield replace(entry, source_id=entry.source_id + suffix, url=url)


def _addresses(post: Post, where: str) -> Iterator[tuple[str, str]]:
    """What to add to the post's id, and the picture's address or nothing, for each picture."""
    items = records(post.get("gallery_data") or {}, where, "items")
    if post.get("removed_by_category"):
        yield "", ""
    elif items:
        metadata = table(post.get("media_metadata") or {}, where)
        for item in items:
            media_id = text(item, "media_id")
            yield f"/{media_id}", _gallery_address(media_id, table(metadata.get(media_id) or {}, where))
    else:
        yield "", _direct_address(text(post, "url"))


def _gallery_address(media_id: str, media: Post) -> str:
    """Where the original of a gallery's picture lies; empty where Reddit failed to take it in, or it is a film."""
    ending = ENDINGS.get(text(media, "m"))
    is_there = media.get("status") == "valid" and ending
    return f"https://i.redd.it/{media_id}.{ending}" if is_there else ""


def _direct_address(url: str) -> str:
    """The picture's address behind a post's link: itself, or that of imgur's page of one picture; otherwise empty."""
    parts = urlsplit(url)
    if parts.hostname in IMGUR:
        if re.fullmatch(r"/\w{5,}", parts.path):
            return f"https://i.imgur.com{parts.path}.jpg"
        url = parts._replace(scheme="https", netloc="i.imgur.com").geturl()
    return url if is_image_address(url) else ""
