"""Study: a document's experiments, each a plain `dvc exp run`, and what of its findings holds here."""

import shlex
from pathlib import Path

from pydantic import Field

from stages.core import params
from stages.core.files import read_json, replacing, write_json
from stages.study.figures import draw_sweep
from stages.study.page import as_markdown, failures_of
from stages.study.plan import Plan, choose, label, make_plan
from stages.study.results import gather, read_failures, read_records, write_results
from stages.study.scale import Scale
from stages.study.statistics import Evidence
from stages.study.study_file import Study, check_part, read_study
from stages.tracking.dvc_experiments import line
from stages.tracking.records import Record, as_text
from stages.tracking.runner import adopt, attempt, make_data, only_study

TARGET = Path("metrics/studies")


class Drawing(params.Section):
    """The section `study` of params.yaml: how often images are drawn anew for an interval."""

    draws: int = Field(ge=100)
    seed: int = Field(ge=0)


def run(
    name: str, scale: Scale, sweep: str | None, network: str | None, drawing: Drawing, target: Path
) -> dict[str, str]:  # fmt: skip
    """The runs that failed, with the reason, after all others are done and the results lie in `target/<study>`.

    What is done is not run again: an experiment of the same name, made with the same params, code and source. With
    `carry: measured` a sweep starts once those before it are done.

    Raises:
        ValueError: there is no such study or sweep, or another one is running.
    """
    study = read_study(name)
    check_part(name, study, sweep, network)
    folder = target / label(name, scale)
    records: dict[str, Record] = {}
    failures: dict[str, str] = {}
    with only_study():
        make_data()
        failed: set[str] = set()  # in former calls; what is to be run now is tried again
        while True:
            settled = {*records, *failures, *failed}
            plan = make_plan(name, study, scale, choose(study, scale, name, records, settled))
            part = plan.only(sweep, network)
            failed = {*read_failures(folder, plan)} - {*part.runs}
            found = adopt(plan.runs.values(), records)
            print("".join(f"done already: {each}\n" for each in found), end="", flush=True)
            waiting = [each for each in part.runs.values() if each.name not in (*records, *failures)]
            for number, each in enumerate(waiting, 1):
                print(f"\nrun {number} of {len(waiting)}", flush=True)
                attempt(each, records, failures)
            if not found and not waiting:
                break
    if not part.runs:
        raise ValueError(f"--sweep {sweep}: expected the sweeps before it to be done, as --carry measured needs them.")
    records = read_records(folder, plan) | records
    old = {key: reason for key, reason in read_failures(folder, plan).items() if key not in records}
    publish(name, study, scale, plan, records, old | failures, drawing, folder)
    return failures


def publish(
    name: str, study: Study, scale: Scale, plan: Plan, records: dict[str, Record], failures: dict[str, str],
    drawing: Drawing, folder: Path,
) -> None:  # fmt: skip
    """The folder holds the results' tables, figures and page, and how they were made; the page is printed."""
    results = gather(plan, records, failures)
    write_results(results, folder)
    write_json({"study": name, **scale.model_dump()}, folder / "scale.json")
    evidence = Evidence(results, drawing.draws, drawing.seed)
    for network, content in study.networks.items():
        for key, sweep in content.sweeps.items():
            draw_sweep(evidence, network, key, as_text(sweep.chosen), folder / f"{network}-{key}.png")
    page = as_markdown(name, study, scale, plan, evidence, folder)
    with replacing(folder / "README.md") as unfinished:
        unfinished.write_text(page, encoding="utf-8")
    print(f"\n{page}")
    print("\n".join([*failures_of(results.runs), f"{folder}/README.md has this page with its figures."]))


def report(folder: Path, drawing: Drawing) -> None:
    """The folder's page and figures are drawn anew from its tables; nothing is run.

    Raises:
        FileNotFoundError: no study was run into the folder.
    """
    values = read_json(folder / "scale.json")
    name = values.pop("study")
    study, scale = read_study(name), Scale.model_validate(values)
    records: dict[str, Record] = {}
    failures: dict[str, str] = {}
    while True:
        plan = make_plan(name, study, scale, choose(study, scale, name, records, {*records, *failures}))
        found = read_records(folder, plan), read_failures(folder, plan)
        if {*found[0], *found[1]} == {*records, *failures}:
            break
        records, failures = found
    publish(name, study, scale, plan, records, failures, drawing, folder)


def describe(name: str, study: Study) -> str:
    """The study in words."""
    texts = [
        f"{name}: {study.question}", f"After {study.document}.", "", f"Images: {study.images.origin}.",
        study.images.how,
    ]  # fmt: skip
    parts = [("Not as stated", [f"{each.stated}. Instead: {each.run}, for {each.why}." for each in study.instead])]
    parts += [("Reported, to check", [f"{each.claim}." for each in study.findings])]
    for title, lines in parts:
        texts += ["", f"{title}:", *(f"- {each}" for each in lines)] if lines else []
    return "\n".join(texts)


def lines(name: str, scale: Scale, sweep: str | None, network: str | None) -> str:
    """The commands of all runs that can be known, those that are done behind a `#`."""
    study = read_study(name)
    check_part(name, study, sweep, network)
    records: dict[str, Record] = {}
    while True:
        plan = make_plan(name, study, scale, choose(study, scale, name, records, {*records}))
        if not adopt(plan.runs.values(), records):
            break
    runs = plan.only(sweep, network).runs.values()
    return "\n".join(("# done: " if run.name in records else "") + shlex.join(line(run)) for run in runs)
