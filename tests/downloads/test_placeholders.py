import hashlib
import io

import pytest

from stages.downloads import placeholders
from stages.downloads.placeholders import name_placeholder


@pytest.fixture
def picture(draw):
    content = io.BytesIO()
    draw(1).save(content, "PNG")
    return content.getvalue()


@pytest.mark.parametrize("url", ["https://i.imgur.com/removed.png", "http://imgur.com/removed.png?1"])
def test_where_imgur_redirects_what_was_deleted_is_a_placeholder(url, picture):
    assert name_placeholder(url, picture) == "imgur's picture for a deleted image"


@pytest.mark.parametrize(
    "url", ["https://i.imgur.com/AbCdE.png", "https://i.imgur.com/removed.png.jpg", "https://other.example/removed.png"]
)
def test_any_other_picture_is_none(url, picture):
    assert name_placeholder(url, picture) == ""


def test_a_placeholder_is_known_by_its_bytes_wherever_it_comes_from(monkeypatch, picture):
    # The hosts' own files are not ours to keep here, so that another picture stands for them.
    monkeypatch.setitem(placeholders.DELETED, hashlib.md5(picture).hexdigest(), "a host's picture")
    assert name_placeholder("https://i.redd.it/AbC.jpg", picture) == "a host's picture"
    assert name_placeholder("https://i.redd.it/AbC.jpg", picture + b"x") == ""


def test_the_table_holds_whole_hashes():
    assert all(len(bytes.fromhex(md5)) == 16 for md5 in placeholders.DELETED)
