import pytest

from stages.web.request import denies_training


@pytest.mark.parametrize(
    ("line", "is_denied"),
    [
        ("noai", True), ("noimageai", True), ("NoAI", True), ("noindex,noai", True), ("*: noai", True),
        ("tester: noindex, noai", True), ("other: noindex, tester: noai", True),
        ("unavailable_after: 25 Jun 2030 15:00:00 PST, noai", True), ("max-snippet:-1, noai", True),
        ("", False), ("noindex", False), ("noaiiii", False), ("other: noindex, noai", False),
        ("unavailable_after: noai", False),
    ],
)  # fmt: skip
def test_a_robots_tag_denies_training_to_all_robots_or_to_ours(line, is_denied):
    assert denies_training(line, "tester") == is_denied
