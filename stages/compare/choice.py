"""The choice of the champion, from validation alone."""

from dataclasses import dataclass
from typing import Any

RULE = (
    "the best accuracy on validation; among networks that the validation images cannot tell from that one, the lowest "
    "log loss on validation; if they cannot tell these apart either, a pretrained network, then the smallest"
)


@dataclass(frozen=True)
class Choice:
    """The champion, the networks that validation cannot tell from the most accurate one, and what decided."""

    champion: str
    contenders: list[str]
    reason: str


def choose(metrics: dict[str, dict[str, Any]], pairs: list[dict[str, Any]], named: str | None) -> Choice:
    """Return the choice among the networks by `RULE`, or the network that a person named.

    Two networks can be told apart if the interval of their difference on validation, of accuracy or of log loss,
    excludes 0.

    Raises:
        ValueError: The named network is none of the networks.
    """
    first, *others = rank_networks(metrics)
    contenders = [first] + [name for name in others if not are_told_apart(first, name, pairs, "")]
    if named:
        if named not in metrics:
            raise ValueError(f"params.yaml compare.champion: expected one of {', '.join(metrics)}, got {named}.")
        return Choice(named, contenders, "it is named in params.yaml")
    if len(contenders) == 1:
        return Choice(first, contenders, "it is the most accurate on validation")
    surest = min(contenders, key=lambda name: (metrics[name]["val"]["log_loss"], contenders.index(name)))
    left = [name for name in contenders if name == surest or not are_told_apart(surest, name, pairs, "loss_")]
    if len(left) == 1:
        return Choice(surest, contenders, "of these it has the lowest log loss on validation")
    pretrained = [name for name in left if metrics[name]["pretrained"]]
    champion = min(pretrained or left, key=lambda name: (metrics[name]["parameters"], name))
    is_decided = 0 < len(pretrained) < len(left)
    return Choice(champion, contenders, f"of these it is {'pretrained' if is_decided else 'the smallest'}")


def are_told_apart(one: str, other: str, pairs: list[dict[str, Any]], measure: str) -> bool:
    """Return whether the interval of the difference of two networks on validation excludes 0."""
    (pair,) = (pair for pair in pairs if pair["split"] == "val" and {pair["a"], pair["b"]} == {one, other})
    return bool(pair[f"{measure}low"] > 0 or pair[f"{measure}high"] < 0)


def rank_networks(metrics: dict[str, dict[str, Any]]) -> list[str]:
    """Return the networks from the most accurate on validation on; of equals the one with the lower log loss."""
    return sorted(metrics, key=lambda name: (-metrics[name]["val"]["accuracy"], metrics[name]["val"]["log_loss"], name))
