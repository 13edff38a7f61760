"""Study: run a document's experiments, each a plain `dvc exp run`, and judge which of its findings hold here."""

import shlex
from functools import partial
from pathlib import Path

from pydantic import Field

from stages.core import params
from stages.core.files import read_json, replacing, write_json
from stages.study.figures import draw_sweep
from stages.study.findings import FINAL
from stages.study.page import as_markdown, failures_of
from stages.study.plan import Plan, choose, label, make_plan
from stages.study.result_tables import (
    Results,
    gather,
    read_current,
    read_failures,
    read_records,
    stamp,
    untested,
    withdraw,
    write_results,
)  # fmt: skip
from stages.study.scale import Scale, find_source
from stages.study.statistics import Evidence
from stages.study.study_file import Study, check_part, read_study
from stages.tracking.dvc_experiments import experiment_command, references
from stages.tracking.places import HERE, Where, place_of_runs
from stages.tracking.records import Record, as_text
from stages.tracking.run import Run
from stages.tracking.runner import adopt

TARGET = Path("metrics/studies")


class Judging(params.Section):
    """The section `study` of params.yaml: up to which difference in accuracy two settings are the same."""

    margin: float = Field(gt=0, lt=1)


def run(
    name: str, scale: Scale, sweep: str | None, network: str | None, judging: Judging, target: Path,
    where: Where = HERE,
) -> dict[str, str]:  # fmt: skip
    """Run the study, write its results into `target/<study>`, and return the failed runs with their reasons.

    An experiment of the same name that was made with the same params, code and source is not repeated. Where there is
    no experiment of the name, a run that the folder's tables hold is not repeated if it would see the same params. The
    tables get each run as it ends. With `carry: measured` a sweep starts once the sweeps before it are done.

    Raises:
        ValueError: There is no such study or sweep, another study is running, or not all experiments are pushed.
    """
    study = read_study(name)
    check_part(name, study, sweep, network)
    folder = target / label(name, scale)
    results = folder.absolute()
    records: dict[str, Record] = {}
    failures: dict[str, str] = {}
    with place_of_runs(scale.data, where) as place:
        failed: set[str] = set()  # in earlier calls; runs that are asked for now are tried again
        while True:
            settled, before = {*records, *failures, *failed}, failed
            plan = make_plan(name, study, scale, choose(study, scale, name, records, settled))
            part = plan.only(sweep, network)
            failed = {*read_failures(results, plan)} - {*part.runs}
            place.take_up(planned for planned in plan.runs.values() if planned.name not in records)
            found = adopt_all(plan, results, records)
            stamp(plan, records)
            print("".join(f"done already: {each.name}\n" for each in found), end="", flush=True)
            place.push(found)
            if found or failed != before:
                continue  # With them the plan may go further.
            done = {*records} - untested(plan, records)
            waiting = [planned for planned in part.runs.values() if planned.name not in (*done, *failures)]
            if not waiting:
                break
            titles = [f"run {number + 1} of {len(waiting)}" for number in range(len(waiting))]
            withdraw(results, waiting)
            keep = partial(save, name, study, scale, plan, records, failures, results)
            place.make(dict(zip(titles, waiting, strict=True)), records, failures, keep)
        plan = extend(name, study, scale, records, failures, results)
    if not part.runs:
        raise ValueError(f"--sweep {sweep}: expected the sweeps before it to be done, as --carry measured needs them.")
    publish(name, study, scale, plan, records, failures, judging, folder)
    place.check_pushed()
    return failures


def adopt_all(plan: Plan, folder: Path, records: dict[str, Record]) -> list[Run]:
    """Add the records of the plan's runs that are done to the records, and return these runs.

    Without an experiment of its name a run is done if the folder's tables hold it, as in a clone.
    """
    found = adopt(plan.runs.values(), records)
    of_tables = read_current(folder, plan, {*records, *references()})
    records.update(of_tables)
    found += [plan.runs[key] for key in of_tables]
    return found


def extend(
    name: str, study: Study, scale: Scale, records: dict[str, Record], failures: dict[str, str], folder: Path
) -> Plan:
    """Return the plan up to the last sweep that the records, and the folder's tables beside them, let begin."""
    known, failed = dict(records), {*failures}
    while True:
        plan = make_plan(name, study, scale, choose(study, scale, name, known, {*known, *failed}))
        new = {key: each for key, each in read_records(folder, plan).items() if key not in (*known, *failed)}
        newly_failed = {*read_failures(folder, plan)} - {*known, *failed, *new}
        if not new and not newly_failed:
            return plan
        known |= new
        failed |= newly_failed


def save(
    name: str, study: Study, scale: Scale, plan: Plan, records: dict[str, Record], failures: dict[str, str],
    folder: Path,
) -> None:  # fmt: skip
    """Write tables and scale of the results into the folder as `write_whole` does, if the plan goes to the end.

    Else the tables may hold runs of sweeps that the plan does not know yet.
    """
    stamp(plan, records)
    if {cell.network for cell in plan.cells if cell.sweep == FINAL} == {*study.networks}:
        write_whole(name, scale, plan, records, failures, folder)


def write_whole(
    name: str, scale: Scale, plan: Plan, records: dict[str, Record], failures: dict[str, str], folder: Path
) -> Results:
    """Write tables and scale of the results into the folder, with what it holds of the plan's other runs.

    What it holds of runs that have failed now is of other code, params or images, and is dropped.
    """
    former = {key: each for key, each in read_records(folder, plan).items() if key not in failures}
    lacking = untested(plan, records)
    records = former | {key: each for key, each in records.items() if key not in lacking}
    old = {key: reason for key, reason in read_failures(folder, plan).items() if key not in records}
    results = gather(plan, records, old | failures)
    write_results(results, folder)
    write_json({"study": name, **scale.model_dump()}, folder / "scale.json")
    return results


def publish(
    name: str, study: Study, scale: Scale, plan: Plan, records: dict[str, Record], failures: dict[str, str],
    judging: Judging, folder: Path,
) -> None:  # fmt: skip
    """Write tables, figures, page and scale of the results into the folder, and print the page."""
    results = write_whole(name, scale, plan, records, failures, folder)
    evidence = Evidence(results, judging.margin, scale.data == find_source(None, study, must_exist=False))
    for network, content in study.networks.items():
        for key, sweep in content.sweeps.items():
            draw_sweep(evidence, network, key, as_text(sweep.chosen), folder / f"{network}-{key}.png")
    page = as_markdown(name, study, scale, plan, evidence, folder)
    with replacing(folder / "README.md") as unfinished:
        unfinished.write_text(page, encoding="utf-8")
    print(f"\n{page}")
    print("\n".join([*failures_of(results.runs), f"{folder}/README.md has this page with its figures."]))


def redraw_report(folder: Path, judging: Judging) -> None:
    """Write the folder's page and figures anew from its tables; run nothing.

    Raises:
        FileNotFoundError: The folder holds no results of a study.
    """
    values = read_json(folder / "scale.json")
    name = values.pop("study")
    study, scale = read_study(name), Scale.model_validate(values)
    publish(name, study, scale, extend(name, study, scale, {}, {}, folder), {}, {}, judging, folder)


def command_lines(name: str, scale: Scale, sweep: str | None, network: str | None) -> str:
    """Return the commands of all runs that are known so far, one a line; a `#` precedes the runs that are done."""
    study = read_study(name)
    check_part(name, study, sweep, network)
    records: dict[str, Record] = {}
    while True:
        plan = make_plan(name, study, scale, choose(study, scale, name, records, {*records}))
        if not adopt_all(plan, TARGET / label(name, scale), records):
            break
    runs = plan.only(sweep, network).runs.values()
    return "\n".join(("# done: " if run.name in records else "") + shlex.join(experiment_command(run)) for run in runs)
