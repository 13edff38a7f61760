"""The figures of a comparison as PNG files; the same numbers give the same bytes."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stages.figures.style import ACCENT, DARK, DPI, METADATA, MOST_CLASSES, PALE, begin_figure, legible_names

READABLE = 8  # classes of a confusion matrix with numbers; one of more classes is larger and has shades alone
NEAR = 3  # names of networks whose costs differ by less than this factor stand above and below in turn


def draw_summary(values: dict[str, Any], confusions: dict[str, pd.DataFrame], path: Path) -> None:
    """Draw the networks' accuracies, the share of the largest class and the confusion matrices, as a PNG file."""
    begin_figure()
    columns = max(2, -(-len(confusions) // 2))
    classes = max(confusion["class"].nunique() for confusion in confusions.values())
    larger = max(1.0, classes / READABLE) if classes <= MOST_CLASSES else 1.0
    figure = Figure(figsize=(3.6 + 2.5 * columns * larger, 5.4 * larger), layout="constrained")
    grid = figure.add_gridspec(2, columns + 2)
    draw_accuracies(values, list(confusions), figure.add_subplot(grid[:, :2]))
    for i, (name, confusion) in enumerate(confusions.items()):
        draw_confusion(name, confusion, figure.add_subplot(grid[i // columns, 2 + i % columns]))
    figure.savefig(path, format="png", dpi=DPI, metadata=METADATA)


def draw_accuracies(values: dict[str, Any], networks: list[str], axes: Axes) -> None:
    """Draw for each network the test accuracy with its interval, and the validation accuracy."""
    for row, name in enumerate(networks):
        test = values["networks"][name]["test"]
        axes.plot([test["low"], test["high"]], [row, row], color=PALE, linewidth=7, solid_capstyle="round")
        axes.plot(test["accuracy"], row, "o", color=DARK, markersize=8, label="test, 95 %" if row == 0 else None)
        val = values["networks"][name]["val"]["accuracy"]
        axes.plot(val, row, "|", color=DARK, markersize=16, label="validation" if row == 0 else None)
    baseline = values["baseline"]["test"]["accuracy"]
    axes.axvline(baseline, color=ACCENT, linestyle="--", label="largest class")
    axes.set(xlim=(0, 1), ylim=(len(networks) - 0.5, -0.5), xlabel="accuracy", title="Accuracy")
    starred = [f"{name} ★" if name == values["champion"] else name for name in networks]
    axes.set_yticks(range(len(networks)), starred)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=3, frameon=False, fontsize="small")


def draw_cost(values: dict[str, Any], path: Path) -> None:
    """Draw the networks' test accuracies, with intervals, against the cost of one image, as a PNG file.

    The area of a circle grows with the number of parameters. Costs are counted, not timed, so that the figure is the
    same on every machine.
    """
    begin_figure()
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    networks = values["networks"]
    most = max(one["parameters"] for one in networks.values())
    before, is_above = 0.0, False
    for name, one in sorted(networks.items(), key=lambda item: item[1]["multiply_adds"]):
        gflop, test = 2 * one["multiply_adds"] / 1e9, one["test"]
        axes.plot([gflop, gflop], [test["low"], test["high"]], color=PALE, linewidth=5, solid_capstyle="round")
        axes.scatter(gflop, test["accuracy"], s=30 + 500 * one["parameters"] / most, color=DARK, alpha=0.75, zorder=3)
        label = f"{name} ★" if name == values["champion"] else name
        text = f"{label}\n{one['parameters'] / 1e6:.1f} M"
        is_above = not is_above or gflop > NEAR * before
        label_interval(text, gflop, test, is_above, axes)
        before = gflop
    axes.axhline(values["baseline"]["test"]["accuracy"], color=ACCENT, linestyle="--", label="largest class")
    axes.set(
        xscale="log",
        ylim=(0, 1.18),  # room above 1 for the names
        yticks=np.linspace(0, 1, 6),
        xlabel="GFLOP per image",
        ylabel="test accuracy, 95 %",
        title="What accuracy costs (M: millions of parameters)",
    )
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.margins(x=0.25)
    axes.legend(loc="lower right", frameon=False, fontsize="small")
    figure.savefig(path, format="png", dpi=DPI, metadata=METADATA)


def label_interval(text: str, gflop: float, test: dict[str, float], is_above: bool, axes: Axes) -> None:
    """Write a network's name above or below its interval."""
    end, distance, side = (test["high"], 8, "bottom") if is_above else (test["low"], -8, "top")
    behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
    axes.annotate(
        text, (gflop, end), (0, distance), textcoords="offset points", ha="center", va=side, fontsize="small",
        bbox=behind,
    )  # fmt: skip


def draw_confusion(name: str, confusion: pd.DataFrame, axes: Axes) -> None:
    """Draw the counts of test images by true and predicted class; shades are shares of the true class.

    Of many classes there are only shades, and of very many no names. The counts stand in `confusion.csv`.
    """
    classes = sorted({*confusion["class"], *confusion["predicted"]})
    counts = pd.crosstab(confusion["class"], confusion["predicted"]).reindex(
        index=classes, columns=classes, fill_value=0
    )
    shares = counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
    are_few, annotations = len(classes) <= MOST_CLASSES, counts if len(classes) <= READABLE else None
    names = list(legible_names(classes).values()) if are_few else []
    sns.heatmap(
        shares, annot=annotations, fmt="d", cmap="Blues", vmin=0, vmax=1, cbar=False, square=True,
        linewidths=1 if are_few else 0, xticklabels=names, yticklabels=names, ax=axes,
    )  # fmt: skip
    axes.set(title=name, xlabel="predicted", ylabel="true" if are_few else f"true, of {len(classes)} classes")
    axes.tick_params(axis="x", rotation=30 if len(classes) <= READABLE else 90)
    axes.tick_params(axis="y", rotation=0)
