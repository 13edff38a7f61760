"""Reddit: the images of subreddits' posts, asked for with PRAW.

README.md in this folder has Reddit's rules.
"""

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
from stages.web.secrets import encode_account, hide, hide_in, read_key

PAGE_SIZE = 100  # the most posts of one answer
CREDENTIALS = ("REDDIT_CLIENT_ID", "REDDIT_CLIENT_SECRET")
# Reddit asks for this form: https://github.com/reddit-archive/reddit/wiki/API
USER_AGENT = "python:dvc-image-classification:0.1.0 (by /u/{})"
ENDINGS = {"image/jpg": "jpg", "image/jpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/webp": "webp"}
IMGUR = ("imgur.com", "www.imgur.com", "m.imgur.com", "i.imgur.com")
Post = Mapping[str, Any]


class Entry(Section):
    """The params of subreddits' posts: the union of several listings, since Reddit ends each near 1000 posts."""

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
    """Yield the images of each post of each listing, in Reddit's order; a post in several listings comes once.

    The images of a gallery are listed one by one, and a crosspost as the post that it repeats. A post that was removed,
    or that has no image that can be fetched (text, film, a page elsewhere), is listed with an empty url, so that it is
    counted. Posts for adults are listed only with `adult`. `account` is named to Reddit as the person who runs this.
    PRAW makes its own requests, so that the client is not used. Reddit names no licence, so that it stays unknown.

    Raises:
        ValueError: REDDIT_CLIENT_ID or REDDIT_CLIENT_SECRET is missing in the environment or not accepted, a subreddit
            does not exist, or Reddit gives no usable answer.
    """
    reddit = _connect(entry)
    seen: set[str] = set()
    for subreddit in entry.subreddits:
        for order in entry.listings:
            for post in _posts(reddit, subreddit, order, entry.limit):
                if post.get("over_18") and not entry.adult:
                    continue
                for image in _list_post(post, class_, entry.address):
                    if image.source_id not in seen:
                        seen.add(image.source_id)
                        yield image


def _connect(entry: Entry) -> praw.Reddit:
    client_id, client_secret = map(read_key, CREDENTIALS)
    for name, value in zip(CREDENTIALS, (client_id, client_secret), strict=True):
        if not value:
            raise ValueError(f"environment {name}: expected that of an app on reddit.com/prefs/apps, got none.")
    encode_account(client_id, client_secret, CREDENTIALS[1])  # as PRAW sends it
    # Every option that PRAW could take from a praw.ini or its own variables is given, so that these have no effect.
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
    """Yield the posts of one listing; unlike PRAW's generator, go on after an empty page if it has a cursor."""
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
    """Return one page's posts, and the cursor of the next page or "".

    Raises:
        ValueError: The answer is not a page, or PRAW raised an error, which is not kept as the cause since it holds the
            request with its secret.
    """
    where = f"{reddit.config.reddit_url}/{path}"
    try:
        # Read as JSON, since PRAW's own posts request a missing attribute, and fail without an author.
        answer = hide_in(reddit.request(method="GET", path=path, params=params))
    except (prawcore.PrawcoreException, praw.exceptions.PRAWException, LookupError, TypeError) as error:
        # PRAW raises LookupError or TypeError for an answer that it does not understand.
        problem = _describe_error(error, where)
    else:
        page = table(table(answer, where).get("data"), where)
        posts = [table(child.get("data"), where) for child in records(page, where, "children")]
        return posts, text(page, "after")
    raise ValueError(problem)


def _describe_error(error: Exception, where: str) -> str:
    names = " and ".join(CREDENTIALS)
    if isinstance(error, prawcore.OAuthException):
        return f"environment {names}: expected the credentials of an app, got {hide(str(error.error))}."
    if not isinstance(error, prawcore.ResponseException):
        return f"{where}: expected a public subreddit's posts, got {type(error).__name__}."
    status = error.response.status_code
    if status == 401:
        return f"environment {names}: expected what Reddit accepts, got status 401."
    return f"{where}: expected a public subreddit's posts, got status {status}."


def _list_post(post: Post, class_: str, address: str) -> Iterator[Listed]:
    """Yield the post's entries: one for each image of a gallery, or one for any other post."""
    # A crosspost holds its original post; if the original is gone or hidden, the list is empty.
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
    """Yield for each image of the post the suffix of its id, and its address or ""."""
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
    """Return the address of a gallery's image, or "" if Reddit failed to process it or if it is a film."""
    ending = ENDINGS.get(text(media, "m"))
    is_there = media.get("status") == "valid" and ending
    return f"https://i.redd.it/{media_id}.{ending}" if is_there else ""


def _direct_address(url: str) -> str:
    """Return the address of the image that a post links to, directly or by imgur's page of one image, or ""."""
    parts = urlsplit(url)
    if parts.hostname in IMGUR:
        if re.fullmatch(r"/\w{5,}", parts.path):
            return f"https://i.imgur.com{parts.path}.jpg"
        url = parts._replace(scheme="https", netloc="i.imgur.com").geturl()
    return url if is_image_address(url) else ""
