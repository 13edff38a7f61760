"""Preprocess: the kept images as one array of RGB pixels, all of one size."""

import argparse
from pathlib import Path
from typing import Annotated, Any

import joblib
import numpy as np
import pandas as pd
from pydantic import BeforeValidator, Field

from stages.core import params
from stages.core.counts import tally
from stages.core.files import read_table, replacing, write_json, write_table
from stages.core.images import Crop, Pixels, UnusableImage, read_pixels
from stages.core.terminal import command, progress


def check_sides(size: Any) -> Any:
    """The size as [height, width].

    Raises:
        ValueError: it is neither an integer nor two.
    """
    sides = size if isinstance(size, list) else [size, size]
    if len(sides) != 2 or not all(type(side) is int and side >= 1 for side in sides):
        raise ValueError(f"expected an integer >= 1, or [height, width], got {size!r}.")
    return sides


class Preprocess(params.Section):
    """The section `preprocess` of params.yaml."""

    size: Annotated[list[int], BeforeValidator(check_sides)]
    crop: Crop
    per_class: Annotated[int, Field(ge=1)] | None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return (self.size[0], self.size[1])


def run(settings: Preprocess, raw: Path, cleaned: Path, target: Path) -> dict[str, Any]:
    """The counts, after the folder target holds `images.npy`, `index.csv` and `failures.csv`.

    `images.npy` is uint8 `(n, height, width, 3)`, RGB, and can be memory-mapped; row i belongs to row i of
    `index.csv`, sorted by image_id. With `preprocess.per_class` the images with the smallest image_id are taken, as
    good as a random choice; the others stand in `failures.csv` as `over per_class`.

    Raises:
        ValueError: no image can be read.
    """
    kept = read_table(cleaned / "kept.csv").sort_values("image_id", kind="stable")
    reasons: list[str] = []
    with replacing(target) as folder:
        folder.mkdir()
        shape = (len(kept), *settings.shape, 3)
        images = np.lib.format.open_memmap(folder / "all.npy", mode="w+", dtype=np.uint8, shape=shape)
        for row, pixels in enumerate(progress(read_all(kept, raw, settings), len(kept), "preprocess")):
            reasons.append(pixels if isinstance(pixels, str) else "")
            if not isinstance(pixels, str):
                images[row] = pixels
        kept = kept.assign(reason=reasons)
        kept["reason"] = kept["reason"].mask(is_over_cap(kept, settings.per_class), "over per_class")
        taken, failed = kept[kept["reason"] == ""], kept[kept["reason"] != ""]
        if taken.empty:
            raise ValueError(
                f"{cleaned / 'kept.csv'}: expected images that can be read, got {tally(failed['reason'])}."
            )
        np.save(folder / "images.npy", images[np.flatnonzero(kept["reason"] == "")])
        (folder / "all.npy").unlink()
        write_table(taken.drop(columns="reason"), folder / "index.csv")
        write_table(failed[["image_id", "class", "source_id", "file", "reason"]], folder / "failures.csv")
    return {
        "listed": len(kept),
        "kept": len(taken),
        "failed": tally(failed["reason"]),
        "classes": tally(taken["class"]),
    }


def read_all(kept: pd.DataFrame, raw: Path, settings: Preprocess) -> Any:
    """The rows' pixels in their order, or the reason why there are none, as a generator."""
    work = (joblib.delayed(read_or_reason)(raw / file, settings) for file in kept["file"])
    return joblib.Parallel(n_jobs=-1, prefer="threads", return_as="generator")(work)


def read_or_reason(path: Path, settings: Preprocess) -> Pixels | str:
    """The image's pixels, or why it has none."""
    try:
        return read_pixels(path, settings.shape, settings.crop)
    except UnusableImage as error:
        return error.reason


def is_over_cap(kept: pd.DataFrame, per_class: int | None) -> pd.Series:
    """For each row whether its class already has its number of readable images before it."""
    is_read = kept["reason"] == ""
    rank = is_read.groupby(kept["class"]).cumsum()
    return is_read & (rank > (per_class or len(kept)))


def main() -> None:
    """Preprocess what was kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("raw", type=Path, help="the folder of raw images")
    parser.add_argument("cleaned", type=Path, help="the folder with kept.csv")
    parser.add_argument("target", type=Path, help="the folder of pixels to write")
    parser.add_argument("metrics", type=Path, help="the counts to write, as JSON")
    arguments = parser.parse_args()
    settings = params.read(Preprocess, "preprocess")
    write_json(run(settings, arguments.raw, arguments.cleaned, arguments.target), arguments.metrics)


if __name__ == "__main__":
    command(main)
