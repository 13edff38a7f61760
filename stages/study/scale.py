"""The scale of a study: on which images, at which size and with how many seeds it is run."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.core.params import ABSENT, Section, load, lookup
from stages.core.validation import first_problem
from stages.study.study_file import Study, read_study, study_names
from stages.tracking.run import Value


class Scale(Section):
    """The images, size and number of seeds of a study's runs; None leaves the study's own value.

    `params` are set in every run and override all else except the swept key.
    """

    data: str
    epochs: int | None = Field(ge=1)
    width: float | None = Field(gt=0)
    size: int | None = Field(ge=1)
    seeds: int = Field(ge=1)
    carry: Literal["document", "measured"]
    params: dict[str, Value]


def read_scale(values: dict[str, Any], settings: list[str]) -> Scale:
    """Return the scale with these values, and with settings `KEY=VALUE` of params.yaml.

    Raises:
        ValueError: A value or setting is not allowed.
    """
    try:
        return Scale.model_validate({**values, "params": dict(map(read_setting, settings))})
    except ValidationError as error:
        raise ValueError(first_problem(error, lambda keys: f"--{keys[0]}", lambda _: ())) from error


def read_setting(text: str) -> tuple[str, Value]:
    """Return the key of params.yaml and the value of a text `KEY=VALUE`.

    Raises:
        ValueError: The text has another form, or params.yaml lacks the key.
    """
    key, equals, value = text.partition("=")
    if not equals or lookup(load(), key) is ABSENT:
        raise ValueError(f"--set-param: expected a key of params.yaml, = and a value, got {text}.")
    try:
        return key, YAML(typ="safe").load(value)
    except YAMLError as error:
        raise ValueError(f"--set-param {key}: expected a value as params.yaml has it, got {value}.") from error


def find_source(data: str | None, study: Study, must_exist: bool) -> str:
    """Return the value of `collect.source`: the study's own source, the source of another study named, or a path.

    Raises:
        FileNotFoundError: The source does not exist, and it must.
    """
    own = study.images if data is None else read_study(data).images if data in study_names() else None
    path = Path(own.source if own else str(data))
    if must_exist and not path.exists() and not Path(f"{path}.dvc").is_file():
        how = f" {own.how}" if own else ""
        raise FileNotFoundError(f"--data {path}: expected a folder, an archive or a study's name, got none.{how}")
    # Experiments run in folders of their own. From there a relative path out of the repository leads elsewhere.
    is_inside = path.resolve().is_relative_to(Path.cwd().resolve())
    return str(path.resolve().relative_to(Path.cwd().resolve()) if is_inside else path.resolve())
