"""Live sources: services on loopback are listed into a manifest, whose images `collect` fetches."""

import copy
import io
import json
import subprocess
import sys
from contextlib import ExitStack, suppress

import pandas as pd
import pytest

from stages.collect.run import Collect, run
from stages.manifest.listing import relist
from stages.manifest.live_sources import LIVE, live_entries
from stages.sources import boorus
from stages.web.client import Client
from tests.protocols import bing, openverse, reddit, wikimedia
from tests.protocols import boorus as boards
from tests.protocols.asking import SETTINGS
from tests.protocols.service import Answer, serving

pytestmark = pytest.mark.usefixtures("short_waits")
SECRETS = {
    "REDDIT_CLIENT_ID": reddit.CLIENT_ID,
    "REDDIT_CLIENT_SECRET": reddit.CLIENT_SECRET,
    "BING_SEARCH_KEY": bing.KEY,
    "OPENVERSE_TOKEN": "sentinel-token-2d5e",
    "DANBOORU_LOGIN": "sentinel-login-70aa",
    "DANBOORU_API_KEY": "sentinel-key-c3b9",
}
POSTS = [boards.Post(number, ("asuka",) if number % 5 == 0 else ("rei",)) for number in range(1, 200)]
SERVICES = {
    "bing": (bing.answering({"cat": [bing.image(n) for n in range(160)]}), {"queries": ["cat"]}),
    "danbooru": (boards.danbooru(POSTS), {"tag": "asuka", "negatives": True}),
    "openverse": (openverse.answering({"cat": [openverse.image(n) for n in range(30)]}), {"queries": ["cat"]}),
    "reddit": (
        reddit.answering(
            {"cats/new": [reddit.post(n) for n in range(120)], "cats/hot": [reddit.gallery(5000, {"a": {}, "b": {}})]}
        ),
        {"subreddits": ["cats"], "listings": ["new", "hot"]},
    ),
    "safebooru": (boards.gelbooru(POSTS), {"tag": "asuka", "negatives": True}),
    "wikimedia": (wikimedia.answering({"cat": [wikimedia.file(n) for n in range(60)]}), {"queries": ["cat"]}),
}
COUNTS = {
    ("bing", "cat"): 160,
    ("danbooru", "cat"): 39,
    ("danbooru", "not_cat"): 39,
    ("openverse", "cat"): 30,
    ("reddit", "cat"): 122,
    ("safebooru", "cat"): 39,
    ("safebooru", "not_cat"): 39,
    ("wikimedia", "cat"): 60,
}


@pytest.fixture(autouse=True)
def surroundings(monkeypatch, tmp_path):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(boorus, "PAUSE_S", 0.01)


def settings_of(listings, source="none.csv"):
    return Collect(source=str(source), classes=[], max_megabytes=1, max_megapixels=1, listings=listings, fetch=SETTINGS)


@pytest.fixture
def listings():
    """Run all services; yield the params that list the class cat from each."""
    with ExitStack() as stack:
        items = []
        for name, (answer, options) in SERVICES.items():
            address = stack.enter_context(serving(answer)).address
            addresses = {"address": f"{address}/v7.0" if name == "bing" else address}
            if name == "reddit":
                addresses["oauth_address"] = address
            items.append({"source": name, **options, **addresses})
        yield {"cat": items}


def test_every_live_source_on_the_web_is_tried():
    assert set(SERVICES) == set(LIVE) - {"urls"}


@pytest.mark.slow
def test_all_sources_list_into_one_manifest_and_once_more_changes_nothing(listings, tmp_path, caplog, capfd):
    caplog.set_level(0)
    path = tmp_path / "manifest.csv"
    messages = [relist(settings_of(listings), path)]
    content = path.read_bytes()
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    sources = table["source"].str.partition(" ")[0]
    assert table.groupby([sources, "class"]).size().to_dict() == COUNTS
    assert (table["url"] != "").all()
    messages.append(relist(settings_of(listings), path))
    assert path.read_bytes() == content
    assert messages[1] == f"{path}: {sum(COUNTS.values())} images, 0 new, 0 no longer listed, 0 changed."
    shown = [content.decode(), *messages, caplog.text, *capfd.readouterr()]
    assert not any(secret in text for text in shown for secret in (*SECRETS.values(), reddit.TOKEN))


def nodes_of(value, path=()):
    """Yield the path to each value in an answer; in a list, only to its first item."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, item in items:
        yield from nodes_of(item, (*path, key))


def replaced(answer, path, value):
    if not path:
        return value
    answer = copy.deepcopy(answer)
    place = answer
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return answer


SMALL = {
    "bing": bing.answering({"cat": [bing.image(1)]}),
    "danbooru": boards.danbooru(POSTS[:5]),
    "openverse": openverse.answering({"cat": [openverse.image(1)]}),
    "reddit": reddit.answering(
        {
            "cats/new": [reddit.gallery(1, {"a": {}})],
            "cats/hot": [reddit.post(2, crosspost_parent_list=[reddit.post(3)])],
        }
    ),
    "safebooru": boards.gelbooru(POSTS[:5]),
    "wikimedia": wikimedia.answering({"cat": [wikimedia.file(1)]}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_an_answer_of_another_shape_is_data_or_one_line(name):
    whole, changes = SMALL[name], []

    def answer(request):
        message = whole(request)
        if not message.body or "access_token" in request.path:
            return message
        content = json.loads(message.body)
        wanted = (change for change in changes if change[0] in set(nodes_of(content)))
        return Answer(json.dumps(replaced(content, *next(wanted, ((), content)))).encode())

    with serving(answer) as service:
        address = f"{service.address}/v7.0" if name == "bing" else service.address
        options = SERVICES[name][1] | ({"oauth_address": address} if name == "reddit" else {})
        [(_, module, entry, _)] = live_entries({"cat": [{"source": name, **options, "address": address}]})
        client = Client(SETTINGS)
        assert list(module.listing(entry, "cat", client))
        bodies = [json.loads(message.body) for message in map(whole, service.requests) if message.body]
        paths = dict.fromkeys(path for body in bodies for path in nodes_of(body) if path)
        for path in paths:
            for value in (None, "x", [None]):
                changes[:] = [(path, value)]
                with suppress(ValueError):
                    list(module.listing(entry, "cat", client))


def test_posts_of_two_boards_with_one_number_are_two(tmp_path):
    path = tmp_path / "manifest.csv"
    with serving(boards.gelbooru(POSTS)) as one, serving(boards.gelbooru(POSTS)) as other:
        items = [{"source": "safebooru", "tag": "asuka", "address": each.address} for each in (one, other)]
        relist(settings_of({"cat": items}), path)
    assert len(pd.read_csv(path)) == 2 * COUNTS["safebooru", "cat"]


def test_a_post_that_was_given_its_tag_leaves_the_opposite_class(tmp_path):
    path, posts = tmp_path / "manifest.csv", list(POSTS)
    with serving(boards.gelbooru(posts)) as service:
        item = {"source": "safebooru", "tag": "asuka", "negatives": True, "address": service.address}
        relist(settings_of({"cat": [item]}), path)
        first = pd.read_csv(path, dtype=str)
        number = int(first[first["class"] == "not_cat"]["source_id"].iloc[0])
        posts[number - 1] = boards.Post(number, ("asuka",))
        message = relist(settings_of({"cat": [item]}), path)
    table = pd.read_csv(path, dtype=str)
    assert table[table["source_id"] == str(number)]["class"].tolist() == ["cat"]
    assert not table["source_id"].duplicated().any()
    assert f"changed: cat safebooru {service.address.removeprefix('http://')} {number} " in message


def test_the_own_instance_of_a_source_needs_no_host():
    item = {"source": "safebooru", "tag": "asuka", "address": "https://safebooru.org/"}
    assert next(live_entries({"cat": [item]}))[0] == "safebooru"


@pytest.mark.slow
def test_collecting_what_is_here_imports_no_live_source():
    code = "import sys, stages.collect.run; print([name for name in sys.modules if name in {'praw', 'requests'}])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("ending", ["\n", "\r\n", "ä"])
@pytest.mark.parametrize("name", ["BING_SEARCH_KEY", "OPENVERSE_TOKEN", "DANBOORU_API_KEY"])
def test_a_secret_that_no_header_can_hold_is_named_but_not_shown(listings, tmp_path, monkeypatch, name, ending):
    monkeypatch.setenv(name, f"sentinel{ending}")
    only = [item for item in listings["cat"] if item["source"] in name.lower()]
    with pytest.raises(ValueError, match=rf"^environment {name}: expected ASCII letters.*got another character\.$"):
        relist(settings_of({"cat": only}), tmp_path / "manifest.csv")


@pytest.mark.parametrize("title", ["a\rb", "a\nb", "a\r\nb", "a\0b", "a\ud83db", "a\t\x1bb"])
def test_a_title_of_odd_characters_breaks_no_row(tmp_path, title):
    path = tmp_path / "manifest.csv"
    with serving(openverse.answering({"cat": [openverse.image(1, title=title), openverse.image(2)]})) as service:
        item = {"source": "openverse", "queries": ["cat"], "address": service.address}
        relist(settings_of({"cat": [item]}), path)
        assert relist(settings_of({"cat": [item]}), path).endswith("2 images, 0 new, 0 no longer listed, 0 changed.")
    assert pd.read_csv(path)["title"].tolist() == ["a b", "Tank 2"]


def test_the_provenance_of_a_fetched_image_stands_beside_it(tmp_path, draw):
    content = io.BytesIO()
    draw(1).save(content, "PNG")
    path = tmp_path / "manifest.csv"
    with serving(lambda request: Answer(content.getvalue())) as host:
        found = [openverse.image(1, url=f"{host.address}/1.png"), openverse.image(2, url=None)]
        with serving(openverse.answering({"cat": found})) as service:
            item = {"source": "openverse", "queries": ["cat"], "address": service.address}
            relist(settings_of({"cat": [item]}), path)
        counts = run(settings_of({}, path), tmp_path / "raw")
    [row] = pd.read_csv(tmp_path / "raw" / "images.csv", dtype=str, keep_default_na=False).to_dict("records")
    assert row["source"] == f"openverse {service.address.removeprefix('http://')}"
    assert {key: row[key] for key in ("title", "author", "licence", "licence_url", "page_url")} == {
        "title": "Tank 1",
        "author": "Jane Doe",
        "licence": "by-sa 2.0",
        "licence_url": "https://creativecommons.org/licenses/by-sa/2.0/",
        "page_url": "https://www.flickr.com/photos/x/1",
    }
    assert (counts["listed"], counts["kept"], counts["failed"]) == (2, 1, {"no address": 1})
