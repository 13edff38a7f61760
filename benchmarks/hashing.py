"""How long a JPEG takes from the file to its perceptual hash, against imagehash and against the decoding alone.

    python -m benchmarks.hashing

The files are drawn with the spectrum of photographs and saved as cameras do: quality 85 to 92, colours at half the
resolution. All runs share one process and one thread; the files lie in the system's cache.
"""

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import cv2
import imagehash
import numpy as np
from numpy.random import default_rng
from PIL import Image
from threadpoolctl import threadpool_limits

from benchmarks.rounds import Cost, publish, ratio, take_turns, to_table
from benchmarks.scenes import draw_scene
from stages.clean.inspection import FILES_AT_ONCE
from stages.core.terminal import command
from stages.images.perceptual_hash import phash
from stages.images.quality import Limits, inspect_files
from stages.images.thumbnails import FOCUS_SIDE

MEGAPIXELS = (1, 2, 4, 8, 12)
LIMITS = Limits(min_side=1, max_megapixels=100, max_aspect=50, max_frames=1, min_contrast=0, min_sharpness=0)


def ours(paths: list[Path]) -> list[int]:
    """Return our hashes of the files as `clean` makes them: inspected block after block, then all hashed at once.

    Contrast and sharpness are measured too.
    """
    blocks = [paths[start : start + FILES_AT_ONCE] for start in range(0, len(paths), FILES_AT_ONCE)]
    return phash(
        np.stack([inspection.thumbnail for block in blocks for inspection in inspect_files(block, LIMITS)])
    ).tolist()


def imagehash_phash(paths: list[Path]) -> list[int]:
    """Return the hashes that imagehash gives."""
    return [int(str(imagehash.phash(Image.open(path))), 16) for path in paths]


def decode_alone(paths: list[Path]) -> None:
    """Decode each file to grey at the scale that ours needs, and do nothing with it."""
    for path in paths:
        with Image.open(path) as image:
            image.draft("L", (FOCUS_SIDE, FOCUS_SIDE * image.height // image.width))
            image.load()


WAYS: dict[str, Callable[[list[Path]], object]] = {
    "ours": ours, "ours again": ours, "imagehash": imagehash_phash, "decoding alone": decode_alone,
}  # fmt: skip


def draw_files(folder: Path, megapixels: int) -> list[Path]:
    """Write files of `megapixels` million pixels, 4 to 3, and return their paths."""
    size = (round(math.sqrt(megapixels * 4e6 / 3)), round(math.sqrt(megapixels * 3e6 / 4)))
    paths = []
    for number in range(FILES_AT_ONCE):
        path = folder / f"{megapixels}-{number}.jpg"
        scene = draw_scene(size, *([megapixels, number, part] for part in range(3)))
        scene.save(path, quality=int(default_rng([megapixels, number]).integers(85, 93)), subsampling="4:2:0")
        paths.append(path)
    return paths


def time_once(way: Callable[[list[Path]], object], paths: list[Path], repeats: int) -> Cost:
    """Return the cost of hashing the files, the mean of `repeats` times in a row."""
    files = paths * repeats
    wall, cpu = time.perf_counter(), time.process_time()
    way(files)
    return Cost((time.perf_counter() - wall) / repeats, (time.process_time() - cpu) / repeats)


def measure(paths: list[Path], rounds: int) -> dict[str, list[Cost]]:
    """Return the costs of each way in each round; the files are repeated so that ours takes half a second."""
    once = min(time_once(ours, paths, 1).cpu_s for _ in range(3))
    repeats = math.ceil(0.5 / once)
    return take_turns({name: partial(time_once, way, paths, repeats) for name, way in WAYS.items()}, rounds)


def add(costs: Iterable[Cost]) -> Cost:
    """Return the sum of the costs."""
    seconds = [(cost.wall_s, cost.cpu_s) for cost in costs]
    return Cost(*(sum(column) for column in zip(*seconds, strict=True)))


def count_differing(paths: list[Path]) -> int:
    """Return the largest number of bits in which our hash of a file differs from imagehash's."""
    return max((one ^ other).bit_count() for one, other in zip(ours(paths), imagehash_phash(paths), strict=True))


def main() -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description="Measure hashing of JPEG files.")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    costs, differing = {}, {}
    with tempfile.TemporaryDirectory() as name, threadpool_limits(1):
        for megapixels in MEGAPIXELS:
            paths = draw_files(Path(name), megapixels)
            costs[str(megapixels)] = measure(paths, arguments.rounds)
            differing[str(megapixels)] = count_differing(paths)
    rounds = {way: zip(*(each[way] for each in costs.values()), strict=True) for way in WAYS}
    costs["all"] = {way: [add(each) for each in passes] for way, passes in rounds.items()}
    differing["all"] = max(differing.values())
    others = [way for way in WAYS if way != "ours"]
    rows = [
        [size, *(ratio(each[other], each["ours"], "cpu_s") for other in others), str(differing[size])]
        for size, each in costs.items()
    ]
    header = ["megapixels", *others, "most bits between ours and imagehash's"]
    intro = "CPU seconds against ours from file to hash: median of {} rounds in turn, and range.\n"
    publish("hashing", intro.format(arguments.rounds), to_table(header, rows))


if __name__ == "__main__":
    command(main)
