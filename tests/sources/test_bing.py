import pytest
from pydantic import ValidationError

from stages.sources import bing
from stages.sources.listed_image import Listed
from stages.web.errors import FetchError
from tests.protocols.asking import make_client
from tests.protocols.bing import KEY, answering, image
from tests.protocols.service import BROKEN, as_json, serving

pytestmark = pytest.mark.usefixtures("short_waits")


@pytest.fixture
def client(monkeypatch):
    monkeypatch.setenv("BING_SEARCH_KEY", KEY)
    return make_client()


def list_all(service, client, queries=("war movie scenes",), **options):
    entry = bing.Entry(queries=list(queries), address=f"{service.address}/v7.0", **options)
    return list(bing.listing(entry, "action", client))


def numbers(listed):
    return [int(image.source_id, 16) for image in listed]


def some(count):
    return {"war movie scenes": [image(number) for number in range(count)]}


def test_a_result_keeps_its_name_and_page_and_has_no_licence(client):
    with serving(answering(some(1))) as service:
        assert list_all(service, client, licence="Public") == [
            Listed(
                source_id="0" * 40,
                class_="action",
                title="Fighting movie scene 0",
                url="https://films.example/0.jpg",
                page_url="https://films.example/0.html",
            )
        ]
        assert service.requests[0].query["license"] == "Public"
        assert service.requests[0].query["safeSearch"] == "Strict"


@pytest.mark.parametrize("count", [0, 1, 149, 150, 151, 400])
def test_all_results_are_listed_once_although_the_end_repeats_itself(client, count):
    with serving(answering(some(count))) as service:
        assert numbers(list_all(service, client)) == list(range(count))
        assert len(service.requests) <= count // 150 + 1 + bing.BARREN_PAGES


@pytest.mark.parametrize(("limit", "counts"), [(1, ["1"]), (150, ["150"]), (200, ["150", "50"])])
def test_a_limit_asks_for_no_more_than_it_needs(client, limit, counts):
    with serving(answering(some(400))) as service:
        assert numbers(list_all(service, client, limit=limit)) == list(range(limit))
        assert [request.query["count"] for request in service.requests] == counts


def test_queries_are_united_in_their_order(client):
    found = {"a": [image(3), image(1)], "b": [image(1), image(2)]}
    with serving(answering(found)) as service:
        assert numbers(list_all(service, client, queries=["a", "b"])) == [3, 1, 2]


@pytest.mark.parametrize("offset", [0, 150, None, "x"], ids=["back", "the same", "none", "no number"])
def test_an_offset_that_is_not_further_ends_the_listing(client, offset):
    with serving(answering(some(400))) as service:
        service.faults = {1: as_json({"value": [image(150)], "nextOffset": offset})}
        assert numbers(list_all(service, client)) == list(range(151))
        assert len(service.requests) == 2


def test_an_empty_page_in_mid_listing_ends_nothing(client):
    with serving(answering(some(400))) as service:
        service.faults = {1: as_json({"value": [], "nextOffset": 300})}
        # Past the end comes the last page again: with it all that the empty page left out.
        assert sorted(numbers(list_all(service, client))) == [*range(150), *range(250, 400)]


def test_empty_pages_without_end_end_the_listing(client):
    def answer(request):
        return as_json({"value": [], "nextOffset": int(request.query["offset"]) + 1})

    with serving(answer) as service:
        assert list_all(service, client) == []
        assert len(service.requests) == bing.BARREN_PAGES


def test_results_without_id_or_address_are_listed_to_be_counted(client):
    found = [image(1, imageId=None), image(2, imageId=None, contentUrl=None), image(3, imageId=None, contentUrl=None)]
    with serving(answering({"war movie scenes": found})) as service:
        listed = list_all(service, client, limit=3)
    assert [(each.source_id, each.url) for each in listed] == [
        ("https://films.example/1.jpg", "https://films.example/1.jpg"),
        ("war movie scenes 1", ""),
        ("war movie scenes 2", ""),
    ]


def test_a_busy_endpoint_is_asked_again(client):
    with serving(answering(some(200))) as service:
        service.faults = {1: BROKEN}
        assert numbers(list_all(service, client)) == list(range(200))


@pytest.mark.parametrize("address", ["", "bing"])
def test_without_an_address_the_error_says_what_became_of_microsofts_own(address):
    with pytest.raises(ValidationError, match=rf"Microsoft's own ended on 2025-08-11, got '{address}'\."):
        bing.Entry(queries=["x"], address=address)
    with pytest.raises(ValidationError, match="Microsoft's own ended on 2025-08-11"):
        bing.Entry(queries=["x"])


@pytest.mark.parametrize("address", ["https://me:key@host", "https://host/v7.0?key=1", "https://"])
def test_an_address_with_a_key_inside_is_refused(address):
    with pytest.raises(ValidationError, match="expected an address such as https://host, got"):
        bing.Entry(queries=["x"], address=address)


def test_a_wrong_key_is_refused_and_shown_nowhere(client, monkeypatch, caplog, capfd):
    monkeypatch.setenv("BING_SEARCH_KEY", "sentinel-secret-9c1e")
    caplog.set_level(0)
    with serving(answering(some(1))) as service, pytest.raises(FetchError, match="HTTP 401") as error:
        list_all(service, client)
    assert service.requests[0].headers["ocp-apim-subscription-key"] == "sentinel-secret-9c1e"
    shown = [
        str(service.requests[0].query),
        str(error.value),
        repr(vars(error.value)),
        caplog.text,
        *capfd.readouterr(),
    ]
    assert not any("sentinel-secret-9c1e" in text for text in shown)


def test_without_a_key_none_is_sent(client, monkeypatch):
    monkeypatch.delenv("BING_SEARCH_KEY")
    with serving(lambda request: as_json({"value": []})) as service:
        assert list_all(service, client) == []
    assert "ocp-apim-subscription-key" not in service.requests[0].headers
