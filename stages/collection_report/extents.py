"""How wide and high images are, class by class, and how many are smaller than what a network may be fed."""

from pathlib import Path

import matplotlib
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

DPI = 110
METADATA = {"Software": None}  # no version, so that an update alone changes no figure


def measure(images: pd.DataFrame) -> pd.DataFrame:
    """Class, width, height and aspect ratio, width over height, of each image whose header told them."""
    sides = images[["width", "height"]].astype(int)
    extents = pd.concat([images["class"], sides], axis=1)[(sides > 0).all(axis=1)]
    return extents.assign(aspect=extents["width"] / extents["height"])


def count_smaller(extents: pd.DataFrame, sizes: list[int]) -> pd.DataFrame:
    """For each class and for all: of how many images, and the share whose shorter side is below each size."""
    shorter = extents[["width", "height"]].min(axis=1)
    groups = [*shorter.groupby(extents["class"]), ("all", shorter)]  # A class can be called "all".
    shares = [{f"below_{size}": round(float((own < size).mean()), 4) for size in sizes} for _, own in groups]
    rows = [{"class": name, "images": len(own)} for name, own in groups]
    return pd.DataFrame([row | share for row, share in zip(rows, shares, strict=True)])


def draw_extents(extents: pd.DataFrame, smaller: pd.DataFrame, path: Path) -> None:
    """Widths, heights and aspect ratios of each class, and the shares that are smaller, as a PNG file."""
    matplotlib.use("Agg")
    sns.set_theme(style="whitegrid", font_scale=0.9)
    classes = sorted(extents["class"].unique())
    figure = Figure(figsize=(11, 6 + 0.15 * len(classes)), layout="constrained")
    axes = figure.subplots(2, 2)
    draw_distribution(extents, "width", "width in pixels", classes, axes[0, 0])
    draw_distribution(extents, "height", "height in pixels", classes, axes[0, 1])
    draw_distribution(extents, "aspect", "width over height", classes, axes[1, 0])
    draw_smaller(smaller, axes[1, 1])
    figure.savefig(path, format="png", dpi=DPI, metadata=METADATA)


def draw_distribution(extents: pd.DataFrame, column: str, title: str, classes: list[str], axes: Axes) -> None:
    """The column's distribution in each class, on an axis where half and double are equally far."""
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
    """The share of each class, in percent, whose shorter side is below each size."""
    shares = smaller.set_index("class").drop(columns="images").rename(columns=lambda name: name.removeprefix("below_"))
    sns.heatmap(100 * shares, annot=True, fmt=".0f", cmap="Blues", vmin=0, vmax=100, cbar=False, linewidths=1, ax=axes)
    axes.set(xlabel="pixels a side that a network is fed", ylabel="", title="shorter side below that, in percent")
    axes.tick_params(axis="y", rotation=0)
