"""The gain from ImageNet weights under a frozen Xception, and from cached activations in a sweep over its head.

    python -m benchmarks.transfer --folder ../shared/data/dog_cat

Both are measured on the project's own drawings (data/3_pixels, after `dvc repro`) and, with --folder, on the images of
a folder of classes. Accuracies are for the test images, over splits of different seeds, with the params of params.yaml.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from benchmarks.dividing import divide_images
from benchmarks.rounds import publish, to_table
from stages import preprocess
from stages.backbones.libraries import make_backbone
from stages.clean import run as clean
from stages.clean.settings import Clean
from stages.collect import run as collect
from stages.core import params
from stages.core.tables import read_table
from stages.core.terminal import command
from stages.features import run as features
from stages.features.activations import Boundary, Features, Job
from stages.images import decisions as reviews
from stages.models import xception
from stages.networks.determinism import fix
from stages.networks.inputs import divide, read_inputs
from stages.networks.layers import scaling_layer
from stages.pretrained import run as pretrained
from stages.train import run as train
from stages.training import checkpoints
from stages.training.batches import Batches
from stages.training.hyperparams import read_settings
from stages.transforms.affine import Augmentation

NETWORK = "xception"
SEEDS = range(5)
RATES = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4)
EPOCHS_OF_A_RATE = 20


@dataclass(frozen=True)
class Accuracy:
    """The accuracy of the trained head on the test images, one value for each seed."""

    each: list[float]

    def __str__(self) -> str:
        return f"{np.mean(self.each):.3f} ({min(self.each):.3f} to {max(self.each):.3f})"


def prepare(work: Path) -> None:
    """Set an empty folder for checkpoints, so that no earlier run is resumed, and the threads before tensors exist."""
    checkpoints.cache_folder = lambda name: work / name  # type: ignore[attr-defined]
    training = read_settings(NETWORK, xception)
    fix(training.seed, training.threads)


def settings_of(section: type[params.Section], *names: str) -> Any:
    """Return the section of params.yaml."""
    return params.read(section, *names)


def take_pixels(source: Path, work: Path) -> Path:
    """Return the pixels of a folder's images, cleaned as params.yaml says, without a person's decisions."""
    collect.run(
        settings_of(collect.Collect, "collect").model_copy(update={"classes": [], "source": str(source)}), work / "raw"
    )
    (work / "review.csv").write_text(",".join(reviews.COLUMNS) + "\n", encoding="utf-8")
    clean.run(settings_of(Clean, "clean"), work / "raw", work / "review.csv", work / "clean")
    settings = settings_of(preprocess.Preprocess, "preprocess")
    preprocess.run(settings, work / "raw", work / "clean" / "kept.csv", work / "pixels")
    return work / "pixels"


def activate(pixels: Path, mirrors: list[str], work: Path) -> Path:
    """Return the activations under the weights of the first mirror that answers."""
    found = settings_of(pretrained.Pretrained, "pretrained")
    source = found.networks[NETWORK].model_copy(update={"mirrors": mirrors})
    found = found.model_copy(update={"allow_random": True, "networks": {NETWORK: source}})
    pretrained.run(NETWORK, found, work / "weights")
    boundary, settings = settings_of(Boundary, f"train.{NETWORK}"), settings_of(Features, "features")
    job = Job(NETWORK, settings, boundary, Augmentation(), pixels, work / "weights")
    features.run(job, work / "features")
    return work / "features"


def score(pixels: Path, activations: Path, work: Path, **changes: object) -> Accuracy:
    """Return the accuracy of a head trained on the activations, over splits of five seeds with these params changed."""
    training = read_settings(NETWORK, xception)
    each = []
    for seed in SEEDS:
        split = divide_images(pixels / "index.csv", seed, work, **changes)
        seeded = training.model_copy(update={"seed": seed})
        train.run(NETWORK, NETWORK, seeded, Augmentation(), activations, split, work / f"{seed}", work / f"{seed}-live")
        model = keras.models.load_model(work / f"{seed}" / "model.keras", compile=False)
        inputs = read_inputs(activations)
        part = divide(inputs, read_table(split))[1]["test"]
        predicted = model.predict(inputs.array[part.rows], verbose=0).argmax(axis=1)
        each.append(float((predicted == part.labels).mean()))
    return Accuracy(each)


def time_sweep(pixels: Path, activations: Path, work: Path) -> tuple[float, float]:
    """Return CPU seconds of a sweep of five rates on cached activations, and of one pass through the frozen part.

    The sweep has 20 epochs at each rate. The pass goes over the images of train and val: each epoch would cost at least
    as much without the cache, and the cache costs it once.
    """
    training: Any = read_settings(NETWORK, xception)
    brief = {"epochs": EPOCHS_OF_A_RATE, "patience": EPOCHS_OF_A_RATE}
    split = work / "split-0.csv"  # of `score`
    start = time.process_time()
    for rate in RATES:
        changed = training.model_copy(update={**brief, "learning_rate": rate})
        train.run(NETWORK, NETWORK, changed, Augmentation(), activations, split, work / "rate", work / "rate-live")
    swept = time.process_time() - start
    inputs = read_inputs(pixels)
    classes, parts = divide(inputs, read_table(split))
    images = keras.Input(inputs.shape)
    backbone = make_backbone(NETWORK, settings_of(pretrained.Pretrained, "pretrained").networks[NETWORK], inputs.shape)
    model = keras.Model(images, backbone(scaling_layer(training.scaling)(images), training=False))
    batches = [Batches(inputs.array, parts[name], 32, 0, np.ones(len(classes))) for name in ("train", "val")]
    model.predict(batches[1][0][0], verbose=0)
    start = time.process_time()
    for each in batches:
        for number in range(len(each)):
            model.predict_on_batch(each[number][0])
    return swept, time.process_time() - start


def measure(name: str, pixels: Path, work: Path) -> tuple[list[str], list[str]]:
    """Return a row of accuracies and a row of costs for a set of images."""
    found = {}
    for kind, mirrors in (("ImageNet", settings_mirrors()), ("random", ["random"])):
        folder = work / kind
        folder.mkdir(parents=True)
        found[kind] = score(pixels, activate(pixels, mirrors, folder), folder)
    gain = np.mean(found["ImageNet"].each) - np.mean(found["random"].each)
    swept, epoch = time_sweep(pixels, work / "ImageNet" / "features", work / "ImageNet")
    whole = epoch * EPOCHS_OF_A_RATE * len(RATES)
    costs = [name, f"{swept:.1f}", f"{epoch:.1f}", f"{whole:.0f}", f"1/{whole / swept:.0f}"]
    costs.append(f"1/{whole / (swept + epoch):.0f}")
    return [name, str(found["ImageNet"]), str(found["random"]), f"{gain:+.3f}"], costs


def settings_mirrors() -> list[str]:
    """Return the mirrors of params.yaml."""
    mirrors: list[str] = settings_of(pretrained.Pretrained, "pretrained").networks[NETWORK].mirrors
    return mirrors


def main() -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description="Measure what transfer learning is worth and costs.")
    parser.add_argument("--folder", type=Path, help="images of two or more classes, to measure on too")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        prepare(work)
        sets = {"the drawings": Path("data/3_pixels")}
        if arguments.folder:
            (work / "taken").mkdir()
            sets[arguments.folder.name] = take_pixels(arguments.folder, work / "taken")
        for number, (title, pixels) in enumerate(sets.items()):
            rows.append(measure(title, pixels, work / str(number)))
    publish(
        "transfer",
        "Test accuracy of a linear head on a frozen Xception: mean and range of five splits and trainings.\n",
        to_table(["images", "ImageNet weights", "random weights", "gain"], [accuracies for accuracies, _ in rows]),
        f"CPU seconds of a sweep over {len(RATES)} learning rates of the head, {EPOCHS_OF_A_RATE} epochs each.\n",
        to_table(
            [
                "images",
                "on cached activations",
                "one pass through the frozen part",
                "passes of the whole sweep",
                "share",
                "with the pass that fills the cache",
            ],
            [costs for _, costs in rows],
        ),
    )


if __name__ == "__main__":
    command(main)
