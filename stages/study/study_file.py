"""Study files: a document's images, networks, sweeps, choices and findings, and how they are run here."""

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
    """The origin of a study's images: in words, and as a value of `collect.source`.

    `params` are for these images only; other images, used instead, may have no faces or no given splits.
    """

    origin: str
    quote: str
    source: str
    how: str
    params: dict[str, Value]


class Sweep(params.Section):
    """The values of a param that are tried one after the other, and the chosen value for the sweeps after it.

    A `param` with a dot is a key of params.yaml; without a dot it is a key of `train.<network>`.
    """

    param: str
    values: list[Value] = Field(min_length=1)
    chosen: Value
    quote: str


class StudyNetwork(params.Section):
    """A network's input, its params before the first sweep, and its sweeps in order."""

    input: str
    params: dict[str, Value]
    sweeps: dict[str, Sweep]


class Substitute(params.Section):
    """A part of the document that cannot be run as stated, what runs instead, and why."""

    stated: str
    run: str
    why: str


class Study(params.Section):
    """The content of a study file."""

    question: str
    document: str
    images: Images
    params: dict[str, Value]
    networks: dict[str, StudyNetwork] = Field(min_length=1)
    instead: list[Substitute]
    findings: list[Finding]


def study_names() -> list[str]:
    """Return the names of all studies, sorted."""
    return sorted(path.stem for path in STUDIES.glob("*.yaml"))


def read_study(name: str) -> Study:
    """Read the study, and check it in itself and against params.yaml.

    Raises:
        ValueError: There is no study of this name, its file is not YAML, or a value in it is not allowed.
    """
    path = STUDIES / f"{name}.yaml"
    if name not in study_names():
        raise ValueError(f"{STUDIES}: expected one of {', '.join(study_names()) or 'no study yet'}, got {name}.")
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


def describe_study(name: str, study: Study) -> str:
    """Return the study in words: its question, document, images, substitutes and findings."""
    texts = [
        f"{name}: {study.question}", f"After {study.document}.", "", f"Images: {study.images.origin}.",
        study.images.how,
    ]  # fmt: skip
    parts = [("Not as stated", [f"{part.stated}. Instead: {part.run}, for {part.why}." for part in study.instead])]
    parts += [("Reported, to check", [f"{finding.claim}." for finding in study.findings])]
    for title, lines in parts:
        texts += ["", f"{title}:", *(f"- {text}" for text in lines)] if lines else []
    return "\n".join(texts)


def check_params(study: Study, document: dict[str, Any], path: Path) -> None:
    """Check that params.yaml has every key that the study sets, and a table for each of its networks.

    Raises:
        ValueError: A key or a network's table is missing.
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
    """Check that each sweep's choice is one of its values, that no value occurs twice, and that its name fits.

    Raises:
        ValueError: A choice, a value or a name is wrong.
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
    """Check that the study has the network, and one of its networks the sweep; None needs no check.

    Raises:
        ValueError: The study lacks the network or the sweep.
    """
    sweeps = dict.fromkeys(key for content in study.networks.values() for key in content.sweeps)
    for option, asked, known in (("sweep", sweep, [*sweeps, FINAL]), ("network", network, [*study.networks])):
        if asked not in (None, *known):
            raise ValueError(f"--{option}: expected one of {', '.join(known)} of {name}, got {asked}.")


def check_setting(study: Study, setting: Setting, where: str) -> None:
    """Check that the study runs the setting of a finding.

    Raises:
        ValueError: The study runs no such setting.
    """
    if setting.network not in study.networks:
        raise ValueError(f"{where}: expected a network of {', '.join(study.networks)}, got {setting.network}.")
    sweeps = study.networks[setting.network].sweeps
    if setting.sweep != FINAL and setting.sweep not in sweeps:
        raise ValueError(f"{where}: expected a sweep of {', '.join([*sweeps, FINAL])}, got {setting.sweep}.")
    if setting.sweep != FINAL and setting.value not in sweeps[setting.sweep].values:
        values = sweeps[setting.sweep].values
        raise ValueError(f"{where}: expected a value of {values}, got {setting.value!r}.")
