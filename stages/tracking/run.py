"""One run of a study: what it sets in params.yaml, as DVC is told it and as the pipeline then sees it."""

import re
from dataclasses import dataclass
from typing import Any

from stages.core.params import ABSENT, load, lookup

Value = int | float | str | bool | list[int] | list[float] | list[str] | None
NAME = re.compile("[a-z][a-z0-9_]*")
# Texts that Hydra takes for texts without quotes.
PLAIN = re.compile(r"(?!(?:null|true|false|nan|inf)$)[a-z_][\w./-]*|\d+/[\d/]+", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Run:
    """One experiment: its name, its network, all that it sets in params.yaml, and the key of these that is swept."""

    name: str
    network: str
    changes: dict[str, Value]
    swept: str

    @property
    def target(self) -> str:
        """The stage to reproduce."""
        return f"evaluate@{self.network}"


def as_override(value: Value) -> str:
    """The value as `dvc exp run -S key=value` takes it: Hydra's grammar."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(as_override(each) for each in value)}]"
    if isinstance(value, str) and not PLAIN.fullmatch(value):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return str(value)


def overrides(run: Run) -> list[tuple[str, Value]]:
    """What the run changes in params.yaml as it is now, new keys with a `+`; the swept key in any case."""
    document = load()
    return [
        (f"+{key}" if lookup(document, key) is ABSENT else key, value)
        for key, value in run.changes.items()
        if key == run.swept or in_force(document, key) != value
    ]


def in_force(document: dict[str, Any], key: str) -> Any:
    """The value that counts for a key of params.yaml: a network without a key of its own has that of `train.common`."""
    value = lookup(document, key)
    if value is ABSENT and key.startswith("train."):
        return lookup(document, f"train.common.{key.split('.')[2]}")
    return value


def apply(run: Run) -> dict[str, Any]:
    """The whole of params.yaml as the run sees it."""
    document = load()
    for key, value in overrides(run):
        *sections, last = key.removeprefix("+").split(".")
        table = document
        for section in sections:
            table = table.setdefault(section, {})
        table[last] = value
    return document
