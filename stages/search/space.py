"""A search's space: the params that vary and their bounds, read from Hydra's grammar as Optuna's distributions."""

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
    """The params that vary, with their distributions, and the params that all trials share, by key of params.yaml."""

    varied: dict[str, BaseDistribution]
    fixed: dict[str, Value]


def read_space(texts: list[str], network: str) -> Space:
    """Read the space from texts `KEY=...`; a key without a dot is a key of `train.<network>`.

    Raises:
        ValueError: A text has another form, a key is unknown or given twice, or no param varies.
    """
    varied: dict[str, BaseDistribution] = {}
    fixed: dict[str, Value] = {}
    document = load()
    for text in texts:
        key, value = parse_param(text, network)
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
    """Return whether params.yaml has the key, for this network or for all, or the key is of a network's row."""
    parts = key.split(".")
    if parts[0] == "networks" and len(parts) == 3 and parts[1] in document["train"]:
        return parts[2] in ("input", "module")
    if parts[0] == "backbones" and len(parts) == 3 and parts[1] in document["pretrained"]["networks"]:
        return parts[2] == "pixels"
    return lookup(document, key) is not ABSENT or (len(parts) == 3 and in_force(document, key) is not ABSENT)


def parse_param(text: str, network: str) -> tuple[str, Any]:
    """Return the whole key, and its value or distribution.

    Raises:
        ValueError: The text does not follow Hydra's grammar, or is a sweep that no distribution can express.
    """
    try:
        override = OverridesParser.create().parse_override(text)
        value = as_distribution(override.value())
    except (HydraException, ValueError) as error:
        raise ValueError(f"-S {text}: expected {EXPECTED}, got: {str(error).splitlines()[0]}") from error
    key = str(override.key_or_group)
    return key if "." in key else f"train.{network}.{key}", value


def as_distribution(value: Any) -> Any:
    """Return a sweep as a distribution, and any other value without Hydra's quotes.

    Raises:
        ValueError: No distribution can express the sweep.
    """
    if isinstance(value, ChoiceSweep):
        return CategoricalDistribution([unquote(choice) for choice in value.list])
    if isinstance(value, RangeSweep):
        numbers = list(value.range())
        if not numbers or not all(isinstance(number, int) for number in numbers):
            raise ValueError(f"a range of nothing or of fractions ({numbers}); an interval is meant.")
        return IntDistribution(numbers[0], numbers[-1], step=int(value.step))
    if isinstance(value, IntervalSweep) and value.start is not None and value.end is not None:
        is_log = "log" in value.tags
        if isinstance(value.start, int) and isinstance(value.end, int):  # by Hydra's cast, int(interval(1, 5))
            return IntDistribution(value.start, value.end, log=is_log)
        return FloatDistribution(value.start, value.end, log=is_log)
    return unquote(value)


def unquote(value: Any) -> Any:
    """Return a value without Hydra's quotes, also inside lists."""
    if isinstance(value, list):
        return [unquote(item) for item in value]
    return value.text if isinstance(value, QuotedString) else value
