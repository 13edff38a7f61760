import pytest
from pydantic import ValidationError

from stages.sources import openverse
from stages.sources.listed_image import Listed
from stages.web.errors import FetchError
from tests.protocols.asking import make_client
from tests.protocols.openverse import answering, image
from tests.protocols.service import BROKEN, CUT_JSON, as_json, serving

pytestmark = pytest.mark.usefixtures("short_waits")
SECRET = "sentinel-secret-52d0"


@pytest.fixture
def client():
    return make_client()


def list_all(service, client, **options):
    entry = openverse.Entry(queries=options.pop("queries", ["tank"]), address=service.address, **options)
    return list(openverse.listing(entry, "tanks", client))


def numbers(listed):
    return [int(image.source_id[-12:]) for image in listed]


def test_an_image_keeps_title_creator_licence_and_page(client):
    with serving(answering({"tank": [image(7)]})) as service:
        assert list_all(service, client) == [
            Listed(
                source_id="00000000-0000-4000-8000-000000000007",
                class_="tanks",
                title="Tank 7",
                url="https://live.staticflickr.com/7.jpg",
                page_url="https://www.flickr.com/photos/x/7",
                author="Jane Doe",
                licence="by-sa 2.0",
                licence_url="https://creativecommons.org/licenses/by-sa/2.0/",
            )
        ]


def test_what_openverse_does_not_know_stays_empty(client):
    unknown = image(1, title=None, creator=None, license="pdm", license_version=None, license_url=None)
    with serving(answering({"tank": [unknown]})) as service:
        [listed] = list_all(service, client)
    assert (listed.title, listed.author, listed.licence, listed.licence_url) == ("", "", "pdm", "")


@pytest.mark.parametrize(("found", "pages"), [(0, 1), (1, 1), (20, 1), (21, 2), (240, 12), (500, 12)])
def test_all_pages_that_the_service_gives_are_read_and_no_more(client, found, pages):
    with serving(answering({"tank": [image(number) for number in range(found)]})) as service:
        assert numbers(list_all(service, client)) == list(range(min(found, 240)))
        assert [request.query["page"] for request in service.requests] == [str(page + 1) for page in range(pages)]
        assert {request.query["page_size"] for request in service.requests} == {"20"}


@pytest.mark.parametrize(("limit", "pages"), [(1, 1), (20, 1), (21, 2), (40, 2)])
def test_a_limit_asks_for_no_page_too_many(client, limit, pages):
    with serving(answering({"tank": [image(number) for number in range(100)]})) as service:
        assert numbers(list_all(service, client, limit=limit)) == list(range(limit))
        assert len(service.requests) == pages


def test_an_image_of_several_queries_is_listed_once_and_the_order_is_that_of_the_queries(client):
    found = {"tank": [image(3), image(1)], "panzer": [image(1), image(2), image(3)]}
    with serving(answering(found)) as service:
        assert numbers(list_all(service, client, queries=["tank", "panzer"])) == [3, 1, 2]
        assert numbers(list_all(service, client, queries=["panzer", "tank"])) == [1, 2, 3]


def test_licences_and_categories_filter(client):
    found = [image(1), image(2, license="cc0"), image(3, license="by-nc"), image(4, category="illustration")]
    with serving(answering({"tank": found})) as service:
        assert numbers(list_all(service, client, licences=["cc0", "by-sa"])) == [1, 2, 4]
        assert numbers(list_all(service, client, categories=["photograph"])) == [1, 2, 3]
        assert "license" not in service.requests[1].query


def test_an_image_without_an_address_is_listed_to_be_counted(client):
    with serving(answering({"tank": [image(1, url=None), image(2)]})) as service:
        assert [listed.url for listed in list_all(service, client)] == ["", "https://live.staticflickr.com/2.jpg"]


def test_an_empty_page_in_mid_listing_ends_nothing(client):
    with serving(answering({"tank": [image(number) for number in range(60)]})) as service:
        service.faults = {1: as_json({"result_count": 60, "page_count": 3, "page": 2, "results": []})}
        assert numbers(list_all(service, client)) == [*range(20), *range(40, 60)]


def test_a_busy_service_is_asked_again(client):
    with serving(answering({"tank": [image(number) for number in range(30)]})) as service:
        service.faults = {1: BROKEN}
        assert numbers(list_all(service, client)) == list(range(30))


def test_what_is_no_json_is_refused_with_the_address(client):
    with serving(answering({"tank": [image(1)]})) as service:
        service.faults = dict.fromkeys(range(20), CUT_JSON)
        with pytest.raises(FetchError, match=r"^http://127\.0\.0\.1:\d+/v1/images/: expected "):
            list_all(service, client)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([], r"/v1/images/: expected a table, got \[\]\.$"),
        ({"results": [1], "page_count": 1}, r"/v1/images/: expected a table, got 1\.$"),
        ({"results": "x" * 200, "page_count": 1}, r"expected a list of records, got 'x{96}\.\.\.\.$"),
        ({"results": []}, r"/v1/images/: expected a number page_count, got None\.$"),
        ({"results": [{"id": None}], "page_count": 1}, r": expected records with id, got None\.$"),
    ],
)
def test_an_answer_of_another_shape_is_refused(client, answer, message):
    with serving(lambda request: as_json(answer)) as service, pytest.raises(ValueError, match=message):
        list_all(service, client)


def test_the_token_is_sent_in_a_header_and_shown_nowhere(client, monkeypatch, caplog, capfd):
    monkeypatch.setenv("OPENVERSE_TOKEN", SECRET)
    caplog.set_level(0)
    with serving(answering({"tank": [image(1)]})) as service:
        listed = list_all(service, client)
        assert service.requests[0].headers["authorization"] == f"Bearer {SECRET}"
        assert SECRET not in str(service.requests[0].query)
        service.faults = dict.fromkeys(range(1, 20), as_json({"detail": "Authentication failed"}, 401))
        with pytest.raises(FetchError) as error:
            list_all(service, client)
    shown = [str(listed), str(error.value), repr(vars(error.value)), caplog.text, *capfd.readouterr()]
    assert not any(SECRET in text for text in shown)


@pytest.mark.parametrize(
    "options",
    [{"queries": []}, {"licences": ["by-xx"]}, {"limit": 0}, {"address": "api.openverse.org"}, {"colour": "red"}],
)
def test_a_wrong_option_is_refused(options):
    with pytest.raises(ValidationError):
        openverse.Entry(**{"queries": ["tank"], **options})


@pytest.mark.parametrize("address", ["ftp://host", "https://", "https://name:key@host", "https://host?key=1", ""])
def test_what_is_no_address_of_a_service_is_refused(address):
    with pytest.raises(ValidationError, match="expected an address such as https://host, got"):
        openverse.Entry(queries=["tank"], address=address)
