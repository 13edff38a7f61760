"""A set of pictures with planted near-duplicates and broken files, and the truth about them.

    python -m benchmarks.planted /tmp/planted --seed 0

Of 1,500 files 1,140 are originals, all different to a person: scenes; a tenth flat drawings on white, whose 64-bit
hashes collide; a twentieth each with the colours of another scene, or before the ground of another one. 300 are
near-duplicates, 25 of each kind in `variants.CHANGES`, each of another original and in its class; 60 are broken, 6 of
each kind in `variants.DAMAGES`, made from pictures that are not in the set. With `--camera` all originals are scenes of
1 to 12 megapixels, saved as cameras do.
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
class Picture:
    """One original: its width and height and the seeds of its parts, or the photograph that it copies."""

    kind: str
    size: Size = (0, 0)
    seeds: tuple[int, ...] = ()
    photograph: Path | None = None


def write(folder: Path, seed: int, images: int = 1500, base: Base | None = None) -> None:
    """The folder holds `images/<class>/<number>.<ending>` and `truth.csv`: file, kind, original.

    The files' numbers say nothing about their kind. With a folder as the base its photographs are the originals, as
    many as there are at most, with "camera" scenes as large as a camera's; the same seed gives the same files.

    Raises:
        ValueError: the folder exists, or too few images are asked for or to be had.
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
    """How many of so many files are originals, near-duplicates and broken, each kind of the latter as often."""
    near, broken = images // 60 * len(CHANGES), max(1, images // 250) * len(DAMAGES)
    return images - near - broken, near, broken


def run(work: Work, items: Iterable[tuple[Any, ...]], seed: int, folder: Path) -> list[Row]:
    """What the work gives for each of the items, on all cores."""
    rows: list[Row] = joblib.Parallel(n_jobs=-1, batch_size=8)(
        joblib.delayed(work)(*item, seed, folder) for item in items
    )
    return rows


def repeat(kinds: Iterable[str], number: int) -> list[str]:
    """So many kinds, each as often as the others, in blocks."""
    names = list(kinds)
    return [kind for kind in names for _ in range(number // len(names))]


def choose_originals(base: Base | None, seed: int, wanted: int, near: int, rng: Generator) -> list[Picture]:
    """So many pictures of the base, near of which at least must be had."""
    if base == "camera":
        return plan_camera(wanted, rng)
    return sample(base, wanted, near, rng) if base else plan(seed, wanted, rng)


def plan(seed: int, number: int, rng: Generator) -> list[Picture]:
    """So many pictures to draw; every part of each has its own seed, but for what it shares on purpose."""
    flats = distinct_flats([seed, 2])
    tenth, twentieth = number // 10, number // 20
    sizes = [(int(width), int(height)) for width, height in rng.integers(*SIDES, (number, 2))]
    pictures = [Picture("drawing", sizes.pop(), (next(flats),)) for _ in range(tenth)]
    scenes = [
        Picture("scene", sizes.pop(), (3 * n, 3 * n + 1, 3 * n + 2)) for n in range(number - tenth - 2 * twentieth)
    ]
    for n, index in enumerate(rng.choice(len(scenes), 2 * twentieth, replace=False)):
        palette, ground, _ = scenes[index].seeds
        own = 3 * (number + n)
        if n < twentieth:
            pictures.append(Picture("same colours", sizes.pop(), (palette, own, own + 1)))
        else:
            pictures.append(Picture("same ground", scenes[index].size, (palette, ground, own)))
    return pictures + scenes


def plan_camera(number: int, rng: Generator) -> list[Picture]:
    """So many scenes to draw of 1 to 12 megapixels, 4 to 3 or 3 to 4."""
    pictures = []
    for n, millions in enumerate(rng.uniform(*MEGAPIXELS, number)):
        sides = [round(math.sqrt(millions * 1e6 * ratio)) for ratio in (4 / 3, 3 / 4)]
        width, height = rng.permutation(sides).tolist()
        pictures.append(Picture("camera", (width, height), (3 * n, 3 * n + 1, 3 * n + 2)))
    return pictures


def sample(base: Path, wanted: int, least: int, rng: Generator) -> list[Picture]:
    """So many of the base's photographs, all if there are fewer.

    Raises:
        ValueError: there are fewer readable ones than near-duplicates to make.
    """
    files = [path for path in sorted(base.rglob("*")) if path.is_file() and decodes(path.read_bytes())]
    if len(files) < least:
        raise ValueError(f"{base}: expected at least {least} readable pictures, got {len(files)}.")
    chosen = sorted(rng.choice(len(files), min(wanted, len(files)), replace=False))
    return [Picture("photograph", photograph=files[index]) for index in chosen]


def write_original(picture: Picture, number: int, seed: int, folder: Path) -> Row:
    """The truth's row of a picture, after it is written."""
    rng = default_rng([seed, 1, number])
    if picture.photograph:
        content, ending = picture.photograph.read_bytes(), picture.photograph.suffix.lower()
    else:
        chances = {"drawing": (0.3, 0.5, 0.2), "camera": (1, 0, 0)}.get(picture.kind, (0.9, 0.04, 0.06))
        ending = str(rng.choice([".jpg", ".png", ".webp"], p=chances))
        content = encode(draw(picture, seed), ending, int(rng.integers(80, 96)))
    name = CLASSES[int(rng.integers(len(CLASSES)))]
    return put(folder, f"{name}/{number:05}{ending}", picture.kind, "", content)


def draw(picture: Picture, seed: int) -> Image.Image:
    """The drawing or scene."""
    seeds = [[seed, 2, part] for part in picture.seeds]
    return draw_flat(picture.size, *seeds) if picture.kind == "drawing" else draw_scene(picture.size, *seeds)


def write_variant(kind: str, original: str, number: int, seed: int, folder: Path) -> Row:
    """The truth's row of a near-duplicate, after it is written."""
    rng = default_rng([seed, 3, number])
    change, qualities = CHANGES[kind]
    path = folder / "images" / original
    with Image.open(path) as image:
        changed = change(image.convert("RGB"), rng)
    ending = choose_ending(kind, path.suffix, rng)
    content = encode(changed, ending, int(rng.integers(*qualities, endpoint=True)))
    return put(folder, f"{path.parent.name}/{number:05}{ending}", kind, original, content)


def write_broken(kind: str, number: int, seed: int, folder: Path) -> Row:
    """The truth's row of a broken file, after it is written."""
    rng = default_rng([seed, 4, number])
    ending, damage = DAMAGES[kind]
    scene = draw_scene((480, 360), *([seed, 4, number, part] for part in range(3)))
    name = CLASSES[int(rng.integers(len(CLASSES)))]
    return put(folder, f"{name}/{number:05}{ending}", kind, "", damage(scene, rng))


def put(folder: Path, file: str, kind: str, original: str, content: bytes) -> Row:
    """The truth's row, after the content lies in the file."""
    (folder / "images" / file).write_bytes(content)
    return {"file": file, "kind": kind, "original": original}


def main() -> None:
    """Write the set that the arguments ask for."""
    parser = argparse.ArgumentParser(description="Write pictures with planted near-duplicates and broken files.")
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
