"""Whether networks that learn from scratch lose by smaller images: the same divisions, seeds and epochs, other pixels.

    python -m benchmarks.pixel_sizes

Takes what `dvc repro clean` left, and preprocesses it in each size. Each deal divides the images anew, by `split` with
the deal's number as seed, and trains each network on each size with that number as seed, on one thread. What is
compared is the accuracy on validation of the epoch that `train` keeps; test is not looked at. Trainings that
`results/pixel_sizes.csv` has are not repeated, so that an interrupted run goes on, and several can run beside each
other. VGG and PeetzNet in 64 and 96 pixels took half an hour on two cores, one beside the other.
"""

import argparse
from itertools import pairwise, product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from benchmarks.dividing import divide_images
from benchmarks.rounds import RESULTS, publish, to_table
from stages import models
from stages.core.files import read_json
from stages.core.locks import locked
from stages.core.params import read
from stages.core.tables import read_table
from stages.core.terminal import command
from stages.preprocess import Preprocess
from stages.preprocess import run as preprocess
from stages.train.run import run as train
from stages.training.hyperparams import read_settings
from stages.transforms.affine import read_augmentation

NETWORKS = ("vgg", "alexnet", "peetznet")
PIXELS = (64, 96, 128)  # of a side
COLUMNS = ["deal", "network", "pixels", "kept_epoch", "val_loss", "val_accuracy", "seconds"]


def main() -> None:
    """Train what the table of results lacks, and publish the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deals", type=int, default=5)
    parser.add_argument("--networks", nargs="*", default=NETWORKS)
    parser.add_argument("--pixels", type=int, nargs="*", default=PIXELS)
    parser.add_argument("--epochs", type=int, help="at most so many, to try the command; default: those of params.yaml")
    arguments = parser.parse_args()
    table = RESULTS / "pixel_sizes.csv"
    with TemporaryDirectory() as name:
        folders = {pixels: resize(pixels, Path(name)) for pixels in arguments.pixels}
        for deal, network, pixels in product(range(arguments.deals), arguments.networks, folders):
            if not is_done(table, deal, network, pixels):
                append(table, [deal, network, pixels, *measure(deal, network, folders[pixels], arguments.epochs)])
    publish("pixel_sizes", *as_texts(read_table(table)))


def resize(pixels: int, folder: Path) -> Path:
    """Return a folder with the kept images in a size."""
    settings = read(Preprocess, "preprocess").model_copy(update={"size": [pixels, pixels]})
    preprocess(settings, Path("data/1_raw"), Path("data/2_clean/kept.csv"), folder / str(pixels))
    return folder / str(pixels)


def measure(deal: int, network: str, source: Path, epochs: int | None) -> list[float]:
    """Return kept epoch, loss and accuracy on validation, and the seconds of a training."""
    settings = read_settings(network, models.load(network)).model_copy(update={"seed": deal, "threads": 1})
    if epochs:
        settings = settings.model_copy(update={"epochs": epochs})
    with TemporaryDirectory() as name:
        folder = Path(name)
        split = divide_images(source / "index.csv", deal, folder)
        amounts = read_augmentation(settings.augmentation)
        timing = train(network, network, settings, amounts, source, split, folder / "model", folder / "live")
        kept = read_json(folder / "model" / "network.json")["kept_epoch"]
        history = read_table(folder / "model" / "history.csv")
    [row] = history[(history["epoch"] == str(kept)) & (history["split"] == "val")].to_dict("records")
    return [kept, float(row["loss"]), float(row["accuracy"]), timing["train_seconds"]]


def is_done(table: Path, deal: int, network: str, pixels: int) -> bool:
    """Return whether the table has this training."""
    if not table.is_file():
        return False
    done = read_table(table)
    return [str(deal), network, str(pixels)] in done[COLUMNS[:3]].to_numpy().tolist()


def append(table: Path, row: list[object]) -> None:
    """Add a training to the table, which is made with its header if there is none."""
    with locked(table.with_name(f".{table.name}.lock"), timeout_s=-1):
        pd.DataFrame([row], columns=COLUMNS).to_csv(table, mode="a", header=not table.is_file(), index=False)


def as_texts(done: pd.DataFrame) -> tuple[str, str]:
    """Return the sentence above the table, and the table: a row for each network and two sizes that follow each other.

    Only deals count that a network has in both sizes.
    """
    done = done.assign(**{name: done[name].astype(float) for name in ("pixels", "val_accuracy", "seconds")})
    wide = done.pivot(index=["network", "deal"], columns="pixels", values=["val_accuracy", "seconds"])
    rows = []
    for network, deals in wide.groupby(level="network"):
        for small, large in pairwise(sorted(done["pixels"].unique())):
            both = deals.loc[:, (slice(None), [small, large])].dropna()
            if both.empty:
                continue
            accuracies, seconds = both["val_accuracy"], both["seconds"]
            gains = (accuracies[small] - accuracies[large]).to_numpy()
            rows.append([
                str(network), str(len(both)), f"{small:.0f} and {large:.0f}", f"{accuracies[small].mean():.3f}",
                f"{accuracies[large].mean():.3f}", f"{gains.mean():+.3f}",
                " ".join(f"{gain:+.3f}" for gain in np.sort(gains)),
                f"{seconds[small].sum() / seconds[large].sum():.2f}",
            ])  # fmt: skip
    header = [
        "network", "deals", "pixels", "the smaller", "the larger", "mean gain by the smaller", "of each deal, sorted",
        "time against the larger",
    ]  # fmt: skip
    about = "Accuracy on validation of the kept epoch, the mean over deals; the same deals and seeds for both sizes.\n"
    return about, to_table(header, rows)


if __name__ == "__main__":
    command(main)
