"""Preprocess: the kept images as one array of RGB pixels, all of one size."""

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated, Any

import joblib
import numpy as np
import pandas as pd
from pydantic import Field

from stages.core import params
from stages.core.files import replacing_folder, write_json
from stages.core.tables import read_table, tally, write_table
from stages.core.terminal import command, progress, state_counts
from stages.figures.sheets import SheetSection, Tile, draw_sheet
from stages.images.faces import NO_FACE, Box, Face, outline
from stages.images.machines import machines
from stages.images.opening import UnusableImage
from stages.images.preprocessing import Preprocessing, Reader, Size, dump_settings, open_reader
from stages.images.reading import Pixels, read_upright
from stages.networks.inputs import PREPROCESSING

N_FACES, N_WITHOUT = 48, 24  # images on the contact sheet
SIDE = 160  # of an image there, in pixels
IMAGES_AT_ONCE = 256
IGNORED = ("size", "nfiles")  # keys that DVC 3.67 leaves out when it hashes a table of params for its run cache


class Preprocess(Preprocessing):
    """The section `preprocess` of params.yaml."""

    face: Face
    per_class: Annotated[int, Field(ge=1)] | None


class Inputs(params.Section, extra="allow"):
    """The section `inputs` of params.yaml: further sizes, by their names."""

    __pydantic_extra__: dict[Annotated[str, Field(pattern=r"^\w+$")], Size]


def with_sizes(settings: Preprocess, inputs: Inputs) -> dict[str, Preprocess]:
    """Return the settings with each further size, by the size's name.

    Raises:
        ValueError: A name is one that DVC ignores, or a size has other proportions than `preprocess.size`, so that what
            is at one place in the one image would be at another place in the other.
    """
    (height, width), sizes = settings.shape, inputs.model_extra or {}
    for name, size in sizes.items():
        if name in IGNORED:
            raise ValueError(f"params.yaml inputs: expected a name that DVC's run cache sees, got {name}.")
        if height * size[1] != width * size[0]:
            raise ValueError(
                f"params.yaml inputs.{name}: expected the proportions of preprocess.size, {height} to {width}, got "
                f"{size[0]} to {size[1]}."
            )
    return {name: settings.model_copy(update={"size": size}) for name, size in sizes.items()}


def run(settings: Preprocess, raw: Path, source: Path, target: Path) -> dict[str, Any]:
    """Write the pixels of the kept images and their index into the folder target, and return the counts.

    `images.npy` is uint8 `(n, height, width, 3)`, RGB, and can be memory-mapped; row i belongs to row i of `index.csv`,
    sorted by image_id, where the columns `face_left` to `face_height` say which face was cut out. `preprocessing.json`
    has the settings, `failures.csv` the images without pixels; `faces.png` is written with the crop `face`. With
    `preprocess.per_class` the images with the smallest image_id are taken, as good as a random choice; the others stand
    in `failures.csv` as `over per_class`.

    Raises:
        ValueError: No image can be read, or the cascade for faces cannot be used.
    """
    kept = read_table(source, "image_id", "class", "file").sort_values("image_id", kind="stable")
    with replacing_folder(target, "preprocess") as folder:
        kept = kept.join(read_all(kept, raw, settings, folder / "images.npy"))
        taken, failed = kept[kept["reason"] == ""], kept[kept["reason"] != ""]
        if taken.empty:
            raise ValueError(f"{source}: expected images that can be used, got {tally(failed['reason'])}.")
        write_table(make_index(taken), folder / "index.csv")
        write_json(dump_settings(settings), folder / PREPROCESSING)
        write_table(failed[["image_id", "class", "source_id", "file", "reason"]], folder / "failures.csv")
        if settings.crop == "face":
            draw_sheet(face_sections(kept, raw), folder / "faces.png", SIDE)
    return {
        "listed": len(kept),
        "kept": len(taken),
        "failed": tally(failed["reason"]),
        "classes": tally(taken["class"]),
    }


def run_others(others: dict[str, Preprocess], raw: Path, source: Path, target: Path) -> None:
    """Write what `run` writes for each of the settings into a folder of its name in the target.

    Raises:
        ValueError: No image can be read, or the cascade for faces cannot be used.
    """
    with replacing_folder(target, "preprocess") as folder:
        for name, settings in others.items():
            run(settings, raw, source, folder / name)


def read_all(kept: pd.DataFrame, raw: Path, settings: Preprocess, target: Path) -> pd.DataFrame:
    """Write the pixels that are taken, and return for each row the `reason` why not, else empty, and the `faces`."""
    read, found, taken = open_reader(settings), [], Counter[str]()
    results = read_in_blocks(read, [raw / file for file in kept["file"]])
    # Written one after the other, because a mapped file ends the process where the disk is full.
    with target.open("wb") as stream:
        write_header(stream, (0, *settings.shape, 3))
        images = progress(results, len(kept), "preprocess")
        for class_, (pixels, reason, faces) in zip(kept["class"], images, strict=True):
            if pixels is not None and taken[class_] == settings.per_class:
                reason = "over per_class"
            elif pixels is not None:
                taken[class_] += 1
                stream.write(pixels.tobytes())
            found.append((reason, faces))
        stream.seek(0)
        write_header(stream, (taken.total(), *settings.shape, 3))
    return pd.DataFrame(found, index=kept.index, columns=["reason", "faces"])


def read_in_blocks(read: Reader, paths: list[Path]) -> Iterator[tuple[Pixels | None, str, list[Box]]]:
    """Yield what `read_one` returns for each path; no more than a block waits in memory where the disk is slow."""
    with joblib.Parallel(n_jobs=-1, prefer="threads") as parallel:
        for start in range(0, len(paths), IMAGES_AT_ONCE):
            yield from parallel(joblib.delayed(read_one)(read, path) for path in paths[start : start + IMAGES_AT_ONCE])


def write_header(stream: IO[bytes], shape: tuple[int, ...]) -> None:
    """Write the header of an array of bytes, which has the same length whatever the first side of the shape is."""
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})


def read_one(read: Reader, path: Path) -> tuple[Pixels | None, str, list[Box]]:
    """Read one image; return its pixels or None, the reason why it has none, empty if it has them, and its faces."""
    try:
        pixels, faces = read(path)
    except UnusableImage as error:
        return None, error.reason, []
    return pixels, "", faces


def make_index(taken: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in their order; if faces were looked for, with the box of the largest face."""
    boxes = [faces[0] for faces in taken["faces"] if faces]
    table = taken.drop(columns=["reason", "faces"])
    return table.join(pd.DataFrame(boxes, index=table.index).add_prefix("face_")) if boxes else table


def face_sections(kept: pd.DataFrame, raw: Path) -> list[SheetSection]:
    """Return a section of images with their faces framed and a section of images in which no face was found."""
    with_face, without = kept[kept["faces"].map(len) > 0], kept[kept["reason"] == NO_FACE]
    shown = (
        (f"of {len(with_face)} images with a face; the chosen face has a thick frame", spread(with_face, N_FACES)),
        (f"of {len(without)} images in which no face was found", spread(without, N_WITHOUT)),
    )
    return [
        SheetSection(f"{len(rows)} {title}", [draw_tile(row, raw) for row in rows.to_dict("records")])
        for title, rows in shown
    ]


def spread(rows: pd.DataFrame, number: int) -> pd.DataFrame:
    """Return at most `number` of the rows, evenly spread, beginning with the first."""
    return rows.iloc[np.linspace(0, len(rows) - 1, min(number, len(rows))).round().astype(int)]


def draw_tile(row: Any, raw: Path) -> Tile:
    """Return a tile with the row's image, its faces framed, its class and the beginning of its image_id."""
    return Tile(outline(read_upright(raw / row["file"]), row["faces"], SIDE), (row["class"], row["image_id"][:16]))


def main() -> None:
    """Preprocess the images that were kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("raw", type=Path, help="the folder of raw images")
    parser.add_argument("kept", type=Path, help="the table of images to take")
    parser.add_argument("target", type=Path, help="the folder of pixels to write")
    parser.add_argument("further", type=Path, help="the folder of the same images in the sizes of `inputs`, to write")
    parser.add_argument("metrics", type=Path, help="the counts to write, as JSON")
    arguments = parser.parse_args()
    settings = params.read(Preprocess, "preprocess")
    others = with_sizes(settings, params.read(Inputs, "inputs"))
    with machines():
        counts = run(settings, arguments.raw, arguments.kept, arguments.target)
        run_others(others, arguments.raw, arguments.kept, arguments.further)
    write_json(counts, arguments.metrics)
    print(state_counts("preprocess", counts["listed"], {"kept": counts["kept"], **counts["failed"]}))


if __name__ == "__main__":
    command(main)
