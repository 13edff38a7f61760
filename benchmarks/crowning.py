"""What lets the worse of two networks win on 60 validation images: chance, the choice of the epoch, or groups.

    python -m benchmarks.crowning --folder ../shared/data/dog_cat

400 images of the folder, and 400 of the project's drawings in whole groups of look-alikes, are dealt anew several
times, with 60 images for validation and 60 for test. Each time AlexNet is trained from scratch and a head on the frozen
Xception, with the params of params.yaml. The rule of `compare` chooses one of the two, and so does the rule of before:
the best accuracy on validation. The worse network is the one with the lower mean accuracy on test.
"""

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.dividing import divide_images
from benchmarks.rounds import publish, to_table
from benchmarks.transfer import activate, prepare, settings_mirrors, take_pixels
from stages import models
from stages.compare.choice import choose
from stages.core.tables import read_table
from stages.core.terminal import command, progress
from stages.networks.inputs import divide, read_inputs
from stages.results.grouped_accuracy import accuracy_difference
from stages.train import run as train
from stages.training.hyperparams import read_settings
from stages.transforms.affine import read_augmentation

NETWORKS = ("alexnet", "xception")
COUNT = 400
CLEANED, RAW = Path("data/2_clean/kept.csv"), Path("data/1_raw")

Floats = npt.NDArray[np.float64]


class Scored(NamedTuple):
    """What a trained network is worth on the images of a split: right or not, and loss, one value for each."""

    right: Floats
    losses: Floats
    groups: npt.NDArray[np.str_]


def main() -> None:
    """Train all networks on all deals of both sets and publish the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="photographs of two or more classes")
    parser.add_argument("--deals", type=int, default=8)
    arguments = parser.parse_args()
    networks, choices = [], []
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        prepare(work)
        for title, take in (("the drawings", take_drawings), (arguments.folder.name, take_photographs)):
            folder = work / title.replace(" ", "-")
            folder.mkdir()
            take(arguments.folder, folder / "images")
            deals = train_deals(folder, arguments.deals)
            networks += [[title, *row] for row in describe_networks(deals)]
            choices.append([title, *describe_choices(deals)])
    header = ["images", "network", "val", "test", "val less test", "its deviation", "that of chance alone"]
    publish(
        "crowning",
        f"{COUNT} images of each set, {arguments.deals} deals, 60 for validation and 60 for test.\n",
        to_table(header, networks),
        "Of the deals:\n",
        to_table(["images", "worse named alone", "both named", "worse is champion", "worse, by the old rule"], choices),
    )


def take_photographs(source: Path, target: Path) -> None:
    """Copy equally many images of each class."""
    folders = sorted(path for path in source.iterdir() if path.is_dir())
    rng = np.random.default_rng(0)
    for folder in folders:
        (target / folder.name).mkdir(parents=True)
        files = sorted(folder.iterdir())
        for number in rng.permutation(len(files))[: COUNT // len(folders)]:
            shutil.copy(files[number], target / folder.name)


def take_drawings(_: Path, target: Path) -> None:
    """Copy drawings in whole groups, drawn at random."""
    kept = read_table(CLEANED)
    groups = np.random.default_rng(0).permutation(kept["group"].unique())
    sizes = kept["group"].value_counts()[groups].cumsum()
    for row in kept[kept["group"].isin(groups[sizes.to_numpy() <= COUNT])].to_dict("records"):
        (target / row["class"]).mkdir(parents=True, exist_ok=True)
        shutil.copy(RAW / row["file"], target / row["class"])


def train_deals(folder: Path, count: int) -> list[dict[str, dict[str, Scored]]]:
    """Return for each deal and network what it is worth on validation and test."""
    pixels = take_pixels(folder / "images", folder)
    sources = {"alexnet": pixels, "xception": activate(pixels, settings_mirrors(), folder)}
    found = []
    for seed in progress(range(count), count, folder.name):
        split = divide_images(pixels / "index.csv", seed, folder)
        found.append({name: train_and_score(name, sources[name], split, seed, folder) for name in NETWORKS})
    return found


def train_and_score(name: str, source: Path, split: Path, seed: int, work: Path) -> dict[str, Scored]:
    """Return what a network trained with the seed is worth on validation and test."""
    settings: Any = read_settings(name, models.load(name)).model_copy(update={"seed": seed})
    target = work / f"{name}-{seed}"
    train.run(name, name, settings, read_augmentation(settings.augmentation), source, split, target, work / "live")
    model = keras.models.load_model(target / "model.keras", compile=False)
    inputs, table = read_inputs(source), read_table(split)
    parts = divide(inputs, table)[1]
    groups = group_of(inputs.image_ids, table)
    return {part: score(model, inputs.array, parts[part], groups) for part in ("val", "test")}


def group_of(image_ids: list[str], split: pd.DataFrame) -> npt.NDArray[np.str_]:
    """Return the group of each image."""
    return split.set_index("image_id")["group"][image_ids].to_numpy(dtype=np.str_)


def score(model: keras.Model, array: Any, part: Any, groups: npt.NDArray[np.str_]) -> Scored:
    """Return what a model is worth on the rows of a split."""
    probabilities = model.predict(array[part.rows], verbose=0).astype(np.float64)
    right = probabilities.argmax(axis=1) == part.labels
    losses = -np.log(probabilities[np.arange(len(part.rows)), part.labels].clip(1e-12))
    return Scored(right.astype(np.float64), losses, groups[part.rows])


def describe_networks(deals: list[dict[str, dict[str, Scored]]]) -> list[list[str]]:
    """Return for each network its mean accuracies, and how far validation is from test, beside what chance explains."""
    rows = []
    for name in NETWORKS:
        val, test = (np.array([deal[name][part].right.mean() for deal in deals]) for part in ("val", "test"))
        n_val, n_test = (len(deals[0][name][part].right) for part in ("val", "test"))
        chance = np.sqrt(test.mean() * (1 - test.mean()) * (1 / n_val + 1 / n_test))
        gap = val - test
        rows.append([name, *(f"{value:.3f}" for value in (val.mean(), test.mean())), f"{gap.mean():+.3f}"])
        rows[-1] += [f"{gap.std(ddof=1):.3f}", f"{chance:.3f}"]
    return rows


def describe_choices(deals: list[dict[str, dict[str, Scored]]]) -> list[str]:
    """Return in how many deals the worse network was named alone, both were named, and the worse one was crowned."""
    means = {name: np.mean([deal[name]["test"].right.mean() for deal in deals]) for name in NETWORKS}
    worse = min(NETWORKS, key=lambda name: means[name])
    alone = both = crowned = before = 0
    for deal in deals:
        one, other = (deal[name]["val"] for name in NETWORKS)
        low, high, _ = accuracy_difference(one.right > 0, other.right > 0, one.groups)
        pair = {"a": NETWORKS[0], "b": NETWORKS[1], "split": "val", "low": low, "high": high}
        choice = choose({name: as_metrics(name, deal[name]["val"]) for name in NETWORKS}, [pair], None, {})
        alone += choice.contenders == [worse]
        both += len(choice.contenders) == 2
        crowned += choice.champion == worse
        before += max(NETWORKS, key=lambda name: (deal[name]["val"].right.mean(), name == "xception")) == worse
    return [f"{number} of {len(deals)}" for number in (alone, both, crowned, before)]


def as_metrics(name: str, scored: Scored) -> dict[str, Any]:
    """Return what the rule reads of a network's metrics."""
    val = {"accuracy": float(scored.right.mean()), "log_loss": float(scored.losses.mean())}
    return {"val": val, "pretrained": name == "xception", "parameters": NETWORKS.index(name)}


if __name__ == "__main__":
    command(main)
