import re

import pytest

from tests.review.study import HEADER

KEEP = {"image_id": "cat1", "decision": "keep", "class": "cat"}


def test_the_page_and_its_requests_are_refused_under_another_host(api, paths):
    for path in ("/", "/api/page", "/small/cat1", "/pages/review.js"):
        assert api.get(path, headers={"Host": "example.org:8000"}).status_code == 403
    assert api.post(KEEP, Host="example.org:8000", Origin="http://example.org:8000").status_code == 403
    assert paths.reviews.read_text() == HEADER


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://example.org"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_a_decision_that_another_web_site_can_send_is_refused(api, paths, headers, status):
    assert api.post(KEEP, **headers).status_code == status
    assert paths.reviews.read_text() == HEADER


@pytest.mark.parametrize("path", ["/small/cat1", "/small/none"])
def test_every_image_is_for_this_page_only(api, path):
    headers = api.get(path).headers
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/api/decisions", "/raw/images.csv", "/pages/../app.py", "/small/../../review.csv"])
def test_no_other_file_can_be_read(api, path):
    assert api.get(path).status_code in (404, 405)


def test_the_page_names_no_other_server(root):
    for file in (root / "stages" / "review" / "static").iterdir():
        assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", file.read_text()), file
