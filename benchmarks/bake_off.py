"""Which published backbone suits the images of the pipeline, and at which size: accuracy against multiply-adds.

    python -m benchmarks.bake_off --title "975 drawings" --work /tmp/bake_off

Each backbone sees the kept images in each size, and a logistic head is cross-validated on its activations: the same
folds and the same head for all. A backbone is to be chosen by the deals of training and validation images alone, which
the table and the figure show first; the accuracy on all images, and on those with no author known, is for the report.

What an earlier call made of the same images, folds and params in `--work` is not made again.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from benchmarks.rounds import RESULTS, publish, to_table
from stages import models
from stages.compare.folds import compare_folds
from stages.core import params
from stages.core.files import read_json, sha256, write_json
from stages.core.terminal import command, progress
from stages.cross_validate.run import run as cross_validate
from stages.features.activations import Boundary, Features, Job
from stages.features.run import run as features
from stages.figures.style import DPI, METADATA, begin_figure
from stages.networks.determinism import fix
from stages.networks.inputs import BACKBONE_FACTS
from stages.preprocess import Preprocess
from stages.preprocess import run as preprocess
from stages.pretrained.run import Pretrained
from stages.pretrained.run import run as pretrained
from stages.results.interval_texts import gap
from stages.training.hyperparams import read_settings
from stages.transforms.affine import Augmentation

NETWORKS, SIZES = ("xception", "efficientnet_lite0", "efficientnet_lite2"), (128, 192, 256)
RAW, KEPT, FOLDS = Path("data/1_raw"), Path("data/2_clean/kept.csv"), Path("data/4_split/folds.csv")


def main() -> None:
    """Measure all backbones at all sizes, and publish table and figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--title", required=True, help="what the images are, for the table and the figure")
    parser.add_argument("--name", default="bake_off", help="of the results")
    parser.add_argument("--networks", nargs="*", default=NETWORKS)
    parser.add_argument("--sizes", nargs="*", type=int, default=SIZES, help="pixels of a side")
    parser.add_argument("--against", default="efficientnet_lite0-192", help="the backbone and size of the differences")
    parser.add_argument("--work", type=Path, required=True, help="a folder for pixels and activations")
    arguments = parser.parse_args()
    if not params.find_table(params.load(), "cross_validation")["choice_deals"]:
        raise ValueError("params.yaml cross_validation.choice_deals: expected deals to choose a backbone by, got 0.")
    cells = [(name, size) for size in arguments.sizes for name in arguments.networks]
    if arguments.against not in {f"{name}-{size}" for name, size in cells}:
        raise ValueError(f"--against: expected one of the networks, - and one of the sizes, got {arguments.against}.")
    work = arguments.work / "-".join(sha256(path)[:8] for path in (KEPT, FOLDS, params.PARAMS))
    # A process for each, because TensorFlow refuses another number of threads after its first tensor.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        found = pool.map(measure, *zip(*cells, strict=True), repeat(work))
        rows = list(progress(found, len(cells), "backbones"))
    table = pd.DataFrame(rows).sort_values(["network", "size"])
    table["gap"] = [difference(f"{row.network}-{row.size}", arguments.against, work) for row in table.itertuples()]
    draw(table, arguments.title, RESULTS / f"{arguments.name}.png")
    publish(arguments.name, f"{arguments.title}, {describe_head()}.\n", describe(table, arguments.against))


def measure(name: str, size: int, work: Path) -> dict[str, Any]:
    """Return how often a head on the backbone's activations is right, and the multiply-adds for an image."""
    pixels, weights, target = work / f"pixels-{size}", work / f"{name}-weights", work / f"{name}-{size}"
    found = target / "found.json"
    if found.is_file():
        return dict(read_json(found))
    still = params.read(Features, "features").model_copy(update={"views": 0})
    fix(0, still.threads)  # before the first tensor
    if not pixels.is_dir():
        preprocess(params.read(Preprocess, "preprocess").model_copy(update={"size": [size, size]}), RAW, KEPT, pixels)
    if not weights.is_dir():
        pretrained(name, params.read(Pretrained, "pretrained"), weights)
    module = models.module_of(name)
    fixed = {"head": "logistic", "threads": still.threads, "trainable_layers": 0, "fine_tuning_epochs": 0}
    settings: Any = read_settings(name, models.load(module)).model_copy(update=fixed)
    boundary = Boundary(scaling=settings.scaling, trainable_layers=0)
    features(Job(name, still, boundary, Augmentation(), pixels, weights), target / "activations")
    scores = cross_validate(name, module, settings, Augmentation(), target / "activations", FOLDS, target / "tested")
    facts = read_json(target / "activations" / BACKBONE_FACTS)
    row = {"network": name, "size": size, "multiply_adds": facts["frozen_multiply_adds"]}
    row |= {"choice": scores.get("choice"), "all": scores, "unknown": scores.get("apart", {}).get("all_unknown")}
    write_json(row, found)
    return row


def difference(name: str, against: str, work: Path) -> str:
    """Return how much more often one is right than the other about all images, on the same folds, with its interval."""
    if name == against:
        return "-"
    (pair, *_) = compare_folds({each: work / each / "tested" for each in (name, against)})
    return gap(pair)


def describe_head() -> str:
    """Return in words what is trained on the activations, and how it is tested."""
    folds = params.find_table(params.load(), "cross_validation")
    return (
        f"a logistic head on frozen activations, {folds['deals']} deals of {folds['folds']} folds with 95 % intervals, "
        f"{folds['choice_deals']} deals without test images to choose by"
    )


def describe(table: pd.DataFrame, against: str) -> str:
    """Return the table: a row for each backbone and size."""
    header = ["backbone", "pixels", "GFLOP", "to choose by", "all images", f"less {against}", "no author known"]
    rows = [
        [row["network"], str(row["size"]), f"{2 * row['multiply_adds'] / 1e9:.2f}",
         with_ends(row["choice"]), with_ends(row["all"]), row["gap"], with_ends(row["unknown"])]
        for row in table.to_dict("records")
    ]  # fmt: skip
    return to_table(header, rows)


def with_ends(scores: dict[str, float] | None) -> str:
    """Return an accuracy with its interval, or a dash where there are no such deals."""
    return f"{scores['accuracy']:.3f} ({scores['low']:.3f} to {scores['high']:.3f})" if scores else "-"


def draw(table: pd.DataFrame, title: str, path: Path) -> None:
    """Draw accuracy by multiply-adds: a line for each backbone, a point for each size."""
    begin_figure()
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for name, rows in table.groupby("network"):
        accuracy, low, high = (np.array([row[key] for row in rows["choice"]]) for key in ("accuracy", "low", "high"))
        work = 2 * rows["multiply_adds"] / 1e9
        axes.errorbar(work, accuracy, [accuracy - low, high - accuracy], marker="o", capsize=3, label=name)
        for x, y, size in zip(work, accuracy, rows["size"], strict=True):
            axes.annotate(f" {size}", (x, y), xytext=(3, 5), textcoords="offset points", fontsize=8)
    axes.set(xscale="log", xlabel="GFLOP per image", ylabel="accuracy of folds to choose by",
             title=f"{title}: backbones by size in pixels")  # fmt: skip
    work = 2 * table["multiply_adds"] / 1e9
    ticks = [2.0**power for power in range(-6, 10) if work.min() / 2 < 2.0**power < work.max() * 2]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
    axes.minorticks_off()
    axes.legend()
    figure.savefig(path, dpi=DPI, metadata=METADATA)


if __name__ == "__main__":
    command(main)
