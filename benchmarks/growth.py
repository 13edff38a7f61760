"""What each step takes with ten and with a hundred thousand images: seconds, memory, bytes, and DVC's part.

    python -m benchmarks.growth --photographs FOLDER FOLDER --work /tmp/growth

Each number of images is a clone of this repository's last commit, whose source are `benchmarks.collages`, and whose
steps `dvc repro --single-item` runs one after the other. Networks that learn from pixels train one epoch on the first
number of images, and are left out of the others; EfficientNet-Lite0's head is trained as always. A run that was stopped
goes on.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks import collages
from benchmarks.rounds import publish, to_table
from benchmarks.watch import Watch
from stages.core.terminal import command

SIDE = 96
BACKBONE, FROM_PIXELS = "efficientnet_lite0", ("vgg", "alexnet", "peetznet")
MILLION = 1_000_000
ENVIRONMENT = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@dataclass(frozen=True)
class StepCost:
    """A step's seconds, those of DVC beside it, its most memory in MB, and how many MB it wrote."""

    seconds: float
    dvc_s: float
    peak_mb: float
    written_mb: float


def call(folder: Path, *words: str) -> str:
    """Run a command in the folder and return what it prints.

    Raises:
        ValueError: It fails.
    """
    found = subprocess.run(words, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if found.returncode:
        end = " ".join((found.stdout + found.stderr).split()[-80:])
        raise ValueError(f"{' '.join(words)}: expected exit status 0, got {found.returncode}: {end}.")
    return found.stdout


def prepare(project: Path, images: Path, is_first: bool) -> None:
    """Clone this repository into the folder and write the params of the run into it."""
    unfinished = project.with_name(f"{project.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    call(Path(), "git", "clone", "--quiet", ".", str(unfinished))
    path = unfinished / "params.yaml"
    params: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    features = f"data/5_features/{BACKBONE}"
    params["collect"]["source"] = str(images.resolve())
    params["preprocess"]["size"], params["inputs"] = SIDE, {}
    params["backbones"] = {BACKBONE: {"pixels": "data/3_pixels"}}
    params["suggest"]["network"] = BACKBONE
    params["cross_validation"] |= {
        "networks": {BACKBONE: {"module": "published", "input": features}},
        "deals": 1,
        "choice_deals": 1,
        "apart": None,
        "shares": [],
    }
    params["networks"] = {BACKBONE: {"module": "published", "input": features}}
    if is_first:
        for name in FROM_PIXELS:
            params["networks"][name] = {"module": name, "input": "data/3_pixels"}
            params["train"][name]["epochs"] = 1
    path.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    (unfinished / "data" / "review.csv").write_text("image_id,decision,class,reason,time\n", encoding="utf-8")
    (unfinished / "dvc.lock").unlink()
    unfinished.rename(project)


def measure(project: Path) -> dict[str, StepCost]:
    """Run all steps that have not run yet, and return what each took."""
    notes = project / "costs.json"
    costs = {name: StepCost(**each) for name, each in json.loads(notes.read_text()).items()} if notes.exists() else {}
    names = call(project, "dvc", "stage", "list", "--name-only").split()
    for name in names:
        if name not in costs:
            costs[name] = run_step(project, name)
            print(name, costs[name], file=sys.stderr, flush=True)
            notes.write_text(json.dumps({name: asdict(each) for name, each in costs.items()}, indent=2))
    return {name: costs[name] for name in names}


def run_step(project: Path, name: str) -> StepCost:
    """Run a step alone and return what it took.

    Raises:
        ValueError: It fails.
    """
    log = project / "step.log"
    start = time.perf_counter()
    with log.open("w") as stream:
        words = ["dvc", "repro", "--single-item", name]
        child = subprocess.Popen(words, cwd=project, env=ENVIRONMENT, stdout=stream, stderr=subprocess.STDOUT)
        watch = Watch(child.pid)
        watch.start()
        status = child.wait()
    watch.join()
    wall = time.perf_counter() - start
    if status:
        raise ValueError(f"{name}: expected exit status 0, got {status}, see {log}.")
    lock = yaml.safe_load((project / "dvc.lock").read_text(encoding="utf-8"))
    written = sum(out.get("size", 0) for out in lock["stages"][name].get("outs", []))
    return StepCost(watch.seen_s, wall - watch.seen_s, watch.peak_bytes / 1e6, written / 1e6)


def measure_imports(project: Path, name: str) -> float:
    """Return how many MB the step's imports take."""
    document = yaml.safe_load((project / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    stage = document[name.split("@")[0]]
    module = stage.get("do", stage)["cmd"].split()[2]
    target = f"{module}.__main__" if (project / module.replace(".", "/")).is_dir() else module
    code = f"import {target}; print(open('/proc/self/status').read())"
    fields = dict(line.split(":", 1) for line in call(project, sys.executable, "-c", code).splitlines() if ":" in line)
    return int(fields["RssAnon"].split()[0]) * 1024 / 1e6


def measure_dvc(project: Path, remote: Path) -> list[list[str]]:
    """Return what DVC takes where nothing is to do, and to push everything to a folder for the first time."""
    rows = []
    call(project, "dvc", "remote", "add", "--force", "--default", "here", str(remote))
    for words in ("dvc status", "dvc repro", "dvc push", "dvc push"):
        start = time.perf_counter()
        call(project, *words.split())
        rows.append([words, f"{time.perf_counter() - start:.0f}"])
    shutil.rmtree(remote)
    return rows


def describe(costs: dict[int, dict[str, StepCost]], imports: dict[str, float]) -> str:
    """Return the table of all steps, with what a million images would need if each further image takes as much."""
    few, many = min(costs), max(costs)
    header = ["step", "imports' MB"]
    for number in costs:
        header += [f"{number:,}: s", "DVC's s", "peak MB", "written MB"]
    rows = []
    for name in costs[few]:
        row = [name, f"{imports[name]:.0f}"]
        for each in costs.values():
            row += show(each[name]) if name in each else [""] * 4
        rows.append([*row, *foresee(costs[few][name], costs[many].get(name), few, many)])
    return to_table([*header, f"{MILLION:,}: h", "peak GB", "written GB"], rows)


def show(cost: StepCost) -> list[str]:
    """Return the cells of a step."""
    return [f"{cost.seconds:.1f}", f"{cost.dvc_s:.1f}", f"{cost.peak_mb:.0f}", f"{cost.written_mb:.0f}"]


def foresee(low: StepCost, high: StepCost | None, few: int, many: int) -> list[str]:
    """Return the cells of a million images: hours, those of DVC included, memory and bytes in GB."""
    if high is None or few == many:
        return [""] * 3
    times = (MILLION - many) / (many - few)
    pairs = (
        (low.seconds + low.dvc_s, high.seconds + high.dvc_s),
        (low.peak_mb, high.peak_mb),
        (low.written_mb, high.written_mb),
    )
    seconds, peak, written = (b + times * max(0.0, b - a) for a, b in pairs)
    return [f"{seconds / 3600:.1f}", f"{peak / 1e3:.1f}", f"{written / 1e3:.1f}"]


def main() -> None:
    """Measure all numbers of images, and publish the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=Path, nargs="*", default=[], help="folders with a folder for each class")
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--work", type=Path, required=True, help="a folder for images and clones, of about 60 GB")
    arguments = parser.parse_args()
    costs, dvc = {}, []
    for number in sorted(arguments.images):
        images, project = arguments.work / f"images-{number}", arguments.work / f"project-{number}"
        if not images.exists():
            collages.write(images, number, collages.read_contents(arguments.photographs))
        if not project.exists():
            prepare(project, images, number == min(arguments.images))
        costs[number] = measure(project)
        dvc += [[f"{number:,}", *row] for row in measure_dvc(project, arguments.work / "remote")]
    first = arguments.work / f"project-{min(arguments.images)}"
    imports = {name: measure_imports(first, name) for name in costs[min(costs)]}
    publish("growth", describe(costs, imports), to_table(["images", "command", "s"], dvc))


if __name__ == "__main__":
    command(main)
