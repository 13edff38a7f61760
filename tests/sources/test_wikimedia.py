import pytest
from pydantic import ValidationError

from stages.sources import wikimedia
from stages.sources.listed_image import Listed
from stages.web.errors import FetchError
from tests.protocols.asking import make_client
from tests.protocols.service import BROKEN, CUT_JSON, as_json, serving
from tests.protocols.wikimedia import answering, file

pytestmark = pytest.mark.usefixtures("short_waits")


@pytest.fixture
def client():
    return make_client()


def list_all(service, client, queries=("tank",), **options):
    entry = wikimedia.Entry(queries=list(queries), address=service.address, **options)
    return list(wikimedia.listing(entry, "tanks", client))


def numbers(listed):
    return [int(image.source_id) for image in listed]


def described(number, **facts):
    """Make a file with other metadata."""
    changed = file(number)
    changed["imageinfo"][0]["extmetadata"] |= {key: {"value": value} for key, value in facts.items()}
    return changed


def test_a_file_keeps_title_author_licence_and_page(client):
    with serving(answering({"tank": [file(7)]})) as service:
        assert list_all(service, client) == [
            Listed(
                source_id="7",
                class_="tanks",
                title="Tank 7",
                url="https://upload.wikimedia.org/wikipedia/commons/thumb/a/ab/Tank_7.jpg/1280px.jpg",
                page_url="https://commons.wikimedia.org/wiki/File:Tank_7.jpg",
                author="Jürgen M",
                licence="CC BY-SA 4.0",
                licence_url="https://creativecommons.org/cc-by-sa-4.0",
            )
        ]
        assert service.requests[0].query["iiurlwidth"] == "1280"


def test_the_attribution_that_a_page_asks_for_goes_before_its_artist(client):
    with serving(answering({"tank": [described(1, Attribution="<b>Photo:</b> Museum &amp; Co")]})) as service:
        assert [image.author for image in list_all(service, client)] == ["Photo: Museum & Co"]


def test_width_0_takes_the_original(client):
    with serving(answering({"tank": [file(7)]})) as service:
        [image] = list_all(service, client, width=0)
    assert image.url == "https://upload.wikimedia.org/wikipedia/commons/a/ab/Tank_7.jpg"
    assert "iiurlwidth" not in service.requests[0].query


@pytest.mark.parametrize(("found", "answers"), [(0, 1), (50, 1), (51, 2), (130, 3)])
def test_continuation_is_followed_to_the_end(client, found, answers):
    # Descending numbers: the order is the search's, not that of the numbers.
    with serving(answering({"tank": [file(1000 - number) for number in range(found)]})) as service:
        assert numbers(list_all(service, client)) == [1000 - number for number in range(found)]
        assert len(service.requests) == answers


def test_files_that_an_answer_does_not_describe_yet_are_completed_by_the_next(client):
    with serving(answering({"tank": [file(number) for number in range(120)]}, described_at_once=20)) as service:
        listed = list_all(service, client)
    assert numbers(listed) == list(range(120))
    assert all(image.url and image.licence == "CC BY-SA 4.0" for image in listed)


def test_a_limit_is_kept_without_an_answer_too_many(client):
    with serving(answering({"tank": [file(number) for number in range(120)]})) as service:
        assert numbers(list_all(service, client, limit=50)) == list(range(50))
        assert len(service.requests) == 1


@pytest.mark.parametrize(
    ("licences", "expected"),
    [([], [1, 2, 3, 4, 5]), (["cc-by"], [3]), (["cc-by-sa"], [4]), (["cc0", "pd"], [1, 2]), (["cc-by", "cc0"], [1, 3])],
)
def test_a_licence_is_taken_in_any_version_and_no_other(client, licences, expected):
    codes = ["cc0", "pd", "cc-by-2.0-de", "cc-by-sa-4.0", "gfdl"]
    with serving(answering({"tank": [file(number, code) for number, code in enumerate(codes, 1)]})) as service:
        assert numbers(list_all(service, client, licences=licences)) == expected


def test_a_file_of_unknown_licence_passes_no_filter(client):
    unknown = file(1)
    del unknown["imageinfo"][0]["extmetadata"]
    with serving(answering({"tank": [unknown]})) as service:
        assert numbers(list_all(service, client)) == [1]
        assert list_all(service, client, licences=["cc0"]) == []


def test_the_limit_counts_what_passes_the_filter(client):
    files = [file(number, "cc0" if number % 10 == 0 else "gfdl") for number in range(100)]
    with serving(answering({"tank": files})) as service:
        assert numbers(list_all(service, client, licences=["cc0"], limit=7)) == [0, 10, 20, 30, 40, 50, 60]


def test_a_file_without_an_address_or_that_is_no_image_is_listed_to_be_counted(client):
    nothing, film = file(1), file(2)
    del nothing["imageinfo"]
    film["imageinfo"][0]["mime"] = "video/webm"
    with serving(answering({"tank": [nothing, film, file(3)]})) as service:
        assert [bool(image.url) for image in list_all(service, client)] == [False, False, True]


def test_queries_are_united_in_their_order(client):
    with serving(answering({"a": [file(3), file(1)], "b": [file(1), file(2)]})) as service:
        assert numbers(list_all(service, client, queries=["a", "b"])) == [3, 1, 2]


def test_a_repeated_cursor_ends_the_listing(client):
    def answer(request):
        start = int(request.query.get("gsroffset", 0))
        return as_json(
            {
                "batchcomplete": True,
                "continue": {"gsroffset": 50 if start == 100 else start + 50, "continue": "g||"},
                "query": {"pages": [file(start)]},
            }
        )

    with serving(answer) as service:
        assert numbers(list_all(service, client)) == [0, 50, 100]
        assert len(service.requests) == 3


def test_an_empty_answer_in_mid_listing_ends_nothing(client):
    with serving(answering({"tank": [file(number) for number in range(150)]})) as service:
        service.faults = {1: as_json({"batchcomplete": True, "continue": {"gsroffset": 100, "continue": "g||"}})}
        assert numbers(list_all(service, client)) == [*range(50), *range(100, 150)]


def test_a_busy_service_is_asked_again(client):
    with serving(answering({"tank": [file(number) for number in range(70)]})) as service:
        service.faults = {1: BROKEN}
        assert numbers(list_all(service, client)) == list(range(70))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (as_json({"error": {"code": "internal_api_error"}}), r"/w/api\.php: expected files, got {'code': 'internal_"),
        (as_json({"query": {"pages": [{"title": "x"}]}}), r"/w/api\.php: expected records with pageid, got None\.$"),
        (as_json([]), r"/w/api\.php: expected a table, got \[\]\.$"),
    ],
)
def test_an_error_in_an_answer_is_shown(client, answer, message):
    with serving(answering({})) as service:
        service.faults = {0: answer}
        with pytest.raises(ValueError, match=message):
            list_all(service, client)


def test_what_is_no_json_is_refused(client):
    with serving(answering({})) as service:
        service.faults = {0: CUT_JSON}
        with pytest.raises(FetchError, match="no JSON"):
            list_all(service, client)


@pytest.mark.parametrize("options", [{"queries": []}, {"licences": ["gfdl"]}, {"width": 1000}, {"limit": 0}])
def test_a_wrong_option_is_refused(options):
    with pytest.raises(ValidationError):
        wikimedia.Entry(**{"queries": ["tank"], **options})
