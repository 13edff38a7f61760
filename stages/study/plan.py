"""A study as runs: which params each run changes, in which order, under which name, and which sweeps share a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from stages.core.params import ABSENT, load, lookup
from stages.models import module_of
from stages.study.findings import FINAL
from stages.study.scale import FOLD, RATIOS, Scale
from stages.study.study_file import STUDIES, Study, StudyNetwork, Sweep
from stages.tracking.records import Record
from stages.tracking.run import Run, Value, as_name_part, in_force

Choices = Mapping[tuple[str, str], Value]  # by network and sweep
PIXELS, FEATURES = "data/3_pixels", "data/5_features/"


@dataclass(frozen=True)
class Cell:
    """A value of a sweep under one seed, the name of its run, and the fold that it tests, if there are folds."""

    network: str
    sweep: str
    value: Value
    seed: int
    run: str
    fold: int | None = None


@dataclass
class Plan:
    """The runs by name, in order, and the cells that they fill."""

    runs: dict[str, Run] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)

    def only(self, sweep: str | None, network: str | None) -> "Plan":
        """Return the part of the plan for one sweep and one network; None means all."""
        cells = [cell for cell in self.cells if sweep in (None, cell.sweep) and network in (None, cell.network)]
        needed = {cell.run for cell in cells}
        return Plan({name: run for name, run in self.runs.items() if name in needed}, cells)


def make_plan(name: str, study: Study, scale: Scale, choices: Choices) -> Plan:
    """Plan each network's sweeps up to the first sweep without a choice; later sweeps depend on this choice.

    A run that two sweeps share is in the plan once, under the name of the first sweep.

    Raises:
        ValueError: Two different runs would have the same name.
    """
    plan, document = Plan(), load()
    for network, content in study.networks.items():
        for sweep, changes, value in unfold(study, network, content, scale, choices):
            end = f"{sweep}-{as_name_part(value)}" if sweep != FINAL else FINAL
            swept = full_key(content.sweeps[sweep], network) if sweep != FINAL else ""
            for seed, fold in product(range(scale.seeds), folds_of(scale, swept)):
                of_fold: dict[str, Value] = {} if fold is None else {RATIOS: f"kfold/{scale.folds}", FOLD: fold}
                ending = f"{end}-s{seed}" if fold is None else f"{end}-f{fold}-s{seed}"
                run = Run(
                    f"{label(name, scale)}-{network}-{ending}", network,
                    {**changes, **of_fold, "train.common.seed": seed}, swept,
                )  # fmt: skip
                add_cell(plan, run, Cell(network, sweep, value, seed, run.name, fold), document, name)
    return plan


def folds_of(scale: Scale, swept: str) -> Sequence[int | None]:
    """Return the folds for which a setting is trained; one None for the one division of a sweep over splits."""
    return range(scale.folds) if scale.folds and not swept.startswith("split.") else [None]


def label(name: str, scale: Scale) -> str:
    """Return the study's name, with the images' and the number of folds if any, and `-measured` if it carries these."""
    parts = [name, scale.images, f"{scale.folds}folds" if scale.folds else ""]
    return "-".join(filter(None, [*parts, "" if scale.carry == "document" else scale.carry]))


def unfold(
    study: Study, network: str, content: StudyNetwork, scale: Scale, choices: Choices
) -> list[tuple[str, dict[str, Value], Value]]:
    """Return (sweep, all changes, swept value) of one network in order; the final run is last, once all is chosen."""
    changes = initial_changes(study, network, content, scale)
    cells: list[tuple[str, dict[str, Value], Value]] = []
    for key, sweep in content.sweeps.items():
        param = full_key(sweep, network)
        cells += [(key, {**changes, param: value}, value) for value in sweep.values]
        if (network, key) not in choices:
            return cells
        changes |= {param: choices[network, key]}
    return [*cells, (FINAL, changes, None)]


def initial_changes(study: Study, network: str, content: StudyNetwork, scale: Scale) -> dict[str, Value]:
    """Return all changes to params.yaml before the first sweep."""
    own = {key if "." in key else f"train.{network}.{key}": value for key, value in content.params.items()}
    images = study.images.params if scale.data == study.images.source else {}
    changes = {
        "collect.source": scale.data,
        **study.params,
        **images,
        f"networks.{network}.input": content.input,
        **own,
    }
    if lookup(load(), f"networks.{network}.module") is ABSENT:
        changes.setdefault(f"networks.{network}.module", module_of(network))
    if content.input.startswith(FEATURES):
        changes.setdefault(f"backbones.{network}.pixels", PIXELS)
    if scale.size is not None:
        changes["preprocess.size"] = scale.size
    if scale.epochs is not None:
        changes[f"train.{network}.epochs"] = scale.epochs
    if scale.width is not None and not content.input.startswith(FEATURES):
        changes[f"train.{network}.width"] = scale.width
    return changes | scale.params


def full_key(sweep: Sweep, network: str) -> str:
    """Return the key of params.yaml that a sweep changes."""
    return sweep.param if "." in sweep.param else f"train.{network}.{sweep.param}"


def add_cell(plan: Plan, run: Run, cell: Cell, document: dict[str, Any], study: str) -> None:
    """Add the cell to the plan with its run, or with a run of the plan that has the same params.

    Raises:
        ValueError: A run of the same name has other params.
    """
    own = effective_changes(run, document)
    same = next((known for known in plan.runs.values() if effective_changes(known, document) == own), None)
    if same is None and run.name in plan.runs:
        other = next(known.value for known in plan.cells if known.run == run.name)
        raise ValueError(
            f"{STUDIES / study}.yaml networks.{cell.network}.sweeps.{cell.sweep}.values: expected values with "
            f"different names, got {other!r} and {cell.value!r}, both {run.name}."
        )
    if same is None:
        plan.runs[run.name] = run
    plan.cells.append(cell if same is None else replace(cell, run=same.name))


def effective_changes(run: Run, document: dict[str, Any]) -> tuple[str, dict[str, Value]]:
    """Return the network and the changes of the run that differ from params.yaml."""
    return run.network, {key: value for key, value in run.changes.items() if in_force(document, key) != value}


def document_choices(study: Study) -> dict[tuple[str, str], Value]:
    """Return the value that the document chose in each sweep."""
    networks = study.networks.items()
    return {(network, key): sweep.chosen for network, content in networks for key, sweep in content.sweeps.items()}


def choose(
    study: Study, scale: Scale, name: str, records: dict[str, Record], settled: set[str]
) -> dict[tuple[str, str], Value]:
    """Return the choice of each sweep: the document's value, or the best on validation if the sweep is settled.

    A sweep is settled when all its runs are done or have failed. The best value has the highest mean accuracy over its
    seeds; of equal values, the first is chosen.
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
    """Return the value's mean validation accuracy over the seeds whose runs are all done; -1 if there is none."""
    own = [cell for cell in cells if cell.value == value]
    lacking = {cell.seed for cell in own if cell.run not in records}
    found = [float(records[cell.run].numbers["val_accuracy"]) for cell in own if cell.seed not in lacking]
    return sum(found) / len(found) if found else -1
