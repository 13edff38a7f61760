"""Accuracies and differences with their 95 % intervals, as text."""

from typing import Any

TOO_FEW = "too few groups"  # for an interval, which is then 0 to 1, or -1 to 1


def with_interval(accuracy: dict[str, float]) -> str:
    """Return an accuracy with the ends of its interval as text."""
    ends = accuracy["low"], accuracy["high"]
    return f"{accuracy['accuracy']:.3f} ({TOO_FEW if ends == (0, 1) else '{:.3f}-{:.3f}'.format(*ends)})"


def percent(accuracy: dict[str, float]) -> str:
    """Return an accuracy with the ends of its interval in per cent."""
    ends = 100 * accuracy["low"], 100 * accuracy["high"]
    return f"{100 * accuracy['accuracy']:.1f} % ({TOO_FEW if ends == (0, 100) else '{:.1f} to {:.1f} %'.format(*ends)})"


def gap(pair: dict[str, Any]) -> str:
    """Return a difference in accuracy with the ends of its interval as text."""
    return f"{pair['difference']:+.3f} ({gap_ends(pair)})"


def gap_ends(pair: dict[str, Any]) -> str:
    """Return the ends of the interval of a difference as text."""
    ends = pair["low"], pair["high"]
    return TOO_FEW if ends == (-1, 1) else "{:+.3f} to {:+.3f}".format(*ends)


def point_ends(pair: dict[str, Any]) -> str:
    """Return the ends of the interval of a difference in points."""
    ends = 100 * pair["low"], 100 * pair["high"]
    return TOO_FEW if ends == (-100, 100) else "{:+.1f} to {:+.1f}".format(*ends)
