"""A set of images with planted near-duplicates and broken files, and the truth about them.

    python -m benchmarks.planted /tmp/planted --seed 0

Of 1,500 files 1,140 are originals, all different to a person: scenes; a tenth flat drawings on white, whose 64-bit
hashes collide; a twentieth with the colours of another scene, and a twentieth in front of another scene's ground. 300
files are near-duplicates, 25 of each kind in `variants.CHANGES`, each of another original and in its class; 60 are
broken, 6 of each kind in `variants.DAMAGES`, made from images that are not in the set. With `--camera` all originals
are scenes of 1 to 12 megapixels, saved as cameras do.
"""

import argparse
import csv
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import joblib
import numpy as np
from numpy.random import Generator, default_rng
from PIL import Image

from benchmarks.scenes import Size, distinct_flats, draw_flat, draw_scene
from benchmarks.variants import CHANGES, DAMAGES, choose_ending, decodes, encode
from stages.core.files import replacing
from stages.core.terminal import command

Row = dict[str, str]
Work = Callable[..., Row]
CLASSES = ("coast", "forest")
LEAST_IMAGES = 60
SIDES = (600, 1601)
MEGAPIXELS = (1, 12)
Base = Path | Literal["camera"]


@dataclass(frozen=True)
class Original:
    """One original: its width and height and the seeds of its parts, or the photograph that it copies."""

    kind: str
    size: Size = (0, 0)
    seeds: tuple[int, ...] = ()
    photograph: Path | None = None


def write(folder: Path, seed: int, images: int = 1500, base: Base | None = None) -> None:
    """Write `images/<class>/<number>.<ending>` and `truth.csv` (file, kind, original) into the folder.

    The numbers of the files say nothing about their kind. With a folder as the base, its photographs are the originals,
    at most as many as it holds; with "camera", scenes as large as a camera's. The same seed gives the same files.

    Raises:
        ValueError: The folder exists, or the number of images asked for or available is too small.
    """
    if folder.exists():
        raise ValueError(f"{folder}: expected no such folder yet, got one.")
    if images < LEAST_IMAGES:
        raise ValueError(f"--images: expected an integer >= {LEAST_IMAGES}, got {images}.")
    wanted, near, broken = divide(images)
    rng = default_rng([seed, 0])
    originals = choose_originals(base, seed, wanted, near, rng)
    numbers = rng.permutation(len(originals) + near + broken).tolist()
    parts = np.split(numbers, [len(originals), len(originals) + near])
    with replacing(folder) as unfinished:
        for name in CLASSES:
            (unfinished / "images" / name).mkdir(parents=True)
        rows = run(write_original, zip(originals, parts[0], strict=True), seed, unfinished)
        files = [rows[index]["file"] for index in rng.permutation(len(rows))[:near]]
        rows += run(write_variant, zip(repeat(CHANGES, near), files, parts[1], strict=True), seed, unfinished)
        rows += run(write_broken, zip(repeat(DAMAGES, broken), parts[2], strict=True), seed, unfinished)
        with (unfinished / "truth.csv").open("w", encoding="utf-8", newline="") as stream:
            table = csv.DictWriter(stream, ["file", "kind", "original"], lineterminator="\n")
            table.writeheader()
            table.writerows(sorted(rows, key=lambda row: row["file"]))


def divide(images: int) -> tuple[int, int, int]:
    """Return how many files are originals, near-duplicates and broken, with equally many of each kind."""
    near, broken = images // 60 * len(CHANGES), max(1, images // 250) * len(DAMAGES)
    return images - near - broken, near, broken


def run(work: Work, items: Iterable[tuple[Any, ...]], seed: int, folder: Path) -> list[Row]:
    """Run the work for each item on all cores, and return the rows."""
    rows: list[Row] = joblib.Parallel(n_jobs=-1, batch_size=8)(
        joblib.delayed(work)(*item, seed, folder) for item in items
    )
    return rows


def repeat(kinds: Iterable[str], number: int) -> list[str]:
    """Return `number` kinds in blocks, each kind equally often."""
    names = list(kinds)
    return [kind for kind in names for _ in range(number // len(names))]


def choose_originals(base: Base | None, seed: int, wanted: int, near: int, rng: Generator) -> list[Original]:
    """Return `wanted` originals from the base, or fewer, but at least `near` of them."""
    if base == "camera":
        return plan_camera(wanted, rng)
    return sample(base, wanted, near, rng) if base else plan(seed, wanted, rng)


def plan(seed: int, number: int, rng: Generator) -> list[Original]:
    """Return `number` originals to draw; every part of each has its own seed, unless it is shared on purpose."""
    flats = distinct_flats([seed, 2])
    tenth, twentieth = number // 10, number // 20
    sizes = [(int(width), int(height)) for width, height in rng.integers(*SIDES, (number, 2))]
    originals = [Original("drawing", sizes.pop(), (next(flats),)) for _ in range(tenth)]
    scenes = [
        Original("scene", sizes.pop(), (3 * n, 3 * n + 1, 3 * n + 2)) for n in range(number - tenth - 2 * twentieth)
    ]
    for n, index in enumerate(rng.choice(len(scenes), 2 * twentieth, replace=False)):
        palette, ground, _ = scenes[index].seeds
        own = 3 * (number + n)
        if n < twentieth:
            originals.append(Original("same colours", sizes.pop(), (palette, own, own + 1)))
        else:
            originals.append(Original("same ground", scenes[index].size, (palette, ground, own)))
    return originals + scenes


def plan_camera(number: int, rng: Generator) -> list[Original]:
    """Return `number` scenes to draw of 1 to 12 megapixels, 4 to 3 or 3 to 4."""
    originals = []
    for n, millions in enumerate(rng.uniform(*MEGAPIXELS, number)):
        sides = [round(math.sqrt(millions * 1e6 * ratio)) for ratio in (4 / 3, 3 / 4)]
        width, height = rng.permutation(sides).tolist()
        originals.append(Original("camera", (width, height), (3 * n, 3 * n + 1, 3 * n + 2)))
    return originals


def sample(base: Path, wanted: int, least: int, rng: Generator) -> list[Original]:
    """Return `wanted` of the base's photographs, or all if there are fewer.

    Raises:
        ValueError: There are fewer readable photographs than near-duplicates to make.
    """
    files = [path for path in sorted(base.rglob("*")) if path.is_file() and decodes(path.read_bytes())]
    if len(files) < least:
        raise ValueError(f"{base}: expected at least {least} readable images, got {len(files)}.")
    chosen = sorted(rng.choice(len(files), min(wanted, len(files)), replace=False))
    return [Original("photograph", photograph=files[index]) for index in chosen]


def write_original(original: Original, number: int, seed: int, folder: Path) -> Row:
    """Write an original and return its row of the truth."""
    rng = default_rng([seed, 1, number])
    if original.photograph:
        content, ending = original.photograph.read_bytes(), original.photograph.suffix.lower()
    else:
        chances = {"drawing": (0.3, 0.5, 0.2), "camera": (1, 0, 0)}.get(original.kind, (0.9, 0.04, 0.06))
        ending = str(rng.choice([".jpg", ".png", ".webp"], p=chances))
        content = encode(draw(original, seed), ending, int(rng.integers(80, 96)))
    name = CLASSES[int(rng.integers(len(CLASSES)))]
    return put(folder, f"{name}/{number:05}{ending}", original.kind, "", content)


def draw(original: Original, seed: int) -> Image.Image:
    """Return the drawing or scene."""
    seeds = [[seed, 2, part] for part in original.seeds]
    return draw_flat(original.size, *seeds) if original.kind == "drawing" else draw_scene(original.size, *seeds)


def write_variant(kind: str, original: str, number: int, seed: int, folder: Path) -> Row:
    """Write a near-duplicate and return its row of the truth."""
    rng = default_rng([seed, 3, number])
    change, qualities = CHANGES[kind]
    path = folder / "images" / original
    with Image.open(path) as image:
        changed = change(image.convert("RGB"), rng)
    ending = choose_ending(kind, path.suffix, rng)
    content = encode(changed, ending, int(rng.integers(*qualities, endpoint=True)))
    return put(folder, f"{path.parent.name}/{number:05}{ending}", kind, original, content)


def write_broken(kind: str, number: int, seed: int, folder: Path) -> Row:
    """Write a broken file and return its row of the truth."""
    rng = default_rng([seed, 4, number])
    ending, damage = DAMAGES[kind]
    scene = draw_scene((480, 360), *([seed, 4, number, part] for part in range(3)))
    name = CLASSES[int(rng.integers(len(CLASSES)))]
    return put(folder, f"{name}/{number:05}{ending}", kind, "", damage(scene, rng))


def put(folder: Path, file: str, kind: str, original: str, content: bytes) -> Row:
    """Write the content to the file and return its row of the truth."""
    (folder / "images" / file).write_bytes(content)
    return {"file": file, "kind": kind, "original": original}


def main() -> None:
    """Write the set that the arguments ask for."""
    parser = argparse.ArgumentParser(description="Write originals with planted near-duplicates and broken files.")
    parser.add_argument("folder", type=Path, help="the folder to write, which must not exist")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=1500, help=f"files in all, at least {LEAST_IMAGES}")
    base = parser.add_mutually_exclusive_group()
    base.add_argument("--base", type=Path, help="a folder of photographs to take as the originals")
    base.add_argument("--camera", dest="base", action="store_const", const="camera", help="draw 1 to 12 megapixels")
    arguments = parser.parse_args()
    write(arguments.folder, arguments.seed, arguments.images, arguments.base)


if __name__ == "__main__":
    command(main)
