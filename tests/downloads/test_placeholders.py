import hashlib
import io

import pytest

from stages.downloads import placeholders
from stages.downloads.placeholders import name_placeholder


@pytest.fixture
def image(draw):
    content = io.BytesIO()
    draw(1).save(content, "PNG")
    return content.getvalue()


@pytest.mark.parametrize("url", ["https://i.imgur.com/removed.png", "http://imgur.com/removed.png?1"])
def test_an_address_that_imgur_redirects_deleted_images_to_is_a_placeholder(url, image):
    assert name_placeholder(url, image) == "imgur's placeholder for a deleted image"


@pytest.mark.parametrize(
    "url", ["https://i.imgur.com/AbCdE.png", "https://i.imgur.com/removed.png.jpg", "https://other.example/removed.png"]
)
def test_any_other_image_is_no_placeholder(url, image):
    assert name_placeholder(url, image) == ""


def test_a_placeholder_is_known_by_its_bytes_wherever_it_comes_from(monkeypatch, image):
    # The hosts' own files are not ours to keep here, so that another image stands for them.
    monkeypatch.setitem(placeholders.DELETED, hashlib.md5(image).hexdigest(), "a host's placeholder")
    assert name_placeholder("https://i.redd.it/AbC.jpg", image) == "a host's placeholder"
    assert name_placeholder("https://i.redd.it/AbC.jpg", image + b"x") == ""


def test_the_table_holds_whole_hashes():
    assert all(len(bytes.fromhex(md5)) == 16 for md5 in placeholders.DELETED)
