"""Numbers, lists and measurements as text: shares in per cent, other scores with three decimals."""

from collections.abc import Sequence
from typing import Any

NOTHING = "–"
TOO_FEW = "too few groups for an interval"
HARD = "\u00a0"  # a no-break space


def percent(share: float | None) -> str:
    """Return a share as `73.0 %`; a dash if it is not defined."""
    return NOTHING if share is None else f"{100 * share:.1f}{HARD}%"


def span(low: float, high: float) -> str:
    """Return an interval of shares as `65.0 to 79.7 %`; 0 to 1 says that there are too few groups for one."""
    if (low, high) == (0, 1):
        return TOO_FEW
    return f"{100 * low:.1f} to {100 * high:.1f}{HARD}%"


def gap_span(low: float, high: float) -> str:
    """Return an interval of differences as `-1.2 to +6.5`; -1 to 1 says that there are too few groups for one."""
    return TOO_FEW if (low, high) == (-1, 1) else f"{points(low)} to {points(high)}"


def points(difference: float) -> str:
    """Return a difference of two shares as `+6.5`; the text then adds the word points. Never `-0.0`."""
    value = round(100 * difference, 1)
    return "0.0" if value == 0 else f"{value:+.1f}".replace("-", "−")


def decimal(value: float | None) -> str:
    """Return a score with three decimals; a dash if it is not defined."""
    return NOTHING if value is None else f"{value:.3f}"


def p_value(value: float | None) -> str:
    """Return a probability with three decimals, or `< 0.001`."""
    if value is None:
        return NOTHING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def whole(number: float) -> str:
    """Return a count as `1,082`."""
    return f"{number:,.0f}"


def short(number: float) -> str:
    """Return a large count with three digits: `987`, `1.10 M`, `4.57 G`."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= 0.9995 * size:
            value = number / size
            return f"{value:.{max(0, 2 - len(str(int(value))) + 1)}f}{HARD}{unit}"
    return f"{number:.0f}"


def plural(number: int, noun: str) -> str:
    """Return `1 image`, `2 images`, `2 classes`."""
    ending = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{whole(number)} {noun}{ending}"


def joined(names: Sequence[str], last: str = "and") -> str:
    """Return `a`, `a and b`, `a, b and c`."""
    return f" {last} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def clipped(text: str, most: int) -> str:
    """Return the text, cut to `most` characters with a final ellipsis if it is longer."""
    return text if len(text) <= most else text[: most - 1] + "…"


def kept_together(group_by: list[str], ratios: str) -> str:
    """Return in a sentence which images `split.group_by` keeps in one split; a source's own splits stay as they are."""
    if ratios.startswith("given"):
        return "The source's own splits were kept, whatever their images have in common."
    shared = [f"images of the same {name.replace('_', ' ')}" for name in group_by if name != "look-alikes"]
    if "look-alikes" not in group_by:
        alike = "look-alikes may lie in two splits: the results look too good."
        return f"{joined(shared).capitalize()} stay in one split, but {alike}" if shared else alike.capitalize()
    return f"{joined(['look-alikes', *shared]).capitalize()} stay in one split."


def calibrated(metrics: dict[str, Any]) -> str:
    """Return what the calibration error of a network on test means, and what its temperature changed."""
    test, before, temperature = metrics["test"], metrics["uncalibrated"]["test"], metrics["temperature"]
    low, high = test["intervals"]["calibration_error"]
    interval = TOO_FEW if (low, high) == (0, 1) else f"{decimal(low)} to {decimal(high)}"
    return (
        f"Calibration error: {decimal(test['calibration_error'])} ({interval}); a perfectly "
        f"calibrated network stays below {decimal(test['calibration_error_by_chance'])} on such images in 95{HARD}% of "
        f"cases. The scores are divided by a temperature of {temperature:.2f}, fitted on validation. Without it, the "
        f"error would be {decimal(before['calibration_error'])}, and the log loss {decimal(before['log_loss'])} "
        f"instead of {decimal(test['log_loss'])}."
    )


def reached(wanted: dict[str, Any]) -> str:
    """Return whether the threshold for a wanted precision holds on other images too, and what it takes to know."""
    least = f"A probability of at least {decimal(wanted['threshold'])}"
    if wanted["is_sure"]:
        sure = f"{least} reaches it, with 95{HARD}% certainty also on other images of this kind"
        return f"{sure} (somewhat less, because the epoch was chosen on the same images)."
    few = f"{least} reaches it on the validation images, but that may be luck"
    if wanted["needed"] is None:
        return f"{few}: no number of images can show that every call is right."
    return f"{few}: to be sure takes at least {plural(wanted['needed'], 'image')} above it, all of the class."
