"""Study files: what a document did with which images, what it chose and found, and what of it runs here."""

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.core import params
from stages.core.params import ABSENT, lookup
from stages.core.validation import first_problem
from stages.study.findings import FINAL, Finding, Setting
from stages.tracking.run import NAME, Value

STUDIES = Path("studies")


class Images(params.Section):
    """Where a study's images come from: in words, and as a value of `collect.source`.

    `params` are for these images alone; others, taken instead, may have no faces or given splits.
    """

    origin: str
    quote: str
    source: str
    how: str
    params: dict[str, Value]


class Sweep(params.Section):
    """The values tried one after the other, and the one to go on with.

    `param` with a dot is a key of params.yaml, without one a key of `train.<network>`.
    """

    param: str
    values: list[Value] = Field(min_length=1)
    chosen: Value
    quote: str


class Network(params.Section):
    """What a network is fed, its params before the first sweep, and its sweeps in order."""

    input: str
    params: dict[str, Value]
    sweeps: dict[str, Sweep]


class Substitute(params.Section):
    """What cannot be run as the document states it."""

    stated: str
    run: str
    why: str


class Study(params.Section):
    """A study file."""

    question: str
    document: str
    images: Images
    params: dict[str, Value]
    networks: dict[str, Network] = Field(min_length=1)
    instead: list[Substitute]
    findings: list[Finding]


def names() -> list[str]:
    """The names of all studies, sorted."""
    return sorted(path.stem for path in STUDIES.glob("*.yaml"))


def read_study(name: str) -> Study:
    """The study, checked in itself and against params.yaml.

    Raises:
        ValueError: there is none of that name, or its file is no YAML, or holds what cannot be.
    """
    path = STUDIES / f"{name}.yaml"
    if name not in names():
        raise ValueError(f"{STUDIES}: expected one of {', '.join(names()) or 'no study yet'}, got {name}.")
    try:
        document = YAML(typ="safe").load(path)
    except (YAMLError, UnicodeDecodeError) as error:
        problem = getattr(error, "problem", error)
        raise ValueError(f"{path}{params.line_of(error)}: expected YAML, got {problem}.") from error
    try:
        study = Study.model_validate(document)
    except ValidationError as error:
        raise ValueError(first_problem(error, lambda keys: f"{path} {'.'.join(keys)}", lambda _: ())) from error
    check_params(study, params.load(), path)
    check_sweeps(study, path)
    for number, finding in enumerate(study.findings):
        for setting in finding.settings():
            check_setting(study, setting, f"{path} findings.{number}")
    return study


def check_params(study: Study, document: dict[str, Any], path: Path) -> None:
    """Nothing, where params.yaml has every key that the study sets, and a table for each of its networks.

    Raises:
        ValueError: it has not.
    """
    for key in [*study.params, *study.images.params]:
        if lookup(document, key) is ABSENT:
            raise ValueError(f"{path} params: expected keys of params.yaml, got {key}.")
    for name, network in study.networks.items():
        if name not in document["train"] or name == "common":
            choices = ", ".join(key for key in document["train"] if key != "common")
            raise ValueError(f"{path} networks: expected some of {choices}, got {name}.")
        known = {**document["train"]["common"], **document["train"][name]}
        swept = [sweep.param for sweep in network.sweeps.values()]
        for key in [*network.params, *swept]:
            if key not in known and ("." not in key or lookup(document, key) is ABSENT):
                raise ValueError(f"{path} networks.{name}: expected keys of train.{name} in params.yaml, got {key}.")


def check_sweeps(study: Study, path: Path) -> None:
    """Nothing, where every sweep's choice is one of its values, none of them twice, and its name fits a run's.

    Raises:
        ValueError: it is not.
    """
    for name, network in study.networks.items():
        for key, sweep in network.sweeps.items():
            where = f"{path} networks.{name}.sweeps.{key}"
            if sweep.chosen not in sweep.values:
                raise ValueError(f"{where}.chosen: expected one of {sweep.values}, got {sweep.chosen!r}.")
            if any(value in sweep.values[:i] for i, value in enumerate(sweep.values)):
                raise ValueError(f"{where}.values: expected each value once, got {sweep.values}.")
            if not NAME.fullmatch(key) or key == FINAL:
                raise ValueError(f"{where}: expected a name of small letters, digits and _, not {FINAL}, got {key}.")


def check_part(name: str, study: Study, sweep: str | None, network: str | None) -> None:
    """Nothing, where the study has the network, and one of its networks the sweep; None asks for none.

    Raises:
        ValueError: it has not.
    """
    sweeps = dict.fromkeys(key for each in study.networks.values() for key in each.sweeps)
    for option, asked, known in (("sweep", sweep, [*sweeps, FINAL]), ("network", network, [*study.networks])):
        if asked not in (None, *known):
            raise ValueError(f"--{option}: expected one of {', '.join(known)} of {name}, got {asked}.")


def check_setting(study: Study, setting: Setting, where: str) -> None:
    """Nothing, where the study runs the setting that a finding is about.

    Raises:
        ValueError: it does not.
    """
    if setting.network not in study.networks:
        raise ValueError(f"{where}: expected a network of {', '.join(study.networks)}, got {setting.network}.")
    sweeps = study.networks[setting.network].sweeps
    if setting.sweep != FINAL and setting.sweep not in sweeps:
        raise ValueError(f"{where}: expected a sweep of {', '.join([*sweeps, FINAL])}, got {setting.sweep}.")
    if setting.sweep != FINAL and setting.value not in sweeps[setting.sweep].values:
        values = sweeps[setting.sweep].values
        raise ValueError(f"{where}: expected a value of {values}, got {setting.value!r}.")
