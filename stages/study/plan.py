"""A study as runs: which params each changes, in which order, under which name, and which sweeps share one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from stages.core.params import load
from stages.study.findings import FINAL
from stages.study.scale import Scale
from stages.study.study_file import STUDIES, Network, Study, Sweep
from stages.tracking.records import Record
from stages.tracking.run import Run, Value, in_force

Choices = Mapping[tuple[str, str], Value]  # by network and sweep
FEATURES = "data/5_features/"


@dataclass(frozen=True)
class Cell:
    """A value of a sweep under one seed, and the name of the run that it is."""

    network: str
    sweep: str
    value: Value
    seed: int
    run: str


@dataclass
class Plan:
    """The runs by name, in order, and what each is there for."""

    runs: dict[str, Run] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)

    def only(self, sweep: str | None, network: str | None) -> "Plan":
        """What the sweep and the network need; None stands for all."""
        cells = [cell for cell in self.cells if sweep in (None, cell.sweep) and network in (None, cell.network)]
        needed = {cell.run for cell in cells}
        return Plan({name: run for name, run in self.runs.items() if name in needed}, cells)


def make_plan(name: str, study: Study, scale: Scale, choices: Choices) -> Plan:
    """Every sweep of each network up to the first without a choice, whose runs are the last that can be known.

    A run that two sweeps have in common stands in the plan once, under the first one's name.

    Raises:
        ValueError: two runs would have the same name.
    """
    plan, document = Plan(), load()
    for network, content in study.networks.items():
        for sweep, changes, value in unfold(study, network, content, scale, choices):
            for seed in range(scale.seeds):
                end = f"{sweep}-{safe(value)}" if sweep != FINAL else FINAL
                called = f"{label(name, scale)}-{network}-{end}-s{seed}"
                swept = full_key(content.sweeps[sweep], network) if sweep != FINAL else ""
                run = Run(called, network, {**changes, "train.common.seed": seed}, swept)
                add(plan, run, Cell(network, sweep, value, seed, run.name), document, name)
    return plan


def label(name: str, scale: Scale) -> str:
    """The study's name, and that its choices were measured, where they were."""
    return name if scale.carry == "document" else f"{name}-{scale.carry}"


def unfold(
    study: Study, network: str, content: Network, scale: Scale, choices: Choices
) -> list[tuple[str, dict[str, Value], Value]]:
    """(sweep, all changes, the swept value) of one network, in order; the final run last, where all is chosen."""
    changes = start(study, network, content, scale)
    cells: list[tuple[str, dict[str, Value], Value]] = []
    for key, sweep in content.sweeps.items():
        param = full_key(sweep, network)
        cells += [(key, {**changes, param: value}, value) for value in sweep.values]
        if (network, key) not in choices:
            return cells
        changes |= {param: choices[network, key]}
    return [*cells, (FINAL, changes, None)]


def start(study: Study, network: str, content: Network, scale: Scale) -> dict[str, Value]:
    """All params before the first sweep."""
    own = {key if "." in key else f"train.{network}.{key}": value for key, value in content.params.items()}
    images = study.images.params if scale.data == study.images.source else {}
    changes = {
        "collect.source": scale.data,
        **study.params,
        **images,
        f"networks.{network}.input": content.input,
        **own,
    }
    if content.input.startswith(FEATURES):
        changes["backbones"] = [network]
    if scale.size is not None:
        changes["preprocess.size"] = scale.size
    if scale.epochs is not None:
        changes[f"train.{network}.epochs"] = scale.epochs
    if scale.width is not None and not content.input.startswith(FEATURES):
        changes[f"train.{network}.width"] = scale.width
    return changes | scale.params


def full_key(sweep: Sweep, network: str) -> str:
    """The key of params.yaml that a sweep changes."""
    return sweep.param if "." in sweep.param else f"train.{network}.{sweep.param}"


def add(plan: Plan, run: Run, cell: Cell, document: dict[str, Any], study: str) -> None:
    """The cell is in the plan, with its run, or with the run there that comes to the same params.

    Raises:
        ValueError: a run of the same name comes to others.
    """
    own = effect(run, document)
    same = next((each for each in plan.runs.values() if effect(each, document) == own), None)
    if same is None and run.name in plan.runs:
        other = next(each.value for each in plan.cells if each.run == run.name)
        raise ValueError(
            f"{STUDIES / study}.yaml networks.{cell.network}.sweeps.{cell.sweep}.values: expected values with "
            f"different names, got {other!r} and {cell.value!r}, both {run.name}."
        )
    if same is None:
        plan.runs[run.name] = run
    plan.cells.append(cell if same is None else replace(cell, run=same.name))


def effect(run: Run, document: dict[str, Any]) -> tuple[str, dict[str, Value]]:
    """The network, and those of the run's changes that change something."""
    return run.network, {key: value for key, value in run.changes.items() if in_force(document, key) != value}


def document_choices(study: Study) -> dict[tuple[str, str], Value]:
    """What the document went on with."""
    networks = study.networks.items()
    return {(network, key): sweep.chosen for network, content in networks for key, sweep in content.sweeps.items()}


def safe(value: Value) -> str:
    """The value as part of an experiment's name, which git takes for a reference: `60/20/20` is `60-20-20`."""
    if isinstance(value, list):
        return plain("-".join(map(str, value)))
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return plain(str(value))


def plain(text: str) -> str:
    """The text with a hyphen for all but letters, digits, `+`, `_` and single dots inside."""
    return re.sub(r"[^\w.+]+|\.{2,}", "-", text, flags=re.ASCII).strip("-.") or "empty"


def choose(
    study: Study, scale: Scale, name: str, records: dict[str, Record], settled: set[str]
) -> dict[tuple[str, str], Value]:
    """What each sweep goes on with: the document's values, or those best on validation, of sweeps that are settled.

    A sweep is settled when all its runs are, done or failed. The best has the highest mean accuracy over its seeds; of
    equals the first.
    """
    if scale.carry == "document":
        return document_choices(study)
    choices: dict[tuple[str, str], Value] = {}
    for network, content in study.networks.items():
        for key, sweep in content.sweeps.items():
            cells = make_plan(name, study, scale, choices).only(key, network).cells
            scores = [mean_accuracy(cells, value, records) for value in sweep.values]
            if max(scores) < 0 or not {cell.run for cell in cells} <= settled:
                break
            choices[network, key] = sweep.values[scores.index(max(scores))]
    return choices


def mean_accuracy(cells: list[Cell], value: Value, records: dict[str, Record]) -> float:
    """The value's mean validation accuracy over its finished seeds; -1 without any."""
    done = [records[cell.run] for cell in cells if cell.value == value and cell.run in records]
    found = [float(record.numbers["val_accuracy"]) for record in done]
    return sum(found) / len(found) if found else -1
