"""Any number of different images, made of a few thousand real ones: collages of four pieces of images of a class.

    python -m benchmarks.collages /tmp/many --images 100000 --photographs ../shared/data/dog_cat

One image in 25 is a near-duplicate of another, of the kinds in `variants.CHANGES`, and one in 500 a broken file, of the
kinds in `variants.DAMAGES`. The classes are the folders of the photographs and the classes of the project's drawings.
"""

import argparse
import io
import zipfile
from functools import lru_cache
from pathlib import Path

import joblib
from numpy.random import Generator, default_rng
from PIL import Image

from benchmarks.labelled import DRAWINGS
from benchmarks.variants import CHANGES, DAMAGES, choose_ending, encode
from stages.core.files import replacing
from stages.core.terminal import command, progress

SIZE = (320, 240)  # pixels of a collage
PIECE = 240  # pixels of the longer side that pieces are cut from
NEAR, BROKEN = 25, 500
BLOCK = 100  # files that a thread writes before it takes the next ones
Contents = dict[str, list[bytes]]


def write(folder: Path, images: int, contents: Contents, seed: int = 0) -> None:
    """Write `<class>/<number>.<ending>` into the folder; the same seed and contents give the same files.

    Args:
        folder: The folder to make.
        images: How many files to write.
        contents: The files of real images, by class.
        seed: Of all random choices.

    Raises:
        ValueError: The folder exists.
    """
    if folder.exists():
        raise ValueError(f"{folder}: expected no such folder yet, got one.")
    with replacing(folder) as unfinished:
        for name in contents:
            (unfinished / name).mkdir(parents=True)
        blocks = [range(start, min(start + BLOCK, images)) for start in range(0, images, BLOCK)]
        work = (joblib.delayed(write_block)(unfinished, block, contents, seed) for block in blocks)
        # Threads, which share the images that are read; Pillow scales and encodes outside of Python's lock.
        found = joblib.Parallel(n_jobs=-1, prefer="threads", return_as="generator_unordered")(work)
        for _ in progress(found, len(blocks), "collages", unit="block"):
            pass


def write_block(folder: Path, numbers: range, contents: Contents, seed: int) -> None:
    """Write the files of these numbers."""
    classes = sorted(contents)
    for number in numbers:
        name = classes[number % len(classes)]
        ending, content = make(number, number - len(classes), contents[name], seed)
        (folder / name / f"{number:07}{ending}").write_bytes(content)


def make(number: int, before: int, contents: list[bytes], seed: int) -> tuple[str, bytes]:
    """Return ending and bytes of a file: a collage, a near-duplicate of the one `before` in its class, or broken."""
    rng = default_rng([seed, number])
    if number % BROKEN == BROKEN - 1:
        ending, damage = list(DAMAGES.values())[number // BROKEN % len(DAMAGES)]
        return ending, damage(draw(contents, rng), rng)
    if number % NEAR == NEAR - 1 and before >= 0:
        kind = list(CHANGES)[number // NEAR % len(CHANGES)]
        change, qualities = CHANGES[kind]
        original = draw(contents, default_rng([seed, before]))
        ending = choose_ending(kind, ".jpg", rng)
        return ending, encode(change(original, rng), ending, int(rng.integers(*qualities)))
    return ".jpg", encode(draw(contents, rng), ".jpg", int(rng.integers(75, 96)))


def draw(contents: list[bytes], rng: Generator) -> Image.Image:
    """Return a collage of pieces of four of the images, each half as wide and high as the collage."""
    width, height = SIZE[0] // 2, SIZE[1] // 2
    collage = Image.new("RGB", SIZE)
    for place in range(4):
        whole = read(contents[int(rng.integers(len(contents)))])
        share = rng.uniform(0.6, 1)
        sides = [max(1, round(share * side)) for side in whole.size]
        left, top = (int(rng.integers(side - part + 1)) for side, part in zip(whole.size, sides, strict=True))
        piece = whole.resize((width, height), box=(left, top, left + sides[0], top + sides[1]))
        collage.paste(piece, (place % 2 * width, place // 2 * height))
    return collage


@lru_cache(4000)
def read(content: bytes) -> Image.Image:
    """Return the image, at most PIECE pixels a side, transparency on white."""
    with Image.open(io.BytesIO(content)) as image:
        image.draft("RGB", (PIECE, PIECE))
        image.thumbnail((PIECE, PIECE))
        seen = image.convert("RGBA")
    white = Image.new("RGBA", seen.size, "white")
    return Image.alpha_composite(white, seen).convert("RGB")


def read_contents(photographs: list[Path], drawings: Path = DRAWINGS) -> Contents:
    """Return the files of all images by class: of folders with a folder for each class, and of the drawings."""
    contents: Contents = {}
    for folder in photographs:
        for path in sorted(folder.glob("*/*")):
            contents.setdefault(path.parent.name, []).append(path.read_bytes())
    with zipfile.ZipFile(drawings) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".webp"):
                contents.setdefault(name.split("/")[0], []).append(archive.read(name))
    return contents


def main() -> None:
    """Write the images that the arguments ask for."""
    parser = argparse.ArgumentParser(description="Write any number of different images, made of real ones.")
    parser.add_argument("folder", type=Path, help="the folder to write, which must not exist")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--photographs", type=Path, nargs="*", default=[], help="folders with a folder for each class")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    write(arguments.folder, arguments.images, read_contents(arguments.photographs), arguments.seed)


if __name__ == "__main__":
    command(main)
