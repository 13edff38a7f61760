"""How long the intervals of an evaluation take, against a plain loop with scikit-learn, and the memory they need.

    python -m benchmarks.bootstrap

Both take the same draws of groups. The loop repeats the rows that a draw took and gives them to the functions of
scikit-learn; it does so for a few draws, and their time is multiplied. Every run is a process of its own.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from sklearn import metrics

from benchmarks.rounds import Cost, median, now, publish, ratio, read_peak, report, run_child, take_turns, to_table
from stages.core.terminal import command
from stages.results.bootstrap import draw_groups, number_groups, replicate

CLASSES = (3, 10)
SEED = 0
Values = dict[str, list[float]]


def make_predictions(rows: int, n_classes: int) -> dict[str, np.ndarray]:
    """Return labels, float32 probabilities that are often right, and groups; one row in nine joins another's group."""
    random = np.random.default_rng([rows, n_classes])
    labels = random.integers(n_classes, size=rows)
    odds = np.exp(random.normal(size=(rows, n_classes)) + 2 * np.eye(n_classes)[labels])
    probabilities = (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
    groups = np.where(random.random(rows) < 1 / 9, random.integers(rows, size=rows), np.arange(rows))
    return {"labels": labels, "probabilities": probabilities, "groups": groups}


def ours(labels: np.ndarray, probabilities: np.ndarray, groups: np.ndarray, draws: int) -> Values:
    """Return the five metrics of each draw, as `evaluate` computes them."""
    return {name: values.tolist() for name, values in replicate(labels, probabilities, groups, draws, SEED).items()}


def plain(labels: np.ndarray, probabilities: np.ndarray, groups: np.ndarray, draws: int) -> Values:
    """Return the five metrics of each draw, computed with scikit-learn draw after draw."""
    n_groups, group = number_groups(groups)
    found: Values = {name: [] for name in ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "roc_auc")}
    doubles = probabilities.astype(float)
    doubles /= doubles.sum(axis=1, keepdims=True)
    for weights in draw_groups(n_groups, draws, SEED, 1):
        rows = np.repeat(np.arange(len(labels)), weights[group, 0].astype(int))
        true, p = labels[rows], probabilities[rows]
        predicted = p.argmax(axis=1)
        found["accuracy"].append(metrics.accuracy_score(true, predicted))
        found["balanced_accuracy"].append(metrics.balanced_accuracy_score(true, predicted))
        found["macro_f1"].append(metrics.f1_score(true, predicted, average="macro"))
        found["log_loss"].append(metrics.log_loss(true, doubles[rows]))
        found["roc_auc"].append(metrics.roc_auc_score(true, p, multi_class="ovr", average="macro"))
    return found


def work(way: str, answers: str, draws: str, result: str) -> None:
    """Write, in a child process, the way's values, its CPU seconds and the memory before it began to the result's path.

    One draw comes first: what only the first call needs must not be multiplied, and neither must the end of the
    process.
    """
    with np.load(answers) as stored:
        given = dict(stored)
    take = {"ours": ours, "plain": plain}[way]
    idle_mb = read_peak()
    take(**given, draws=1)
    start = now()
    values = take(**given, draws=int(draws))
    report(Path(result), start, values=values, idle_mb=idle_mb, cpu_s=time.process_time() - start[1])


@dataclass
class Case:
    """The predictions for a number of classes, the file that holds them, and what the runs on them reported."""

    n_classes: int
    path: Path
    n_groups: int
    idle_mb: float = 0.0
    values: Values = field(default_factory=dict)

    def run(self, way: str, draws: int) -> Cost:
        """Run the way in a child process and return its cost.

        Raises:
            ValueError: The values of a draw differ from the values of the first run.
        """
        result, cost = run_child(sys.executable, "-m", "benchmarks.bootstrap", "work", way, self.path, draws)
        self.idle_mb = max(self.idle_mb, result["idle_mb"])
        for name, values in result["values"].items():
            first = self.values.setdefault(name, values)
            shared = min(len(first), len(values))
            if not np.allclose(first[:shared], values[:shared], rtol=1e-9, atol=0):
                raise ValueError(f"{way}: expected the {name} of the first run, got {values[:shared]}.")
        return Cost(cost.wall_s, result["cpu_s"], cost.peak_mb)


def prepare(folder: Path, rows: int, n_classes: int) -> Case:
    """Write the predictions of a case and return the case."""
    path, answers = folder / f"{n_classes}.npz", make_predictions(rows, n_classes)
    np.savez(path, allow_pickle=False, **answers)
    return Case(n_classes, path, len(np.unique(answers["groups"])))


def measure(case: Case, draws: int, plain_draws: int, rounds: int) -> list[str]:
    """Return the table's row for a case."""
    costs = take_turns(
        {
            "ours": partial(case.run, "ours", draws),
            "ours again": partial(case.run, "ours", draws),
            "plain": partial(case.run, "plain", plain_draws),
            "ten times": partial(case.run, "ours", 10 * draws),
        },
        rounds,
    )
    times = draws / plain_draws
    loop = [Cost(cost.wall_s * times, cost.cpu_s * times) for cost in costs["plain"]]
    return [
        str(case.n_classes),
        *(f"{median(costs['ours'], unit):.2f}" for unit in ("wall_s", "cpu_s")),
        f"{median(loop, 'cpu_s'):.1f}",
        ratio(loop, costs["ours"], "cpu_s"),
        ratio(loop, costs["ours"], "wall_s"),
        ratio(costs["ours again"], costs["ours"], "cpu_s"),
        *(f"{median(each, 'peak_mb'):.0f}" for each in (costs["ours"], costs["ten times"], costs["plain"])),
        f"{case.idle_mb:.0f}",
    ]


def main() -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description="Measure the bootstrap.")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--plain-draws", type=int, default=50, help="of the plain loop")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        cases = [prepare(Path(name), arguments.rows, n_classes) for n_classes in CLASSES]
        rows = [measure(case, arguments.draws, arguments.plain_draws, arguments.rounds) for case in cases]
    header = ["classes", "wall s", "CPU s", "CPU s, plain loop", "CPU s, plain loop against ours", "wall s"]
    header += ["CPU s, ours again against ours", "peak MB", "with 10 times the draws", "plain loop", "before"]
    groups = " and ".join(f"{case.n_groups:,}" for case in cases)
    publish("bootstrap", INTRO.format(groups=groups, **vars(arguments)), to_table(header, rows))


INTRO = """\
Five metrics of {rows:,} predictions in {groups} groups, {draws:,} draws: median of {rounds} rounds in turn, and range.
The plain loop ran {plain_draws} draws a round and its seconds are counted up in proportion; both gave the same values
in each draw. Peak MB is of the whole process, `before` is after its imports and with the predictions read. Other work
ran on this machine meanwhile: CPU seconds suffer less from this than wall seconds.
"""

if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        work(*sys.argv[2:])
    else:
        command(main)
