"""The sections of params.yaml, read into checked models."""

from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.core.validation import first_problem

PARAMS = Path("params.yaml")
# The sections of params.yaml. A step reads the section with its name; several steps read the last three.
SECTIONS = (
    "collect", "collection_report", "clean", "preprocess", "inputs", "split", "cross_validation", "pretrained",
    "features", "suggest", "train", "evaluate", "explain", "compare", "study", "networks", "backbones", "augmentations",
)  # fmt: skip

ABSENT = object()  # the result of `lookup` for a key that params.yaml does not have


class Section(BaseModel):
    """A section of params.yaml, in which unknown keys, wrong types and values out of range are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


S = TypeVar("S", bound=Section)


def read(kind: type[S], *sections: str) -> S:
    """Read the named sections, such as `train.common` and `train.vgg`, as one checked model.

    A key of a later section overrides the same key of an earlier section.

    Raises:
        FileNotFoundError: There is no params.yaml in the working directory.
        ValueError: params.yaml is not YAML, lacks a section, or holds an unknown key or a value out of range.
    """
    document = load()
    origin: dict[str, str] = {}
    values: dict[str, Any] = {}
    for section in sections:
        table = find_table(document, section)
        values |= table
        origin |= dict.fromkeys(table, section)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ValueError(
            first_problem(
                error,
                lambda keys: ".".join(
                    [f"{PARAMS} {origin.get(keys[0], sections[-1]) if keys else sections[-1]}", *keys]
                ),
                lambda keys: kind.model_fields if len(keys) == 1 else (),
            )
        ) from error


def load() -> dict[str, Any]:
    """Read the complete params.yaml as YAML 1.2, the version that DVC writes.

    Raises:
        FileNotFoundError: There is no params.yaml in the working directory.
        ValueError: params.yaml is not YAML, or holds a section that no step reads.
    """
    if not PARAMS.is_file():
        raise FileNotFoundError(f"{PARAMS}: expected a file in {Path.cwd()}, got none.")
    try:
        document = deepcopy(_parse(PARAMS.read_bytes()))
    except (YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{PARAMS}{line_of(error)}: expected YAML, got {getattr(error, 'problem', error)}.") from error
    if not isinstance(document, dict):
        raise ValueError(f"{PARAMS}: expected a table of sections, got {document!r}.")
    for section in document:
        if section not in SECTIONS:
            raise ValueError(f"{PARAMS}: expected sections of {', '.join(SECTIONS)}, got {section}.")
    return document


@lru_cache(maxsize=16)  # A command reads several sections, and parsing takes 60 ms.
def _parse(content: bytes) -> Any:
    return YAML(typ="safe").load(content)


def line_of(error: Exception) -> str:
    """Return " line <number>" for a YAML error that knows its line, to follow a file's name; else an empty text."""
    mark = getattr(error, "problem_mark", None)
    return f" line {mark.line + 1}" if mark else ""


def find_table(document: dict[str, Any], section: str) -> dict[str, Any]:
    """Return the table at a dotted name; a section without keys is an empty table.

    Raises:
        ValueError: params.yaml has no such section, or its value is not a table.
    """
    table: Any = document
    for key in section.split("."):
        if not isinstance(table, dict) or key not in table:
            raise ValueError(f"{PARAMS} {section}: expected a table of params, got none.")
        table = table[key]
    if table is not None and not isinstance(table, dict):
        raise ValueError(f"{PARAMS} {section}: expected a table of params, got {table!r}.")
    return table or {}


def lookup(document: dict[str, Any], key: str) -> Any:
    """Return the value at a dotted key of params.yaml, or ABSENT if there is no such key."""
    table: Any = document
    for part in key.split("."):
        if not isinstance(table, dict) or part not in table:
            return ABSENT
        table = table[part]
    return table
