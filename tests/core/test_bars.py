import io
import sys

from stages.core.terminal import progress_by_reason

REASONS = ["", "gone", "", "too slow", "gone"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_counts_failures_by_reason_the_most_frequent_first(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert list(progress_by_reason(REASONS, 5, "collect", str)) == REASONS
    last = sys.stderr.getvalue().split("\r")[-1]
    assert "collect: 100%" in last and "5/5" in last and "image/s" in last
    assert "2 gone, 1 too slow" in last


def test_without_a_terminal_it_is_silent(capfd):
    assert list(progress_by_reason(REASONS, 5, "collect", str)) == REASONS
    assert capfd.readouterr() == ("", "")
