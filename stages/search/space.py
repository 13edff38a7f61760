"""A search's space: the params that vary and within what, in Hydra's words, as Optuna's distributions."""

from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, QuotedString, RangeSweep
from hydra.errors import HydraException
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from stages.core.params import ABSENT, load, lookup
from stages.tracking.run import Value, in_force

EXPECTED = (
    "KEY=VALUE, KEY=choice(a, b), KEY=range(1, 5), KEY=interval(0, 0.5), KEY=int(interval(1, 5)) or "
    "KEY=tag(log, interval(1e-5, 1e-2))"
)


@dataclass(frozen=True)
class Space:
    """By key of params.yaml: what varies, and what every trial sets alike."""

    varied: dict[str, BaseDistribution]
    fixed: dict[str, Value]


def read_space(texts: list[str], network: str) -> Space:
    """The space that texts `KEY=...` describe; a key without a dot is one of `train.<network>`.

    Raises:
        ValueError: a text is none, its key is unknown or given twice, or nothing varies.
    """
    varied: dict[str, BaseDistribution] = {}
    fixed: dict[str, Value] = {}
    document = load()
    for text in texts:
        key, value = parse(text, network)
        if not is_known(document, key):
            raise ValueError(f"-S {text}: expected a key of params.yaml, got {key}.")
        if key in (*varied, *fixed):
            raise ValueError(f"-S {text}: expected each key once, got {key} twice.")
        if isinstance(value, BaseDistribution):
            varied[key] = value
        else:
            fixed[key] = value
    if not varied:
        raise ValueError(f"-S: expected at least one param that varies, got none: {EXPECTED}.")
    return Space(varied, fixed)


def is_known(document: dict[str, Any], key: str) -> bool:
    """Whether params.yaml has the key, for this network or all; or it says what a network is fed."""
    parts = key.split(".")
    if parts[0] == "networks" and len(parts) == 3 and parts[1] in document["train"]:
        return parts[2] == "input"
    return lookup(document, key) is not ABSENT or (len(parts) == 3 and in_force(document, key) is not ABSENT)


def parse(text: str, network: str) -> tuple[str, Any]:
    """The whole key, and its value or distribution.

    Raises:
        ValueError: the text is not of Hydra's grammar, or means something else than values of a param.
    """
    try:
        override = OverridesParser.create().parse_override(text)
        value = as_distribution(override.value())
    except (HydraException, ValueError) as error:
        raise ValueError(f"-S {text}: expected {EXPECTED}, got: {str(error).splitlines()[0]}") from error
    key = str(override.key_or_group)
    return key if "." in key else f"train.{network}.{key}", value


def as_distribution(value: Any) -> Any:
    """A sweep as a distribution, and any other value as it is.

    Raises:
        ValueError: no distribution can be it.
    """
    if isinstance(value, ChoiceSweep):
        return CategoricalDistribution([plain(each) for each in value.list])
    if isinstance(value, RangeSweep):
        numbers = list(value.range())
        if not numbers or not all(isinstance(each, int) for each in numbers):
            raise ValueError("a range of nothing or of fractions; an interval is meant.")
        return IntDistribution(numbers[0], numbers[-1], step=int(value.step))
    if isinstance(value, IntervalSweep) and value.start is not None and value.end is not None:
        is_log = "log" in value.tags
        if isinstance(value.start, int) and isinstance(value.end, int):  # by Hydra's cast, int(interval(1, 5))
            return IntDistribution(value.start, value.end, log=is_log)
        return FloatDistribution(value.start, value.end, log=is_log)
    return plain(value)


def plain(value: Any) -> Any:
    """A value without Hydra's quotes, lists inside too."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.text if isinstance(value, QuotedString) else value
