"""Servers that send back the keys that they were sent, in every place of an answer."""

import base64
from urllib.parse import quote

import pytest

from stages.manifest import kaggle
from stages.manifest.listing import relist
from stages.sources import reddit_requests
from stages.web import secrets
from tests.protocols import openverse, reddit
from tests.protocols.asking import SETTINGS
from tests.protocols.service import Answer, as_json, serving
from tests.sources.test_listings import settings_of

pytestmark = pytest.mark.usefixtures("short_waits")
KEYS = {
    "REDDIT_CLIENT_ID": "xW3kPq81Lf7d", "REDDIT_CLIENT_SECRET": "vT6mRz40Ys2c", "BING_SEARCH_KEY": "nB9cLd27hJx5",
    "OPENVERSE_TOKEN": "gS2yFu68Ow4e", "DANBOORU_LOGIN": "shinji", "DANBOORU_API_KEY": "pQ5rWe93kMv8",
    "KAGGLE_USERNAME": "shinji", "KAGGLE_KEY": "jD4tXn76bGq1",
}  # fmt: skip
ENTRIES = {
    "bing": {"queries": ["cat"]}, "danbooru": {"tag": "cat"}, "openverse": {"queries": ["cat"]},
    "reddit": {"subreddits": ["cats"], "listings": ["new"]},
}  # fmt: skip
TOKEN = "tokenOfTheTests77"
PART = 6  # characters of a key that may not be seen in a row


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    monkeypatch.setattr(secrets, "_names", {})
    monkeypatch.setattr(reddit_requests, "BACK_OFF_S", 0.001)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


def escaped(text):
    return "".join(f"\\u{ord(letter):04x}" for letter in text)


def rows(text):
    """The answer of each service to a search, with the text in all that a row takes from it."""
    at = f"https://images.example/{quote(text)}.jpg"
    found = openverse.image(1, title=text, creator=text, url=at, foreign_landing_url=f"https://a.example/?key={text}")
    post = reddit.post(1, title=text, author=text, url=at)
    return as_json({
        "page_count": 1, "results": [found],
        "value": [{"imageId": text, "name": text, "contentUrl": at, "hostPageUrl": at}],
        "kind": "Listing", "data": {"children": [{"kind": "t3", "data": post}], "after": None},
        "access_token": TOKEN, "token_type": "bearer", "expires_in": 3600, "scope": "*",
    })  # fmt: skip


def posts(text):
    post = {"id": 1, "md5": text, "rating": "g", "file_url": f"https://a.example/{text}.png", "tag_string_artist": text}
    return as_json([post])


ECHOES = {
    "no JSON": lambda text: Answer(f"<p>{text}</p>".encode()),
    "no JSON, late": lambda text: Answer(b"<p>" + b"x" * 50 + text.encode()),
    "another shape": lambda text: as_json([text]),
    "other values": lambda text: as_json(dict.fromkeys(("results", "value", "data", "page_count"), text)),
    "no success": lambda text: as_json({"success": False, "message": text}),
    "escaped": lambda text: Answer(f'{{"results": "{escaped(text)}", "value": "{escaped(text)}"}}'.encode()),
    "refused": lambda text: as_json({"error": text, "message": text}, 403),
    "an OAuth error": lambda text: as_json({"error": text}, 200),
    "a redirect": lambda text: Answer(b"", 302, {"Location": f"/{quote(text)}"}),
    "a redirect to no address": lambda text: Answer(b"", 302, {"Location": f"ftp://{'x' * 80}{text}"}),
    "packed": lambda text: Answer(b"", 200, {"Content-Encoding": f"{'x' * 40}{text}"}),
    "rows": rows,
    "posts": posts,
}


def echoing(kind):
    """Make the function that answers with all that came in the headers that hold keys; redirects lead nowhere."""

    def answer(request):
        sent = [request.headers.get(name, "") for name in ("authorization", "ocp-apim-subscription-key")]
        text = " ".join(word for value in sent for word in value.split() if word.lower() not in ("basic", "bearer"))
        if not text:
            return Answer(b"gone", 404)
        if request.path == "/api/v1/access_token" and kind not in ("an OAuth error", "no JSON"):
            return rows(text)
        return ECHOES[kind](text + KEYS["REDDIT_CLIENT_SECRET"] if "access_token" in request.path else text)

    return answer


ACCOUNTS = [base64.b64encode(text.encode()).decode() for text in (
    f"shinji:{KEYS['DANBOORU_API_KEY']}", f"shinji:{KEYS['KAGGLE_KEY']}",
    f"{KEYS['REDDIT_CLIENT_ID']}:{KEYS['REDDIT_CLIENT_SECRET']}",
)]  # fmt: skip
OPEN = "c2hpbmpp"  # how an account begins: the name, which is no secret


def given_away(texts):
    """The parts of keys, accounts and the token that stand in one of the texts, in capitals or not."""
    values = [*(value for value in KEYS.values() if value != "shinji"), *ACCOUNTS, TOKEN]
    parts = {value[start : start + PART].lower() for value in values for start in range(len(value) - PART + 1)}
    everything = "".join(texts).lower()
    return sorted(part for part in parts if part in everything and part not in OPEN.lower())


@pytest.mark.parametrize("kind", ECHOES)
def test_a_key_that_is_sent_back_reaches_no_row_and_no_message(kind, tmp_path, capfd):
    shown = []
    for source, entry in ENTRIES.items():
        path = tmp_path / source / "manifest.csv"
        path.parent.mkdir()
        with serving(echoing(kind)) as service:
            item = {"source": source, **entry, "address": service.address}
            item |= {"oauth_address": service.address} if source == "reddit" else {}
            try:
                shown.append(relist(settings_of({"cat": [item]}), path))
            except ValueError as error:
                shown.append(str(error))
            assert given_away(str(request.headers) for request in service.requests)
        shown += [file.read_text() for file in path.parent.iterdir()]
    assert kind != "rows" or "[token of Reddit]" in "".join(shown)
    assert given_away([*shown, *capfd.readouterr()]) == []


def test_kaggle_may_send_its_key_back_anywhere(tmp_path):
    for kind in ECHOES:
        with serving(echoing(kind)) as service, pytest.raises(ValueError) as error:
            kaggle.download("owner/name/versions/3", SETTINGS, service.address)
        assert given_away([str(service.requests[0].headers)])
        assert given_away([str(error.value)]) == []
