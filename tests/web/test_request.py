import time
from email.utils import formatdate

import pytest
from urllib3 import HTTPResponse

from stages.web.request import denies, read_wait


@pytest.mark.parametrize(
    ("line", "is_denied"),
    [
        ("noai", True), ("noimageai", True), ("NoAI", True), ("noindex, noai", True), ("noindex,noimageai", True),
        ("*: noai", True), ("tester: noai", True), ("tester: noindex, noai", True),
        ("other: noindex, tester: noai", True),
        ("unavailable_after: 25 Jun 2030 15:00:00 PST, noai", True), ("max-snippet:-1, noai", True),
        ("", False), ("noindex", False), ("all", False), ("noaiiii", False), ("other: noai", False),
        ("other: noindex, noai", False), ("unavailable_after: noai", False),
    ],
)  # fmt: skip
def test_a_robots_tag_denies_learning_to_all_or_to_us(line, is_denied):
    assert denies(line, "tester") == is_denied


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7), ("0", 0), ("", 0), ("soon", 0), ("-7", 0), ("1.5", 0), ("9" * 400, 999_999_999), ("²", 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("Wed, 99 Oct 2015 07:28:00 GMT", 0),
    ],
)  # fmt: skip
def test_retry_after_is_a_number_or_nothing(text, seconds):
    assert read_wait(HTTPResponse(headers={"Retry-After": text})) == seconds


def test_retry_after_may_be_a_date():
    text = formatdate(time.time() + 100, usegmt=True)
    assert 97 < read_wait(HTTPResponse(headers={"Retry-After": text})) <= 100
