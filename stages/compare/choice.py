"""The choice of the champion, from training and validation images alone."""

from dataclasses import dataclass
from typing import Any

RULE = (
    "the best accuracy on validation; of networks that the validation images cannot tell from that one, the most "
    "accurate in cross-validation without the test images stays, beside those that were not cross-validated; of these "
    "the lowest log loss on validation, then a pretrained network, then the fewest parameters"
)
BY_FOLDS = "is the most accurate in cross-validation without the test images"
# What each part of `preference` decides.
REASONS = ("has the lowest log loss on validation", "is pretrained", "is the smallest", "comes first by name")


@dataclass(frozen=True)
class Choice:
    """The champion, the networks that validation cannot tell from the most accurate one, and what decided."""

    champion: str
    contenders: list[str]
    reason: str


def choose(
    metrics: dict[str, dict[str, Any]], pairs: list[dict[str, Any]], named: str | None, folds: dict[str, float]
) -> Choice:
    """Return the choice among the networks by `RULE`, or the network that a person named.

    The log loss makes a network pay for mistakes that it is sure of. Two networks can be told apart if the interval of
    the difference of their accuracies on validation excludes 0.

    Args:
        metrics: The metrics of each network.
        pairs: The differences of every two networks.
        named: The network that a person named.
        folds: The accuracy in cross-validation without the test images, of each network that has one.

    Raises:
        ValueError: The named network is none of the networks.
    """
    first, *others = rank_networks(metrics)
    contenders = [first] + [name for name in others if not are_told_apart(first, name, pairs)]
    if named:
        if named not in metrics:
            raise ValueError(f"params.yaml compare.champion: expected one of {', '.join(metrics)}, got {named}.")
        return Choice(named, contenders, "it is named in params.yaml")
    if len(contenders) == 1:
        return Choice(first, contenders, "it is the most accurate on validation")
    rest = keep_best(contenders, folds)
    champion, *others = sorted(rest, key=lambda name: preference(name, metrics[name]))
    if not others:
        return Choice(champion, contenders, f"of these it {BY_FOLDS}")
    keys = zip(preference(champion, metrics[champion]), preference(others[0], metrics[others[0]]), REASONS, strict=True)
    reason = next(reason for one, other, reason in keys if one != other)
    also = f", and {BY_FOLDS}" if champion in folds and len(rest) < len(contenders) else ""
    return Choice(champion, contenders, f"of these it {reason}{also}")


def keep_best(contenders: list[str], folds: dict[str, float]) -> list[str]:
    """Return the contenders without those that are less accurate in cross-validation than another one."""
    best = max((folds[name] for name in contenders if name in folds), default=0.0)
    return [name for name in contenders if folds.get(name, best) == best]


def preference(name: str, values: dict[str, Any]) -> tuple[float, bool, int, str]:
    """Return the key that sorts networks which validation cannot tell apart, the best first."""
    return values["val"]["log_loss"], not values["pretrained"], values["parameters"], name


def are_told_apart(one: str, other: str, pairs: list[dict[str, Any]]) -> bool:
    """Return whether the interval of the difference of two networks on validation excludes 0."""
    (pair,) = (pair for pair in pairs if pair["split"] == "val" and {pair["a"], pair["b"]} == {one, other})
    return bool(pair["low"] > 0 or pair["high"] < 0)


def rank_networks(metrics: dict[str, dict[str, Any]]) -> list[str]:
    """Return the networks from the most accurate on validation on; of equals the one with the lower log loss."""
    return sorted(metrics, key=lambda name: (-metrics[name]["val"]["accuracy"], metrics[name]["val"]["log_loss"], name))
