"""Safebooru and Danbooru: two protocols, and one way to list a class with a tag and a class without it."""

import base64
import itertools
from dataclasses import replace

import pytest
from pydantic import ValidationError

from stages.sources import boorus, danbooru, safebooru
from stages.sources.listed_image import Listed
from stages.web.errors import FetchError
from tests.protocols import boorus as boards
from tests.protocols.asking import make_client
from tests.protocols.boorus import Post
from tests.protocols.service import BROKEN, CUT_JSON, NOTHING, as_json, serving

pytestmark = pytest.mark.usefixtures("short_waits")
BOARDS = {"safebooru": (safebooru, boards.gelbooru), "danbooru": (danbooru, boards.danbooru)}
SECRET = "sentinel-secret-e81d"


@pytest.fixture
def client():
    return make_client()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(boorus, "PAUSE_S", 0.01)


@pytest.fixture(params=BOARDS)
def board(request):
    return BOARDS[request.param]


def make_posts(count, every=7, start=1):
    """Make posts, one in seven of asuka, with gaps between their numbers."""
    return [
        Post(start + 3 * number, ("asuka", "solo") if number % every == 0 else ("rei", "solo"))
        for number in range(count)
    ]


def list_all(module, service, client, tag="asuka", class_="asuka", **options):
    return list(module.listing(module.Entry(tag=tag, address=service.address, **options), class_, client))


def numbers(listed, class_="asuka"):
    return [int(image.source_id) for image in listed if image.class_ == class_]


def of_asuka(posts):
    return sorted((post.number for post in posts if "asuka" in post.tags), reverse=True)


def test_a_safebooru_post_keeps_its_page():
    post = Post(4321, ("asuka",), file="x")
    with serving(boards.gelbooru([post])) as service:
        assert list_all(safebooru, service, make_client()) == [
            Listed(
                source_id="4321",
                class_="asuka",
                url=f"{service.address}/images/4/{post.md5}.jpg",
                page_url=f"{service.address}/index.php?page=post&s=view&id=4321",
            )
        ]


def test_a_danbooru_post_keeps_its_page_and_artist():
    post = Post(4321, ("asuka",), file="x")
    with serving(boards.danbooru([post])) as service:
        assert list_all(danbooru, service, make_client()) == [
            Listed(
                source_id="4321",
                class_="asuka",
                url=f"https://cdn.donmai.us/original/{post.md5}.jpg",
                page_url=f"{service.address}/posts/4321",
                author="sadamoto_yoshiyuki",
            )
        ]


def test_the_table_of_newer_gelboorus_and_their_addresses_are_read(client):
    with serving(boards.gelbooru(make_posts(300), in_table=True)) as service:
        assert numbers(list_all(safebooru, service, client)) == of_asuka(make_posts(300))
    described = boards.as_gelbooru(Post(1, ("asuka",))) | {"file_url": "https://img3.gelbooru.com/1.png", "hash": None}
    with serving(lambda request: as_json([described])) as service:
        [image] = list_all(safebooru, service, client)
    assert image.url == "https://img3.gelbooru.com/1.png"


def test_all_posts_with_the_tag_are_listed_newest_first_by_their_numbers(board, client):
    module, protocol = board
    posts = make_posts(1500)
    with serving(protocol(posts)) as service:
        listed = list_all(module, service, client)
        assert numbers(listed) == of_asuka(posts)
        assert len(listed) == len({image.source_id for image in listed}) == 215
        # Never a page by its count, which boards refuse when it is deep, and which moves with each new post.
        pages = {request.query.get("pid") or request.query["page"][0] for request in service.requests[1:]}
        assert pages == ({"0"} if module is safebooru else {"b"})


def test_pages_that_are_shorter_than_asked_for_end_nothing(board, client):
    module, protocol = board
    with serving(protocol(make_posts(300), at_most=10)) as service:
        assert numbers(list_all(module, service, client)) == of_asuka(make_posts(300))


def test_a_limit_takes_the_newest(board, client):
    module, protocol = board
    with serving(protocol(make_posts(1500))) as service:
        assert numbers(list_all(module, service, client, limit=30)) == of_asuka(make_posts(1500))[:30]
        assert len(service.requests) == 1


def test_new_posts_while_listing_change_nothing(board, client):
    module, protocol = board
    posts = make_posts(1500)
    answer = protocol(posts)

    def growing(request):
        answered = answer(request)
        posts.append(Post(10_000 + len(posts), ("asuka",)))
        return answered

    with serving(growing) as service:
        assert numbers(list_all(module, service, client)) == of_asuka(make_posts(1500))


@pytest.mark.parametrize(
    "blank", [NOTHING, as_json([]), as_json(None), as_json({})], ids=["nothing", "[]", "null", "{}"]
)
def test_a_blank_page_in_mid_listing_is_asked_for_again(client, blank):
    with serving(boards.gelbooru(make_posts(1500))) as service:
        service.faults = {1: blank, 2: blank}
        assert numbers(list_all(safebooru, service, client)) == of_asuka(make_posts(1500))


def test_a_blank_page_of_danbooru_is_asked_for_again(client):
    with serving(boards.danbooru(make_posts(1500))) as service:
        service.faults = {1: as_json([]), 2: as_json([])}
        assert numbers(list_all(danbooru, service, client)) == of_asuka(make_posts(1500))


def test_only_several_blank_pages_in_a_row_are_the_end(board, client):
    module, protocol = board
    with serving(protocol(make_posts(1500))) as service:
        service.faults = dict.fromkeys(range(1, 1 + boorus.BLANK_PAGES), as_json([]))
        listed = list_all(module, service, client)
        assert numbers(listed) == of_asuka(make_posts(1500))[: len(listed)]
        assert len(listed) == module.PAGE_SIZE
        assert len(service.requests) == 1 + boorus.BLANK_PAGES


def test_a_board_that_gives_the_same_page_for_ever_is_left(board, client):
    module, protocol = board
    answer = protocol(make_posts(1500))
    first = []

    def stuck(request):
        first.append(answer(request))
        return first[0]

    with serving(stuck) as service:
        assert len(list_all(module, service, client)) == module.PAGE_SIZE
        assert len(service.requests) == 1 + boorus.BLANK_PAGES


def test_the_class_without_the_tag_is_as_large_and_between_the_same_posts(board, client):
    module, protocol = board
    posts = make_posts(1500)
    with serving(protocol(posts)) as service:
        listed = list_all(module, service, client, limit=200, negatives=True)
    asuka, others = numbers(listed), numbers(listed, "not_asuka")
    assert asuka == of_asuka(posts)[:200]
    assert len(others) == len(set(others)) == 200
    assert min(asuka) < min(others)
    assert max(others) < max(asuka)
    assert not set(others) & set(of_asuka(posts))
    # Spread like the posts with the tag: as many in each tenth of them.
    edges = [*asuka[::20], asuka[-1]]
    shares = [sum(low < number < high for number in others) for high, low in itertools.pairwise(edges)]
    assert shares == [20] * 10


def test_the_class_without_the_tag_needs_no_more_than_one_request_for_ten_posts(board, client):
    module, protocol = board
    with serving(protocol(make_posts(1500))) as service:
        list_all(module, service, client, limit=200, negatives=True)
        assert len(service.requests) <= 200 / boorus.GROUP + 2


def test_what_one_range_lacks_the_next_makes_up(client):
    # Thirty posts of asuka without any between them, then thirty with twenty each.
    dense = [Post(10_000 + number, ("asuka",)) for number in range(30)]
    loose = make_posts(30 * 21, every=21)
    with serving(boards.gelbooru(dense + loose)) as service:
        listed = list_all(safebooru, service, client, negatives=True)
    assert (len(numbers(listed)), len(numbers(listed, "not_asuka"))) == (60, 60)


def test_where_the_range_holds_too_few_there_are_fewer(board, client):
    module, protocol = board
    posts = [Post(1, ("rei",)), *(Post(10 + number, ("asuka",)) for number in range(20)), Post(99, ("rei",))]
    with serving(protocol(posts)) as service:
        assert numbers(list_all(module, service, client, negatives=True), "not_asuka") == []


def test_a_file_is_never_in_both_classes(board, client):
    """The hash shows that a post without the tag has the same file as a post with the tag."""
    module, protocol = board
    posts = make_posts(141)
    # Just below the newest post with the tag, so that it is the first to be drawn; and its twin, another file.
    double, other = (Post(posts[140].number - 1, ("rei",), file=file) for file in (str(posts[14].number), "other"))
    assert double.md5 == posts[14].md5
    with serving(protocol([*posts, other])) as service:
        assert numbers(list_all(module, service, client, negatives=True), "not_asuka")[0] == other.number
    with serving(protocol([*posts, double])) as service:
        listed = list_all(module, service, client, negatives=True)
    assert posts[14].number in numbers(listed)
    assert double.number not in numbers(listed, "not_asuka")
    hashes = {post.number: post.md5 for post in [*posts, double]}
    both = [{hashes[number] for number in numbers(listed, class_)} for class_ in ("asuka", "not_asuka")]
    assert both[0]
    assert both[1]
    assert not both[0] & both[1]


def test_a_board_that_ignores_the_minus_still_gives_no_post_to_both(board, client):
    module, protocol = board
    # Without hashes, so that only their numbers tell them apart.
    posts = [replace(post, is_hidden=True) for post in make_posts(700)]
    answer = protocol(posts)

    def ignoring(request):
        words = [word for word in request.query["tags"].split() if word != "-asuka"]
        return answer(type(request)(**{**vars(request), "query": {**request.query, "tags": " ".join(words)}}))

    with serving(ignoring) as service:
        listed = list_all(module, service, client, limit=50, negatives=True)
    assert len(numbers(listed, "not_asuka")) == 50
    assert not set(numbers(listed, "not_asuka")) & set(of_asuka(posts))


def test_further_tags_hold_for_both_classes(board, client):
    module, protocol = board
    posts = [
        Post(number, ("asuka" if number % 4 == 0 else "rei", "solo" if number % 8 < 6 else "group"))
        for number in range(1, 800)
    ]
    with serving(protocol(posts)) as service:
        listed = list_all(module, service, client, also=["solo"], negatives=True, limit=20)
        tags = {request.query["tags"].split(" id:<")[0] for request in service.requests}
    solo = {post.number for post in posts if "solo" in post.tags}
    assert tags == {"asuka solo", "-asuka solo"}
    assert {*numbers(listed), *numbers(listed, "not_asuka")} <= solo
    assert len(listed) == 40


@pytest.mark.parametrize(
    ("module", "protocol", "ratings", "expected"),
    [
        (safebooru, boards.gelbooru, None, [1, 2]),
        (safebooru, boards.gelbooru, ["explicit", "questionable"], [3, 4]),
        (danbooru, boards.danbooru, None, [1]),
        (danbooru, boards.danbooru, ["general", "sensitive"], [1, 2]),
    ],
)
def test_only_the_wanted_ratings_are_listed(client, module, protocol, ratings, expected):
    kinds = ["general", "safe" if module is safebooru else "sensitive", "questionable", "explicit"]
    posts = [Post(number, ("asuka",), rating) for number, rating in enumerate(kinds, 1)]
    options = {} if ratings is None else {"ratings": ratings}
    with serving(protocol(posts)) as service:
        assert sorted(numbers(list_all(module, service, client, **options))) == expected


def test_the_class_without_the_tag_has_the_same_ratings(board, client):
    module, protocol = board
    posts = [
        Post(number, ("asuka",) if number % 10 == 0 else ("rei",), "general" if number % 5 in (0, 1) else "explicit")
        for number in range(1, 500)
    ]
    general = {post.number for post in posts if post.rating == "general"}
    with serving(protocol(posts)) as service:
        others = numbers(list_all(module, service, client, negatives=True), "not_asuka")
    assert len(others) == 49
    assert set(others) <= general


def test_posts_that_are_films_or_hidden_are_listed_to_be_counted(client):
    posts = [Post(1, ("asuka",), ending="mp4"), Post(2, ("asuka",), is_hidden=True), Post(3, ("asuka",))]
    with serving(boards.danbooru(posts)) as service:
        assert [bool(image.url) for image in list_all(danbooru, service, client)] == [True, False, False]
    with serving(lambda request: as_json([boards.as_gelbooru(posts[0]) | {"image": None}])) as service:
        assert [image.url for image in list_all(safebooru, service, client)] == [""]


def test_a_hidden_post_with_the_tag_keeps_no_hidden_post_out_of_the_other_class(client):
    posts = [Post(number, ("asuka",) if number % 2 else ("rei",), is_hidden=number > 2) for number in range(1, 8)]
    with serving(boards.danbooru(posts)) as service:
        listed = list_all(danbooru, service, client, negatives=True)
    assert (numbers(listed), numbers(listed, "not_asuka")) == ([7, 5, 3, 1], [6, 4, 2])


def test_a_busy_board_is_asked_again(board, client):
    module, protocol = board
    with serving(protocol(make_posts(1500))) as service:
        service.faults = {1: BROKEN}
        assert numbers(list_all(module, service, client)) == of_asuka(make_posts(1500))


def test_half_an_answer_is_no_blank_page(board, client):
    module, protocol = board
    with serving(protocol(make_posts(1500))) as service:
        service.faults = {1: CUT_JSON}
        with pytest.raises(FetchError, match="no JSON"):
            list_all(module, service, client)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"success": "false", "message": "search down"}, r": expected posts, got {'success': 'false', .*search down"),
        ("Too deep!", r": expected a list of records, got 'Too deep!'\.$"),
        ([{"md5": "x"}], r": expected a number id, got None\.$"),
        ([1], r": expected a table, got 1\.$"),
    ],
)
def test_an_answer_of_another_shape_is_refused(board, client, answer, message):
    with serving(lambda request: as_json(answer)) as service, pytest.raises(ValueError, match=message):
        list_all(board[0], service, client)


def test_three_tags_without_an_account_are_refused_with_danboorus_status(client):
    with serving(boards.danbooru(make_posts(10))) as service, pytest.raises(FetchError, match="HTTP 422"):
        list_all(danbooru, service, client, also=["solo", "smile"])


def test_danboorus_key_is_sent_in_a_header_and_shown_nowhere(client, monkeypatch, caplog, capfd):
    monkeypatch.setenv("DANBOORU_LOGIN", "shinji")
    monkeypatch.setenv("DANBOORU_API_KEY", SECRET)
    caplog.set_level(0)
    account = "Basic " + base64.b64encode(f"shinji:{SECRET}".encode()).decode()
    posts = [Post(1, ("asuka", "solo", "smile"))]
    with serving(boards.danbooru(posts, account)) as service:
        listed = list_all(danbooru, service, client, also=["solo", "smile"])
        assert numbers(listed) == [1]
        service.faults = dict.fromkeys(range(99), as_json({"success": False}, 401))
        with pytest.raises(FetchError) as error:
            list_all(danbooru, service, client)
    assert all(request.headers["authorization"] == account for request in service.requests)
    asked = str([request.query for request in service.requests])
    shown = [str(listed), asked, str(error.value), repr(vars(error.value)), caplog.text, *capfd.readouterr()]
    assert not any(secret in text for text in shown for secret in (SECRET, account))


@pytest.mark.parametrize("names", [[], ["DANBOORU_LOGIN"], ["DANBOORU_API_KEY"]])
def test_half_an_account_is_none(client, monkeypatch, names):
    for name in ("DANBOORU_LOGIN", "DANBOORU_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in names:
        monkeypatch.setenv(name, SECRET)
    with serving(boards.danbooru([])) as service:
        assert list_all(danbooru, service, client) == []
    assert all("authorization" not in request.headers for request in service.requests)


@pytest.mark.parametrize(
    "tag", ["", "-", "-asuka", "~asuka", "two tags", "id:<5", "order:score", "sort:id", "rating:g"]
)
def test_what_is_not_one_tag_is_refused(board, tag):
    with pytest.raises(ValidationError, match=r"expected (one tag|a tag without a sign)"):
        board[0].Entry(tag=tag)


@pytest.mark.parametrize("tag", [":d", "re:zero", "souryuu_asuka_langley", "long-hair", "1girl"])
def test_a_tag_may_hold_signs(board, tag):
    assert board[0].Entry(tag=tag).tag == tag


def test_further_tags_may_have_a_minus_and_order_nothing(board):
    assert board[0].Entry(tag="asuka", also=["-comic"]).also == ["-comic"]
    with pytest.raises(ValidationError, match="expected one tag that neither orders"):
        board[0].Entry(tag="asuka", also=["-order:score"])


def test_the_pause_before_a_blank_page_grows(monkeypatch):
    pauses = []
    monkeypatch.setattr(boorus.time, "sleep", pauses.append)
    monkeypatch.setattr(boorus, "PAUSE_S", 1.0)
    assert list(boorus.newest_first(lambda tags, below: [], ["asuka"])) == []
    assert pauses == [1.0, 2.0]
