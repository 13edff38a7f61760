import time
from email.utils import formatdate

import pytest

from stages.web.retry_after import read_retry_after


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7", 7), ("0", 0), ("0.5", 0.5), ("-3", 0), ("nan", 0), ("1e999", float("inf")), ("9" * 400, float("inf")),
        ("", 9), ("soon", 9), ("²", 9), ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("Wed, 99 Oct 2015 07:28:00 GMT", 9),
    ],
)  # fmt: skip
def test_a_number_of_seconds_counts_and_nonsense_does_not(text, expected):
    assert read_retry_after(text, otherwise=9) == expected


def test_a_date_counts_from_now():
    text = formatdate(time.time() + 100, usegmt=True)
    assert 97 < read_retry_after(text, otherwise=9) <= 100
