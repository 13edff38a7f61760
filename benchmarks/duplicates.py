"""Which planted near-duplicates our step `clean` finds, which the peers find, at what precision and in what time.

    python -m benchmarks.duplicates --peers .venv-peers/bin/python
    python -m benchmarks.duplicates --camera --images 300

The threshold of each peer is the largest with the best precision on the set of seed 1; all results are for the set of
seed 2. Ours has no threshold chosen here: it is what params.yaml says. Every run is a process of its own, and reads its
files from the system's cache.
"""

import argparse
import csv
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import planted
from benchmarks.rounds import Cost, median, publish, ratio, run_child, take_turns, to_table
from benchmarks.truth import Score, Truth, find_unplanted, read_truth, score
from benchmarks.variants import CHANGES, DAMAGES
from stages.collect.run import Collect
from stages.collect.run import run as collect
from stages.core import params
from stages.core.terminal import command

OURS, MIRRORED, AGAIN = "ours", "ours, mirrored", "ours again"
PEERS = ("imagehash", "imagededup PHash", "imagededup DHash", "difPy")
BITS = list(range(17))
# Mean squared errors. difPy runs at each, because its groups at one threshold do not give its groups at a lower one.
ERRORS = [0, 1, 2, 5, 8, 11, 14, 20]
Reported = dict[str, Any]


def find(python: str, method: str, folder: Path, setting: object) -> tuple[Reported, Cost]:
    """Return what the method reports of the folder, and its cost, with all files in the system's cache."""
    for path in folder.rglob("*.*"):
        path.read_bytes()
    return run_child(python, "-m", "benchmarks.methods", method, folder, setting)


def try_thresholds(method: str, python: str, folder: Path) -> dict[int, Score]:
    """Return the peer's score at each threshold."""
    truth, images = read_truth(folder), folder / "images"
    if method == "difPy":
        return {error: score(find(python, method, images, error)[0]["pairs"], [], truth) for error in ERRORS}
    pairs = find(python, method, images, BITS[-1])[0]["pairs"]
    return {bits: score([pair for pair in pairs if pair[2] <= bits], [], truth) for bits in BITS}


def choose(scores: dict[int, Score]) -> int:
    """Return the largest threshold with the best precision."""
    return max(scores, key=lambda threshold: (scores[threshold].precision, threshold))


def describe_thresholds(tried: dict[str, dict[int, Score]]) -> str:
    """Return a table of finds and precision of the peers by threshold, on the set that the thresholds are chosen on."""
    rows = []
    for method, scores in tried.items():
        for threshold, each in scores.items():
            name = f"**{threshold}**" if threshold == choose(scores) else str(threshold)
            rows.append([method, name, str(sum(each.found.values())), str(each.wrong), f"{each.precision:.3f}"])
    return to_table(["method", "threshold", "found", "wrong pairs", "precision"], rows)


def describe_scores(scores: dict[str, Score], truth: Truth, settings: dict[str, str]) -> str:
    """Return the table of what each method found, reported wrongly, and refused."""
    near, broken = truth.count(CHANGES), truth.count(DAMAGES)
    rows = [[kind, *(f"{each.found[kind]} of {truth.count([kind])}" for each in scores.values())] for kind in CHANGES]
    totals: dict[str, Callable[[Score], str]] = {
        "**all near-duplicates**": lambda each: f"**{sum(each.found.values()) / near:.3f}**",
        "**precision**": lambda each: f"**{each.precision:.3f}**",
        "wrong pairs": lambda each: str(each.wrong),
        "broken files refused": lambda each: f"{sum(each.refused[kind] for kind in DAMAGES)} of {broken}",
        "of them PNG without end": lambda each: str(each.refused["PNG without end"]),
        "other files refused": lambda each: str(sum(each.refused.values()) - sum(each.refused[k] for k in DAMAGES)),
    }
    rows += [[name, *(show(each) for each in scores.values())] for name, show in totals.items()]
    rows.append(["threshold", *(settings[name] for name in scores)])
    return to_table(["found of each kind", *scores], rows)


def describe_costs(costs: dict[str, list[Cost]]) -> str:
    """Return the table of seconds, of the ratios to ours with their range over the rounds, and of memory if known."""
    is_known = all(cost.peak_mb for each in costs.values() for cost in each)
    header = ["method", "CPU s", "wall s", "CPU s against ours", "wall s against ours", *["peak MB"] * is_known]
    rows = []
    for name, each in costs.items():
        seconds = [f"{median(each, unit):.1f}" for unit in ("cpu_s", "wall_s")]
        ratios = [ratio(each, costs[OURS], unit) for unit in ("cpu_s", "wall_s")]
        rows.append([name, *seconds, *ratios, *[f"{median(each, 'peak_mb'):.0f}"] * is_known])
    return to_table(header, rows)


def measure(methods: Mapping[str, Callable[[], tuple[Reported, Cost]]], rounds: int) -> tuple[dict[str, Reported], Any]:
    """Return what each method reports, which is the same in each round, and its costs.

    Raises:
        ValueError: A method reports something else in a later round.
    """
    reported: dict[str, Reported] = {}

    def cost_of(name: str) -> Cost:
        result, cost = methods[name]()
        result = {key: sorted(values) for key, values in result.items()}
        if reported.setdefault(name, result) != result:
            raise ValueError(f"{name}: expected the same pairs in every round, got others.")
        return cost

    return reported, take_turns({name: partial(cost_of, name) for name in methods}, rounds)


def write_unplanted(reported: dict[str, Reported], truth: Truth, path: Path) -> None:
    """Write a table of the pairs of different originals that methods call the same, for a person to look at."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(["method", "first", "second"])
        for name, result in reported.items():
            table.writerows([name, *pair] for pair in find_unplanted(result["pairs"], truth))


def run(
    work: Path, python: str, base: planted.Base | None, rounds: int, peers: Iterable[str], sizes: tuple[int, int]
) -> None:
    """Publish the tables for one set of images: drawn images, large drawn images, or the base's photographs.

    The sizes are numbers of files: of the drawn set that thresholds are chosen on, and of the set compared on.
    """
    name, kind = describe_set(base)
    first, second = work / "seed-1", work / f"{name}-seed-2"
    for folder, seed, images, originals in ((first, 1, sizes[0], None), (second, 2, sizes[1], base)):
        if not folder.exists():
            planted.write(folder, seed, images, originals)
    raw = work / f"{name}-raw"
    collect(params.read(Collect, "collect").model_copy(update={"source": str(second / "images")}), raw)
    tried = {peer: try_thresholds(peer, python, first) for peer in peers}
    settings = {OURS: "params.yaml", AGAIN: "params.yaml", MIRRORED: "params.yaml"}
    settings |= {peer: str(choose(scores)) for peer, scores in tried.items()}
    ours = partial(find, sys.executable, "ours", raw)
    methods = {OURS: partial(ours, "plain"), AGAIN: partial(ours, "plain"), MIRRORED: partial(ours, "mirrored")}
    methods |= {peer: partial(find, python, peer, second / "images", settings[peer]) for peer in tried}
    reported, costs = measure(methods, rounds)
    truth = read_truth(second)
    del reported[AGAIN]
    scores = {name: score(result["pairs"], result["refused"], truth) for name, result in reported.items()}
    write_unplanted(reported, truth, work / f"{name}-unplanted.csv")
    publish(
        name,
        f"Near-duplicates planted among {len(truth.kinds)} files: {kind}.\n",
        describe_scores(scores, truth, settings),
        f"Median of {rounds} rounds in turn, and range. Imports are not counted.\n",
        describe_costs(costs),
        "How the thresholds were chosen, on seed 1: the largest with the best precision.\n",
        describe_thresholds(tried),
    )


def describe_set(base: planted.Base | None) -> tuple[str, str]:
    """Return the name of the table, and a description of the set that it is measured on."""
    if base == "camera":
        return "camera", "scenes of 1 to 12 megapixels as cameras save them, seed 2"
    if base:
        return "photographs", "photographs, whose own duplicates count as wrong pairs"
    return "duplicates", "drawn images, seed 2"


def main() -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description="Compare our step `clean` with peers on planted near-duplicates.")
    parser.add_argument("--peers", default=".venv-peers/bin/python", help="the peers' Python")
    parser.add_argument("--only", choices=PEERS, nargs="*", default=PEERS, help="the peers to run")
    base = parser.add_mutually_exclusive_group()
    base.add_argument("--base", type=Path, help="photographs to plant among, instead of drawn images")
    base.add_argument("--camera", dest="base", action="store_const", const="camera", help="draw 1 to 12 megapixels")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=int, default=1500, help="files in the set to compare on")
    parser.add_argument("--work", type=Path, help="a folder to keep the sets in, and to take them from again")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = arguments.work or Path(name)
        run(work, arguments.peers, arguments.base, arguments.rounds, arguments.only, (1500, arguments.images))


if __name__ == "__main__":
    command(main)
