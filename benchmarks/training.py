"""How long a training step takes, against plain Keras, the machine's matrix product and the feeding alone.

    python -m benchmarks.training

Each case lives in a process of its own, which has done its work once before the first round, and does equally many
steps in each round. The images are drawn scenes: an array for ours, PNG files of the same pixels for Keras.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import rounds
from benchmarks.rounds import Cost, median, publish, ratio, take_turns, to_table
from benchmarks.scenes import draw_scene
from benchmarks.workloads import Case, Setting, start, work_once
from stages.core.params import find_table, load
from stages.core.tables import write_table
from stages.core.terminal import command

CLASSES = 3
KERNEL_SIZES = (3, 5, 7, 11, 15, 25)
OURS, KERAS, BFLOAT16 = "ours", "plain Keras", "ours, mixed_bfloat16"
FEED, KERAS_FEED, PRODUCT = "feeding alone, ours", "feeding alone, plain Keras", "matrix product, float32"
Done = dict[str, dict[str, int]]


def step_cases(width: float) -> dict[str, Case]:
    """Return a training step of VGG16 and the cases that it is compared with."""
    changes = {"width": width, "form": "film_genres"}
    ours = Case("fit", changes=changes)
    return {
        OURS: ours,
        "ours again": ours,
        KERAS: Case("fit", "keras", changes=changes),
        BFLOAT16: Case("fit", changes=changes, precision="mixed_bfloat16"),
        FEED: Case("feed"),
        KERAS_FEED: Case("feed", "keras"),
        PRODUCT: Case("product"),
    }


def kernel_cases(width: float) -> dict[str, Case]:
    """Return a training step of ConvNet with each kernel size, the first size twice."""
    sizes = {str(size): size for size in KERNEL_SIZES} | {f"{KERNEL_SIZES[0]} again": KERNEL_SIZES[0]}
    changes = {name: {"width": width, "kernel_size": size} for name, size in sizes.items()}
    return {name: Case("fit", network="convnet", changes=each) for name, each in changes.items()}


def write_images(folder: Path, number: int, side: int) -> None:
    """Write `images.npy` and, with the same pixels, `files/<class>/<number>.png` into the folder."""
    scenes = [draw_scene((side, side), *([image, part] for part in range(3))) for image in range(number)]
    for image, scene in enumerate(scenes):
        path = folder / "files" / str(image % CLASSES) / f"{image:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        scene.save(path)
    np.save(folder / "images.npy", np.stack([np.asarray(scene) for scene in scenes]))


def measure(cases: Mapping[str, Case], setting: Setting, count: int) -> tuple[dict[str, list[Cost]], Done]:
    """Return the costs of each case in each round, and what it did in every round.

    Raises:
        ValueError: Two cases or rounds did not do the same work.
    """
    done: Done = {}
    context = get_context("forkserver")  # Each case has a process of its own, which begins as all others do.
    context.set_forkserver_preload(["stages", "keras"])

    def run(name: str, child: ProcessPoolExecutor) -> Cost:
        cost, did = child.submit(work_once).result()
        if done.setdefault(name, did) != did:
            raise ValueError(f"{name}: expected {done[name]} in each round, got {did}.")
        return cost

    with ExitStack() as stack:
        ways: dict[str, Callable[[], Cost]] = {}
        for name, case in cases.items():
            child = ProcessPoolExecutor(1, context, start, (case, setting))
            ways[name] = partial(run, name, stack.enter_context(child))
            child.submit(int).result()  # wait until it is set up, before the next one starts
        costs = take_turns(ways, count)
    check_same(done.values(), "steps", "batches", "images")
    return costs, done


def check_same(done: Iterable[dict[str, int]], *keys: str) -> None:
    """Check that all cases that report a number report the same number.

    Raises:
        ValueError: The numbers differ.
    """
    for key in keys:
        numbers = {did[key] for did in done if key in did}
        if len(numbers) > 1:
            raise ValueError(f"{key}: expected the same from all cases, got {sorted(numbers)}.")


def scale(costs: list[Cost], units: float) -> list[Cost]:
    """Return the costs of one unit of work, given the number of units."""
    return [Cost(cost.wall_s / units, cost.cpu_s / units) for cost in costs]


def compare_steps(costs: dict[str, list[Cost]], done: Done) -> str:
    """Return the table of seconds for each step."""
    rows = []
    for name in (name for name in costs if "steps" in done[name]):
        seconds = [f"{median(scale(costs[name], done[name]['steps']), unit):.3f}" for unit in ("cpu_s", "wall_s")]
        ratios = [ratio(costs[name], costs[OURS], unit) if name != OURS else "1" for unit in ("cpu_s", "wall_s")]
        rows.append([name, *seconds, *ratios])
    return to_table(["", "CPU s a step", "wall s a step", "CPU s against ours", "wall s against ours"], rows)


def compare_feeding(costs: dict[str, list[Cost]], done: Done) -> str:
    """Return the table of the time that making a batch takes."""
    step = scale(costs[OURS], done[OURS]["steps"])
    rows = []
    for name in (FEED, KERAS_FEED):
        batch = scale(costs[name], done[name]["batches"])
        against = ratio(costs[name], costs[FEED], "cpu_s") if name != FEED else "1"
        rows.append([name, f"{1000 * median(batch, 'cpu_s'):.1f}", against, ratio(step, batch, "cpu_s")])
    return to_table(["", "CPU ms a batch", "against ours", "a step of ours takes times as long"], rows)


def compare_with_peak(costs: dict[str, list[Cost]], done: Done) -> str:
    """Return the table of floating-point operations for each CPU second."""
    units = {name: scale(costs[name], done[name]["flops"] / 1e9) for name in (PRODUCT, OURS, BFLOAT16)}
    rows = [
        [name, f"{1 / median(each, 'cpu_s'):.1f}", ratio(units[PRODUCT], each, "cpu_s")] for name, each in units.items()
    ]
    return to_table(["", "GFLOP a CPU second", "of the matrix product's"], rows)


def compare_kernels(costs: dict[str, list[Cost]], done: Done) -> str:
    """Return the table of kernel sizes."""
    first = str(KERNEL_SIZES[0])
    rows = []
    for name, each in costs.items():
        steps, gflops = done[name]["steps"], done[name]["flops"] / 1e9
        more = f"{done[name]['flops'] / done[first]['flops']:.2f}"
        seconds = f"{median(scale(each, steps), 'cpu_s'):.3f}"
        speed = f"{1 / median(scale(each, gflops), 'cpu_s'):.1f}"
        rows.append([name, f"{gflops / steps:.1f}", more, seconds, ratio(each, costs[first], "cpu_s"), speed])
    header = ["kernel size", "GFLOP a step", f"against {first}", "CPU s a step", f"against {first}"]
    return to_table([*header, "GFLOP a CPU second"], rows)


def tabulate_kernels(costs: dict[str, list[Cost]], done: Done) -> pd.DataFrame:
    """Return a row for each kernel size: CPU seconds a step, and their ratio to the first size over the rounds.

    `ratio` is the median, `low` and `high` are the range. `stages.study.verdicts` reads this table.
    """
    first = str(KERNEL_SIZES[0])
    rows = []
    for name, own in costs.items():
        ratios = [one.cpu_s / other.cpu_s for one, other in zip(own, costs[first], strict=True)]
        seconds = f"{median(scale(own, done[name]['steps']), 'cpu_s'):.3f}"
        rows.append(
            [name, seconds, first, *(f"{value:.2f}" for value in (np.median(ratios), min(ratios), max(ratios)))]
        )
    return pd.DataFrame(rows, columns=["kernel_size", "cpu_s_per_step", "against", "ratio", "low", "high"])


def main() -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description="Measure training steps.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=4, help="in each round")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--side", type=int, default=96, help="of the images, in pixels")
    parser.add_argument("--width", type=float, default=1, help="of the networks")
    arguments = parser.parse_args()
    threads = find_table(load(), "train.common")["threads"]
    with tempfile.TemporaryDirectory() as name:
        setting = Setting(Path(name), CLASSES, arguments.batch_size, threads)
        write_images(setting.folder, arguments.steps * arguments.batch_size, arguments.side)
        steps = measure(step_cases(arguments.width), setting, arguments.rounds)
        kernels = measure(kernel_cases(arguments.width), setting, arguments.rounds)
    check_same([steps[1][name] for name in (OURS, KERAS, BFLOAT16)], "flops", "parameters")
    intro = (
        f"Batches of {arguments.batch_size} images of {arguments.side} pixels, {arguments.steps} steps a round, "
        f"{threads} threads; medians of {arguments.rounds} rounds in turn, and range.\n"
    )
    network = [table(*steps) for table in (compare_steps, compare_feeding, compare_with_peak)]
    publish("training", intro, "## VGG16 of film_genres\n", *network, "## ConvNet\n", compare_kernels(*kernels))
    write_table(tabulate_kernels(*kernels), rounds.RESULTS / "training.csv")


if __name__ == "__main__":
    command(main)
