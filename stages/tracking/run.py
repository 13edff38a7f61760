"""A run of a study or search: what it sets in params.yaml, as DVC's options and as the pipeline then reads it."""

import re
from dataclasses import dataclass
from typing import Any

from stages.core.params import ABSENT, load, lookup

Value = int | float | str | bool | list[int] | list[float] | list[str] | None
NAME = re.compile("[a-z][a-z0-9_]*")
# Texts that Hydra reads as texts without quotes.
PLAIN = re.compile(r"(?!(?:null|true|false|nan|inf)$)[a-z_][\w./-]*|\d+/[\d/]+", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Run:
    """An experiment: its name, its network, all keys that it sets in params.yaml, and the key that is swept."""

    name: str
    network: str
    changes: dict[str, Value]
    swept: str

    @property
    def target(self) -> str:
        """The stage of dvc.yaml to reproduce."""
        return f"evaluate@{self.network}"


def as_override(value: Value) -> str:
    """Return the value as `dvc exp run -S key=value` accepts it, in Hydra's grammar."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(map(as_override, value))}]"
    if isinstance(value, str) and not PLAIN.fullmatch(value):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return str(value)


def as_name_part(value: Value) -> str:
    """Return the value as part of an experiment's name, a valid git reference: `60/20/20` becomes `60-20-20`."""
    if isinstance(value, list):
        return hyphenate("-".join(map(str, value)))
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return hyphenate(str(value))


def hyphenate(text: str) -> str:
    """Return the text with hyphens in place of all but letters, digits, `+`, `_` and single dots inside."""
    return re.sub(r"[^\w.+]+|\.{2,}", "-", text, flags=re.ASCII).strip("-.") or "empty"


def overrides(run: Run) -> list[tuple[str, Value]]:
    """Return the keys and values that the run changes in today's params.yaml, and always the swept key.

    A key that params.yaml lacks has a `+` before its name.
    """
    document = load()
    return [
        (f"+{key}" if lookup(document, key) is ABSENT else key, value)
        for key, value in run.changes.items()
        if key == run.swept or in_force(document, key) != value
    ]


def in_force(document: dict[str, Any], key: str) -> Any:
    """Return the value that applies for a key of params.yaml: a network without the key uses that of `train.common`."""
    value = lookup(document, key)
    if value is ABSENT and key.startswith("train."):
        return lookup(document, f"train.common.{key.split('.')[2]}")
    return value


def params_seen_by(run: Run) -> dict[str, Any]:
    """Return the whole of params.yaml as the run sees it."""
    document = load()
    for key, value in overrides(run):
        *sections, last = key.removeprefix("+").split(".")
        table = document
        for section in sections:
            table = table.setdefault(section, {})
        table[last] = value
    return document
