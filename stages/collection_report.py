"""Collection report: how large the collected images are, and what they look like, before anything is rejected."""

import argparse
from pathlib import Path

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import Field

from stages.core import params
from stages.core.files import replacing_folder
from stages.core.tables import read_table, write_table
from stages.core.terminal import command
from stages.figures.sheets import draw_sheet
from stages.figures.style import DPI, METADATA, MOST_CLASSES, begin_figure, legible_names
from stages.figures.tiles import SIDE, image_section, of_largest_classes

COLUMNS = 10
MOST_SHEETS = 100  # nobody looks at more; each takes a tenth of a second


class CollectionReport(params.Section):
    """The section `collection_report` of params.yaml."""

    input_sizes: list[int] = Field(min_length=1)
    per_class: int = Field(ge=1)


def run(settings: CollectionReport, raw: Path, target: Path) -> None:
    """Write `extents.png`, its numbers `smaller.csv`, and a sheet `sheets/<class>.png` of each class into target.

    Of very many classes the largest have sheets. A file that is not an image is a grey square on its sheet, and left
    out of the numbers.

    Raises:
        ValueError: No header of an image states width and height.
    """
    images = read_table(raw / "images.csv", "class", "width", "height", "file")
    extents = measure_extents(images)
    if extents.empty:
        raise ValueError(f"{raw / 'images.csv'}: expected images with a width and a height, got {len(images)} without.")
    smaller = count_smaller(extents, sorted(settings.input_sizes))
    shown = of_largest_classes(images, MOST_SHEETS, "collection_report: sheets")
    with replacing_folder(target, "collection_report") as folder:
        (folder / "sheets").mkdir()
        write_table(smaller, folder / "smaller.csv")
        draw_extents(extents, smaller, folder / "extents.png")
        for name, rows in shown.groupby("class"):
            section = image_section(name, "collected", rows, settings.per_class, raw)
            draw_sheet([section], folder / "sheets" / f"{name}.png", SIDE, COLUMNS)


def measure_extents(images: pd.DataFrame) -> pd.DataFrame:
    """Return class, width, height and aspect ratio (width over height) of each image whose header states its sides."""
    sides = images[["width", "height"]].astype(int)
    extents = pd.concat([images["class"], sides], axis=1)[(sides > 0).all(axis=1)]
    return extents.assign(aspect=extents["width"] / extents["height"])


def count_smaller(extents: pd.DataFrame, sizes: list[int]) -> pd.DataFrame:
    """Return for each class and for all images their number and the share whose shorter side is below each size."""
    shorter = extents[["width", "height"]].min(axis=1)
    groups = [*shorter.groupby(extents["class"]), ("all", shorter)]  # A class can be called "all".
    shares = [{f"below_{size}": round(float((own < size).mean()), 4) for size in sizes} for _, own in groups]
    rows = [{"class": name, "images": len(own)} for name, own in groups]
    return pd.DataFrame([row | share for row, share in zip(rows, shares, strict=True)])


def draw_extents(extents: pd.DataFrame, smaller: pd.DataFrame, path: Path) -> None:
    """Draw widths, heights and aspect ratios of each class, and the shares of smaller images, as a PNG file.

    Of very many classes only what they have in common is drawn.
    """
    begin_figure()
    names = legible_names(sorted(extents["class"].unique()))
    if len(names) > MOST_CLASSES:
        names = dict.fromkeys(names, f"all of {len(names)} classes")
        smaller = smaller.tail(1).replace({"class": {"all": next(iter(names.values()))}})
    extents, smaller = (table.assign(**{"class": table["class"].replace(names)}) for table in (extents, smaller))
    classes = sorted({*names.values()})
    figure = Figure(figsize=(11, 6 + 0.15 * len(classes)), layout="constrained")
    axes = figure.subplots(2, 2)
    draw_distribution(extents, "width", "width in pixels", classes, axes[0, 0])
    draw_distribution(extents, "height", "height in pixels", classes, axes[0, 1])
    draw_distribution(extents, "aspect", "width over height", classes, axes[1, 0])
    draw_smaller(smaller, axes[1, 1])
    figure.savefig(path, format="png", dpi=DPI, metadata=METADATA)


def draw_distribution(extents: pd.DataFrame, column: str, title: str, classes: list[str], axes: Axes) -> None:
    """Draw the distribution of the column in each class, on a logarithmic axis."""
    sns.histplot(
        extents, x=column, hue="class", hue_order=classes, element="step", stat="density", common_norm=False,
        fill=len(classes) <= 4, alpha=0.25, bins=30, log_scale=True, legend=column == "width", ax=axes,
    )  # fmt: skip
    axes.set(xlabel=title, ylabel="share of the class", yticks=[])
    low, high = extents[column].min(), extents[column].max()
    ticks = [tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, *(2**power for power in range(4, 16))) if low <= tick <= high]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()


def draw_smaller(smaller: pd.DataFrame, axes: Axes) -> None:
    """Draw the share of each class, in percent, whose shorter side is below each size."""
    shares = smaller.set_index("class").drop(columns="images").rename(columns=lambda name: name.removeprefix("below_"))
    sns.heatmap(100 * shares, annot=True, fmt=".0f", cmap="Blues", vmin=0, vmax=100, cbar=False, linewidths=1, ax=axes)
    axes.set(xlabel="pixels a side that a network is fed", ylabel="", title="shorter side below that, in percent")
    axes.tick_params(axis="y", rotation=0)


def main() -> None:
    """Report on what `collect` left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("raw", type=Path, help="the folder of raw images")
    parser.add_argument("target", type=Path, help="the folder of figures to write")
    arguments = parser.parse_args()
    run(params.read(CollectionReport, "collection_report"), arguments.raw, arguments.target)


if __name__ == "__main__":
    command(main)
