"""The scale of a study: on which images, at which size, in how many folds and with how many seeds it is run."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.core.params import ABSENT, Section, load, lookup
from stages.core.validation import first_problem
from stages.study.study_file import Study, read_study, study_names
from stages.tracking.run import Value, as_name_part

RATIOS, FOLD = "split.ratios", "split.fold"
LEAST_FOLDS = 3  # one to test, one to choose the epoch, and one to learn from


class Scale(Section):
    """The images, size, folds and number of seeds of a study's runs; None leaves the study's own value.

    With `folds` each setting is trained once for each fold, so that every image validates and tests it once. `params`
    are set in every run and override all else except the swept key and the fold. `images` is part of the results' name,
    so that results on images of one's own stand beside the others; empty for the images of a study.
    """

    data: str
    images: str = ""
    epochs: int | None = Field(ge=1)
    width: float | None = Field(gt=0)
    size: int | None = Field(ge=1)
    folds: int | None = Field(default=None, ge=LEAST_FOLDS)  # tables of before have no folds
    seeds: int = Field(ge=1)
    carry: Literal["document", "measured"]
    params: dict[str, Value]


def read_scale(values: dict[str, Any], settings: list[str]) -> Scale:
    """Return the scale with these values, and with settings `KEY=VALUE` of params.yaml.

    Raises:
        ValueError: A value or setting is not allowed.
    """
    try:
        scale = Scale.model_validate({**values, "params": dict(map(read_setting, settings))})
    except ValidationError as error:
        raise ValueError(first_problem(error, lambda keys: f"--{keys[0]}", lambda _: ())) from error
    taken = {RATIOS, FOLD} & {*scale.params}
    if scale.folds and taken:
        raise ValueError(f"--set-param: expected no {min(taken)} beside --folds, which sets it, got one.")
    return scale


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


def name_images(data: str | None) -> str:
    """Return the images' part of the results' name: the end of the path `--data` without its suffix.

    It is empty for the images of a study, given by its name or not at all.
    """
    return "" if data is None or data in study_names() else as_name_part(Path(data).resolve().stem)


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
