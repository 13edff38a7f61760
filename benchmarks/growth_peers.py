"""The steps `clean` and `preprocess` beside a plain script and imagededup, on the files of `benchmarks.growth`.

    python -m benchmarks.growth_peers /tmp/growth/project-10000

A plain script that cleans is a double loop over `imagehash.phash`; one that preprocesses opens, turns, pads and scales
each file with Pillow and saves the stack. The folder is a clone in which `benchmarks.growth` has run.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import yaml
from PIL import Image, ImageOps

from benchmarks.duplicates import AGAIN, OURS, describe_costs, find, measure
from benchmarks.rounds import Cost, publish, take_turns
from stages.core.tables import read_table
from stages.core.terminal import command
from stages.preprocess import Preprocess
from stages.preprocess import run as preprocess

PEERS = ("imagehash", "imagededup PHash")
PILLOW = "a loop over Pillow"
BITS = 5  # a distance for the peers, as they take in `benchmarks.duplicates`


def pad_all(files: list[Path], size: tuple[int, int], target: Path) -> None:
    """Write the pixels of all files `(n, height, width, 3)` as a script of a few lines would."""
    pixels = []
    for file in files:
        with Image.open(file) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
        pixels.append(np.asarray(ImageOps.pad(upright, size[::-1], color="white")))
    np.save(target, np.stack(pixels))


def timed(work: Callable[[], object]) -> Cost:
    """Return what the work costs in this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def compare_preprocess(project: Path, rounds: int) -> dict[str, list[Cost]]:
    """Return the costs of our step and of a loop over Pillow, for the images that `clean` kept."""
    settings = Preprocess.model_validate(yaml.safe_load((project / "params.yaml").read_text("utf-8"))["preprocess"])
    raw, kept = project / "data" / "1_raw", project / "data" / "2_clean" / "kept.csv"
    files = [raw / file for file in read_table(kept)["file"]]
    with tempfile.TemporaryDirectory() as name:
        ours = partial(preprocess, settings, raw, kept, Path(name, "pixels"))
        loop = partial(pad_all, files, settings.shape, Path(name, "loop.npy"))
        return take_turns({OURS: partial(timed, ours), PILLOW: partial(timed, loop)}, rounds)


def compare_clean(project: Path, python: str, rounds: int) -> dict[str, list[Cost]]:
    """Return the costs of our step, twice, and of the peers, for all collected images."""
    params = yaml.safe_load((project / "params.yaml").read_text("utf-8"))
    ours = partial(find, sys.executable, "ours", project / "data" / "1_raw", "mirrored")
    source = Path(params["collect"]["source"])
    peers = {name: partial(find, python, name, source, BITS) for name in PEERS}
    return dict(measure({OURS: ours, AGAIN: ours, **peers}, rounds)[1])


def main() -> None:
    """Measure both steps and publish the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path, help="a clone in which `benchmarks.growth` has run")
    parser.add_argument("--peers", default=".venv-peers/bin/python", help="the peers' Python")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    pixels = compare_preprocess(arguments.project, arguments.rounds)
    cleaned = compare_clean(arguments.project, arguments.peers, arguments.rounds)
    publish(
        "growth_peers",
        f"Median of {arguments.rounds} rounds in turn, and range.\n",
        "The step `preprocess`, of the images that `clean` kept:\n",
        describe_costs(pixels),
        "The step `clean`, of all files:\n",
        describe_costs(cleaned),
    )


if __name__ == "__main__":
    command(main)
