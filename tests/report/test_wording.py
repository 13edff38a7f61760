"""Numbers and lists as text."""

import pytest

from stages.report.wording import HARD, gap_span, kept_together, span
from stages.results.interval_texts import with_interval


def test_an_interval_of_too_few_groups_is_none():
    assert span(0.65, 0.797) == f"65.0 to 79.7{HARD}%"
    assert span(0.0, 1.0) == "too few groups for an interval"
    assert gap_span(-0.012, 0.065) == "−1.2 to +6.5"
    assert gap_span(-1, 1) == "too few groups for an interval"
    assert with_interval({"accuracy": 0.9, "low": 0.8, "high": 0.95}) == "0.900 (0.800-0.950)"
    assert with_interval({"accuracy": 0.9, "low": 0.0, "high": 1.0}) == "0.900 (too few groups)"


@pytest.mark.parametrize(
    ("group_by", "sentence"),
    [
        (["look-alikes"], "Look-alikes stay in one split."),
        (["look-alikes", "author"], "Look-alikes and images of the same author stay in one split."),
        (["page_url"], "Images of the same page url stay in one split, but look-alikes may lie in two splits: the "
                       "results look too good."),
        ([], "Look-alikes may lie in two splits: the results look too good."),
    ],
)  # fmt: skip
def test_what_stays_together_is_said_in_a_sentence(group_by, sentence):
    assert kept_together(group_by, "70/15/15") == sentence
    assert "own splits were kept" in kept_together(group_by, "given/20")
