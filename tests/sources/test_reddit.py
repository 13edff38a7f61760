"""The source `reddit`, with the real PRAW, against a service on loopback."""

import email.utils
import logging
import time
import traceback

import praw
import prawcore
import pytest
import requests
from pydantic import ValidationError

from stages.sources import reddit, reddit_requests
from stages.sources.listed_image import Listed
from tests.protocols.asking import make_client
from tests.protocols.reddit import CLIENT_ID, CLIENT_SECRET, TOKEN, answering, gallery, page, post
from tests.protocols.service import BROKEN, BUSY, CUT_JSON, Answer, as_json, serving


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    monkeypatch.setenv("REDDIT_CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv("REDDIT_CLIENT_SECRET", CLIENT_SECRET)
    monkeypatch.setattr(reddit_requests, "BACK_OFF_S", 0.01)
    monkeypatch.setattr(prawcore.sessions.FiniteRetryStrategy, "_sleep_seconds", lambda strategy: None)


def list_all(service, **options):
    options = {"subreddits": ["carporn"], "listings": ["new"], **options}
    entry = reddit.Entry(address=service.address, oauth_address=service.address, **options)
    return list(reddit.listing(entry, "cars", make_client()))


def list_one(described):
    with serving(answering({"carporn/new": [described]})) as service:
        return list_all(service)


def ids(listed):
    return [image.source_id for image in listed]


def some(count, start=0):
    return [post(number) for number in range(start, start + count)]


def test_a_post_keeps_title_author_and_page():
    with serving(answering({"carporn/new": some(1)})) as service:
        assert list_all(service) == [
            Listed(
                source_id="p0",
                class_="cars",
                title="Car 0",
                url="https://i.redd.it/Pic0.jpg",
                page_url=f"{service.address}/r/carporn/comments/p0/car/",
                author="user0",
            )
        ]


@pytest.mark.parametrize("author", ["[deleted]", None])
def test_a_deleted_account_is_an_unknown_author(author):
    assert [image.author for image in list_one(post(1, author=author))] == [""]
    crosspost = post(1, crosspost_parent_list=[post(2, author=author)])
    assert [image.author for image in list_one(crosspost)] == [""]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://i.redd.it/AbC.jpg", "https://i.redd.it/AbC.jpg"),
        ("https://i.redd.it/AbC.PNG", "https://i.redd.it/AbC.PNG"),
        ("https://i.imgur.com/AbCdEfG.jpeg?1", "https://i.imgur.com/AbCdEfG.jpeg?1"),
        ("http://i.imgur.com/AbCdEfG.png", "https://i.imgur.com/AbCdEfG.png"),
        ("https://imgur.com/AbCdEfG.png", "https://i.imgur.com/AbCdEfG.png"),
        ("https://imgur.com/AbCdEfG", "https://i.imgur.com/AbCdEfG.jpg"),
        ("https://m.imgur.com/AbCdE", "https://i.imgur.com/AbCdE.jpg"),
        ("https://imgur.com/a/AbCdE", ""),
        ("https://imgur.com/gallery/AbCdE", ""),
        ("https://i.imgur.com/AbCdEfG.gifv", ""),
        ("https://i.imgur.com/AbCdEfG.mp4", ""),
        ("https://preview.redd.it/AbC.jpg?width=640&s=0f", "https://preview.redd.it/AbC.jpg?width=640&s=0f"),
        ("https://cars.example/Photo.JPG?x=1.html", "https://cars.example/Photo.JPG?x=1.html"),
        ("https://cars.example/page?image=x.jpg", ""),
        ("https://v.redd.it/AbC", ""),
        ("https://www.youtube.com/watch?v=x", ""),
        ("https://www.reddit.com/r/carporn/comments/x/text/", ""),
        ("ftp://cars.example/x.jpg", ""),
        ("", ""),
    ],
)
def test_only_links_to_images_have_an_address_other_posts_are_listed_to_be_counted(url, expected):
    assert [(image.source_id, image.url) for image in list_one(post(1, url=url))] == [("p1", expected)]


def test_a_removed_post_is_listed_without_its_image():
    assert [image.url for image in list_one(post(1, removed_by_category="deleted"))] == [""]


def test_a_gallerys_images_are_listed_one_by_one_in_their_order():
    media = {
        "zebra": {},
        "apple": {"m": "image/png"},
        "anime": {"e": "AnimatedImage", "m": "image/gif"},
        "clip": {"e": "RedditVideo", "m": "video/mp4"},
        "late": {"status": "unprocessed", "m": None},
        "lost": None,
    }
    with serving(answering({"carporn/new": [gallery(5, media)]})) as service:
        listed = list_all(service)
        assert len(service.requests) == 2
    assert [(image.source_id, image.url) for image in listed] == [
        ("p5/zebra", "https://i.redd.it/zebra.jpg"),
        ("p5/apple", "https://i.redd.it/apple.png"),
        ("p5/anime", "https://i.redd.it/anime.gif"),
        ("p5/clip", ""),
        ("p5/late", ""),
        ("p5/lost", ""),
    ]
    assert {(image.title, image.author) for image in listed} == {("Car 5", "user5")}


@pytest.mark.parametrize("missing", [{"gallery_data": None}, {"gallery_data": {"items": []}}, {"media_metadata": None}])
def test_a_gallery_that_is_gone_is_listed_to_be_counted(missing):
    assert [image.url for image in list_one(gallery(5, {"a": {}}) | missing)] == [""]


def test_a_crosspost_is_listed_as_its_original_once():
    original = gallery(9, {"a": {}, "b": {}}, subreddit="tanks")
    crosspost = post(1, url="https://www.reddit.com/gallery/p9", crosspost_parent_list=[original])
    listings = {"carporn/new": [crosspost], "tanks/new": [original]}
    with serving(answering(listings)) as service:
        listed = list_all(service, subreddits=["carporn", "tanks"])
    assert ids(listed) == ["p9/a", "p9/b"]
    assert {(image.title, image.author) for image in listed} == {("Car 9", "user9")}


def test_a_crosspost_whose_original_is_hidden_is_listed_to_be_counted():
    hidden = post(1, url="/r/private/comments/x/", crosspost_parent_list=[])
    assert [(image.source_id, image.url) for image in list_one(hidden)] == [("p1", "")]


def test_a_crosspost_that_was_removed_hides_not_its_original():
    crosspost = post(1, crosspost_parent_list=[post(9)], removed_by_category="moderator")
    with serving(answering({"carporn/new": [crosspost, post(9)]})) as service:
        assert [(image.source_id, bool(image.url)) for image in list_all(service)] == [("p1", False), ("p9", True)]


def test_listings_are_united_in_their_order():
    listings = {
        "carporn/new": some(3),
        "carporn/hot": [post(7), post(1)],
        "carporn/top/all": [post(8), post(7)],
        "carporn/top/week": [post(9)],
    }
    with serving(answering(listings)) as service:
        listed = list_all(service, listings=["new", "hot", "top/all", "top/week"])
        assert ids(listed) == ["p0", "p1", "p2", "p7", "p8", "p9"]
        assert ids(list_all(service, listings=["top/all", "new"])) == ["p8", "p7", "p0", "p1", "p2"]
        assert [(request.path, request.query.get("t")) for request in service.requests[1:5]] == [
            ("/r/carporn/new", None),
            ("/r/carporn/hot", None),
            ("/r/carporn/top", "all"),
            ("/r/carporn/top", "week"),
        ]


@pytest.mark.parametrize(("limit", "count", "pages"), [(1000, 250, 3), (1000, 100, 1), (150, 250, 2), (1, 250, 1)])
def test_pages_are_read_up_to_the_limit(limit, count, pages):
    with serving(answering({"carporn/new": some(count)})) as service:
        assert ids(list_all(service, limit=limit)) == [f"p{number}" for number in range(min(limit, count))]
        assert len(service.requests) == 1 + pages


def test_an_empty_page_in_mid_listing_ends_nothing():
    with serving(answering({"carporn/new": some(250)})) as service:
        service.faults = {2: page([], "t3_p199")}
        assert ids(list_all(service)) == [f"p{number}" for number in [*range(100), *range(200, 250)]]


@pytest.mark.parametrize("cycle", [1, 2])
def test_a_repeated_cursor_ends_the_listing(cycle):
    names = [f"t3_p{number}" for number in range(cycle)]

    def answer(request):
        if "limit" not in request.query:
            return answering({})(request)
        number = names.index(request.query["after"]) + 1 if "after" in request.query else 0
        return page([post(number)], names[number % cycle])

    with serving(answer) as service:
        listed = list_all(service)
        assert len(service.requests) == 1 + cycle + 1
    assert ids(listed) == [f"p{number}" for number in range(cycle + 1)]


def test_posts_for_adults_are_listed_only_when_wanted():
    listings = {"carporn/new": [post(1, over_18=True), post(2)]}
    with serving(answering(listings)) as service:
        assert ids(list_all(service)) == ["p2"]
        assert ids(list_all(service, adult=True)) == ["p1", "p2"]


@pytest.mark.parametrize("number", [0, 1, 2], ids=["token", "first page", "second page"])
@pytest.mark.parametrize(
    "fault", [Answer(b"{}", 429, {"Retry-After": "0"}), BROKEN, Answer(b"<html>", 520), CUT_JSON], ids=str
)
def test_a_busy_reddit_is_asked_again(number, fault):
    with serving(answering({"carporn/new": some(150)})) as service:
        service.faults = {number: fault}
        assert ids(list_all(service)) == [f"p{number}" for number in range(150)]
        assert len(service.requests) == 4


def test_a_429_is_waited_for_as_long_as_it_says():
    with serving(answering({"carporn/new": some(1)})) as service:
        service.faults = {1: BUSY}
        start = time.monotonic()
        assert ids(list_all(service)) == ["p0"]
        assert 1 <= time.monotonic() - start < 5


def test_a_429_that_says_when_with_a_date_is_waited_for():
    start, until = time.monotonic(), email.utils.formatdate(time.time() + 2, usegmt=True)
    with serving(answering({"carporn/new": some(1)})) as service:
        service.faults = {1: Answer(b"busy", 429, {"Retry-After": until})}
        assert ids(list_all(service)) == ["p0"]
        assert 1 <= time.monotonic() - start < 5


@pytest.mark.parametrize("retry_after", ["86400", "inf"])
def test_reddit_is_not_waited_for_without_end(retry_after):
    with serving(answering({"carporn/new": some(1)})) as service:
        service.faults = {1: Answer(b"busy", 429, {"Retry-After": retry_after})}
        with pytest.raises(
            ValueError, match=r"expected an answer, got status 429 with a wait of (86400|inf) seconds\.$"
        ):
            list_all(service)


@pytest.mark.parametrize("start", [0, 1], ids=["token", "page"])
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Answer(b"{}", 429, {"Retry-After": "0"}), "status 429"),
        (BROKEN, "status 502"),
        (CUT_JSON, "no JSON"),
    ],
)
def test_a_reddit_that_stays_busy_is_left_with_one_line(start, fault, message):
    with serving(answering({"carporn/new": some(1)})) as service:
        service.faults = dict.fromkeys(range(start, 50), fault)
        with pytest.raises(ValueError, match=rf"^http://127\.0\.0\.1:\d+: expected an answer, got {message}\.$"):
            list_all(service)
        assert len(service.requests) == start + reddit_requests.ATTEMPTS


def test_a_reddit_that_is_not_there_is_named():
    with serving(answering({})) as service:
        pass
    with pytest.raises(ValueError, match=r"^http://127\.0\.0\.1:\d+: expected an answer, got ConnectionError\.$"):
        list_all(service)


def test_an_expired_token_is_renewed():
    with serving(answering({"carporn/new": some(150)})) as service:
        service.faults = {2: as_json({"message": "Unauthorized", "error": 401}, 401)}
        assert len(list_all(service)) == 150
        assert [request.path for request in service.requests].count("/api/v1/access_token") == 2


@pytest.mark.parametrize(("status", "shown"), [(404, 404), (403, 403), (302, 302), (451, 451)])
def test_a_subreddit_that_is_not_to_be_had_is_named(status, shown):
    headers = {"Location": "/subreddits/search?q=carporn"} if status == 302 else {}
    with serving(answering({})) as service:
        service.faults = {1: as_json({"reason": "private"}, status, **headers)}
        message = rf"/r/carporn/new: expected a public subreddit's posts, got status {shown}\.$"
        with pytest.raises(ValueError, match=message):
            list_all(service)


@pytest.mark.parametrize("answer", [[], {}, {"data": 1}, {"data": {"children": [1]}}, {"data": {"children": [{}]}}])
def test_an_answer_of_another_shape_is_refused(answer):
    with serving(answering({})) as service:
        service.faults = {1: as_json(answer)}
        with pytest.raises(ValueError, match=r"/r/carporn/new: expected a table, got .*\.$"):
            list_all(service)


def test_the_app_and_its_account_are_named_to_reddit():
    with serving(answering({"carporn/new": some(1)})) as service:
        list_all(service, account="shinji")
    assert all("dvc-image-classification" in request.headers["user-agent"] for request in service.requests)
    assert all("(by /u/shinji)" in request.headers["user-agent"] for request in service.requests)


@pytest.mark.parametrize("name", ["REDDIT_CLIENT_ID", "REDDIT_CLIENT_SECRET"])
@pytest.mark.parametrize("value", [None, ""])
def test_missing_credentials_are_named_and_nothing_is_asked(monkeypatch, name, value):
    monkeypatch.setenv(name, "")
    if value is None:
        monkeypatch.delenv(name)
    with serving(answering({})) as service:
        with pytest.raises(ValueError, match=rf"^environment {name}: expected that of an app .*, got none\.$"):
            list_all(service)
        assert service.requests == []


def test_credentials_come_from_nowhere_else(monkeypatch, tmp_path):
    """A praw.ini and PRAW's own variables have no effect, so that no account is used by accident."""
    (tmp_path / "praw.ini").write_text("[DEFAULT]\nusername=gendo\npassword=gendo\nrefresh_token=gendo\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(praw.config.Config, "CONFIG", None)
    monkeypatch.setenv("praw_refresh_token", "gendo")
    with serving(answering({"carporn/new": some(1)})) as service:
        list_all(service)
    assert service.requests[0].form["grant_type"] == "client_credentials"
    assert "gendo" not in str(service.requests)


FAILURES = {
    "wrong secret": {},
    "busy token": dict.fromkeys(range(50), Answer(b"{}", 429, {"Retry-After": "0"})),
    "OAuth error": {0: as_json({"error": "invalid_grant"})},
    "no token": {0: as_json({})},
    "forbidden": {1: as_json({}, 403)},
    "page without JSON": dict.fromkeys(range(1, 50), CUT_JSON),
    "token expired for ever": dict.fromkeys([1, 3, 5, 7], as_json({}, 401)),
}


@pytest.mark.parametrize("name", FAILURES)
def test_no_secret_is_shown_when_something_fails(name, monkeypatch, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    secret = "sentinel-wrong-3b77" if name == "wrong secret" else CLIENT_SECRET
    monkeypatch.setenv("REDDIT_CLIENT_SECRET", secret)
    with serving(answering({"carporn/new": some(1)})) as service:
        service.faults = FAILURES[name]
        with pytest.raises(ValueError, match=r"^(environment REDDIT|http://127).*: expected .*, got .*\.$") as error:
            list_all(service)
    shown = [str(error.value), caplog.text, *capfd.readouterr(), *everything_behind(error.value)]
    assert not any(word in text for text in shown for word in (secret, TOKEN))


def everything_behind(error):
    """Yield everything that a traceback, or a look into the exceptions behind this error, would show."""
    yield "".join(traceback.format_exception(error))
    while error is not None:
        yield repr(error) + repr(vars(error))
        assert not isinstance(error, prawcore.PrawcoreException | requests.RequestException)
        error = error.__cause__ or error.__context__


def test_no_secret_is_shown_when_all_goes_well(caplog, capfd):
    caplog.set_level(logging.DEBUG)
    with serving(answering({"carporn/new": some(150)})) as service:
        listed = list_all(service)
    asked = [(request.path, request.query) for request in service.requests]
    shown = [str(listed), str(asked), caplog.text, *capfd.readouterr()]
    assert "Fetching: GET" in caplog.text
    assert not any(word in text for text in shown for word in (CLIENT_SECRET, TOKEN))


@pytest.mark.parametrize(
    "options",
    [
        {"subreddits": []},
        {"subreddits": ["r/cars"]},
        {"subreddits": ["cars+tanks"]},
        {"listings": []},
        {"listings": ["top"]},
        {"listings": ["top/ever"]},
        {"listings": ["new/all"]},
        {"limit": 0},
        {"account": "a b"},
        {"client_secret": "x"},
        {"oauth_address": "https://name:password@host"},
    ],
)
def test_a_wrong_option_is_refused(options):
    with pytest.raises(ValidationError):
        reddit.Entry(**{"subreddits": ["cars"], **options})
