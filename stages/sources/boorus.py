"""Two classes of posts from an image board: posts with a tag, and posts of the same time without it."""

import itertools
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import AfterValidator, Field

from stages.core.params import Section
from stages.sources.listed_image import Listed

BLANK_PAGES = 3  # a busy board may answer with a blank page; this number of blank pages in a row is the end
PAUSE_S = 1.0  # the wait before a blank page is asked for again, doubled each time
GROUP = 10  # posts with the tag; as many posts without it are drawn from the range of their numbers
LOOKED_AT = 500  # the most posts without the tag that are looked at for one group


def _check_tag(tag: str) -> str:
    if not tag.strip("-") or re.search(r"\s", tag) or re.match(r"-?(id|sort|order|limit|rating|page):", tag):
        raise ValueError(f"expected one tag that neither orders nor numbers the posts, got {tag!r}.")
    return tag


def _check_class_tag(tag: str) -> str:
    if tag.startswith(("-", "~")):
        raise ValueError(f"expected a tag without a sign, got {tag!r}.")
    return _check_tag(tag)


class Search(Section):
    """The class of one tag; posts of both classes must have the tags in `also`, or not have a tag with a minus."""

    tag: Annotated[str, AfterValidator(_check_class_tag)]
    also: list[Annotated[str, AfterValidator(_check_tag)]] = Field(default=[])
    negatives: bool = False
    limit: int = Field(default=1000, ge=1)


@dataclass(frozen=True)
class Post:
    """One post of a board; md5 is empty if the board hides the file."""

    number: int
    md5: str
    rating: str
    image: Listed


# Returns one page of posts with all the tags, from high to low number, below the given number if it is not None.
Page = Callable[[list[str], int | None], list[Post]]


def list_classes(search: Search, class_: str, ratings: list[str], page: Page) -> Iterator[Listed]:
    """Yield the newest posts with the tag, then with `negatives` as many posts without it, as class `not_…`.

    Posts of both classes have one of the ratings. The posts without the tag lie between the oldest and the newest post
    with the tag and are spread like these posts, so that age and fashion do not tell the classes apart. No post and no
    file (by MD5) is in both classes. If the range holds too few posts without the tag, the second class is smaller.
    """
    found = (post for post in newest_first(page, [search.tag, *search.also]) if post.rating in ratings)
    positives = list(itertools.islice(found, search.limit))
    for post in positives:
        yield replace(post.image, class_=class_)
    if not search.negatives:
        return
    hashes = {post.md5 for post in positives if post.md5}
    numbers = {post.number for post in positives}

    def is_other(post: Post) -> bool:
        # A board can ignore the minus, and a file can be posted again without the tag.
        return post.number not in numbers and post.md5 not in hashes and post.rating in ratings

    for post in _draw_between(positives, page, [f"-{search.tag}", *search.also], is_other):
        yield replace(post.image, class_=f"not_{class_}")


def _draw_between(
    positives: list[Post], page: Page, tags: list[str], is_wanted: Callable[[Post], bool]
) -> Iterator[Post]:
    """Yield as many wanted posts as positives, from the range of each group; later groups make up for missing posts."""
    owed = 0
    for start in range(0, len(positives), GROUP):
        owed += len(positives[start : start + GROUP])
        end = min(start + GROUP, len(positives) - 1)
        below, lowest = positives[start].number, positives[end].number
        posts = itertools.islice(_above(lowest, newest_first(page, tags, below)), LOOKED_AT)
        for post in itertools.islice(filter(is_wanted, posts), owed):
            owed -= 1
            yield post


def _above(lowest: int, posts: Iterator[Post]) -> Iterator[Post]:
    return itertools.takewhile(lambda post: post.number > lowest, posts)


def newest_first(page: Page, tags: list[str], below: int | None = None) -> Iterator[Post]:
    """Yield all posts with the tags, from high to low number, each once.

    A page that is blank, or repeats earlier posts, is asked for again; several such pages in a row are the end.
    """
    while posts := _ask_until_new(page, tags, below):
        yield from posts
        below = posts[-1].number


def _ask_until_new(page: Page, tags: list[str], below: int | None) -> list[Post]:
    for attempt in range(BLANK_PAGES):
        if attempt:
            time.sleep(PAUSE_S * 2 ** (attempt - 1))
        posts = {post.number: post for post in page(tags, below) if below is None or post.number < below}
        if posts:
            return [posts[number] for number in sorted(posts, reverse=True)]
    return []
