"""Study: a document's experiments, each a plain `dvc exp run`, and what of its findings holds here."""

import argparse
import shlex
import sys
from pathlib import Path

from pydantic import Field

from stages.core import params
from stages.core.evidence import Evidence
from stages.core.experiments import line
from stages.core.files import read_json, replacing, write_json
from stages.core.plans import Plan, label, make_plan
from stages.core.records import Record, as_text, gather, read_failures, read_records, write_results
from stages.core.scales import Scale, find_source, read_scale
from stages.core.starter import write_starter
from stages.core.studies import Study, check_part, names, read_study
from stages.core.study_figures import draw_sweep
from stages.core.study_report import as_markdown, failures_of
from stages.core.study_runs import adopt, attempt, choose, locked, make_data
from stages.core.terminal import command

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
    with locked():
        make_data()
        failed: set[str] = set()  # in former calls; what is to be run now is tried again
        while True:
            settled = {*records, *failures, *failed}
            plan = make_plan(name, study, scale, choose(study, scale, name, records, settled))
            part = plan.only(sweep, network)
            failed = {*read_failures(folder, plan)} - {*part.runs}
            found = adopt(plan, records)
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
        if not adopt(plan, records):
            break
    runs = plan.only(sweep, network).runs.values()
    return "\n".join(("# done: " if run.name in records else "") + shlex.join(line(run)) for run in runs)


def parse() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m stages.study", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the studies and what they ask")
    for name, text in (("show", "what a study does, and its lines"), ("run", "run what of it is not done")):
        each = commands.add_parser(name, help=text)
        each.add_argument("study", help="a file of studies/, without its ending")
        each.add_argument("--sweep", help="only this one")
        each.add_argument("--network", help="only this one")
        each.add_argument("--data", help="other images: a folder, an archive, or a study whose images to take")
        each.add_argument("--epochs", type=int, help="at most so many")
        each.add_argument("--width", type=float, help="of the networks that learn from pixels; 1 is the document's")
        each.add_argument("--size", type=int, help="pixels of a side")
        each.add_argument("--seeds", type=int, default=1, help="run all with this many seeds, from 0")
        each.add_argument("--carry", choices=["document", "measured"], default="document",
                          help="go on with what the document chose, or with what is best on validation")  # fmt: skip
        each.add_argument("-S", "--set-param", metavar="KEY=VALUE", action="append", default=[],
                          help="any other key of params.yaml, as in `dvc exp run -S`")  # fmt: skip
        each.add_argument("--dry", action="store_true", help="only print the lines")
    report = commands.add_parser("report", help="draw table, figures and verdicts anew from what is recorded")
    report.add_argument("folder", type=Path, help="a folder of metrics/studies")
    new = commands.add_parser("new", help="write a study file to begin with")
    new.add_argument("study", help="its name: small letters, digits and _")
    return parser.parse_args()


def main() -> None:
    """List, show, run or begin a study."""
    arguments = parse()
    if arguments.command == "list":
        print("\n".join(f"{name:<18} {read_study(name).question}" for name in names()))
    elif arguments.command == "new":
        print(write_starter(arguments.study))
    elif arguments.command == "report":
        report(arguments.folder, params.read(Drawing, "study"))
    else:
        is_shown = arguments.command == "show" or arguments.dry
        data = find_source(arguments.data, read_study(arguments.study), must_exist=not is_shown)
        limits = {key: getattr(arguments, key) for key in ("epochs", "width", "size", "seeds", "carry")}
        scale = read_scale({"data": data, **limits}, arguments.set_param)
        part = (arguments.study, scale, arguments.sweep, arguments.network)
        if arguments.command == "show":
            print(f"{describe(arguments.study, read_study(arguments.study))}\n")
        if is_shown:
            print(lines(*part))
        elif run(*part, params.read(Drawing, "study"), TARGET):
            sys.exit(1)


if __name__ == "__main__":
    command(main)
