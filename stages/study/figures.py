"""A figure for each sweep: the accuracy of its values, and their losses by epoch."""

from pathlib import Path
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stages.core.files import replacing
from stages.figures.style import ACCENT, DARK, DPI, METADATA, PALE, begin_figure
from stages.study.findings import Setting
from stages.study.statistics import Evidence, accuracy_of

# A legend's place below the axes, where it hides no line.
BELOW: dict[str, Any] = {
    "frameon": False, "fontsize": "small", "ncols": 2, "loc": "upper center", "bbox_to_anchor": (0.5, -0.16),
}  # fmt: skip


def draw_sweep(evidence: Evidence, network: str, sweep: str, chosen: str, path: Path) -> None:
    """Draw the sweep's figure to the path; draw none if no value of the sweep is done."""
    settings = evidence.swept(network, sweep)
    if not settings:
        return
    begin_figure()
    figure = Figure(figsize=(9.6, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_accuracies(evidence, settings, chosen, left)
    left.set(xlabel=sweep, title=f"{network}: validation accuracy by {sweep}")
    draw_losses(evidence, settings, sweep, right)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished:
        figure.savefig(unfinished, format="png", dpi=DPI, metadata=METADATA)


def draw_accuracies(evidence: Evidence, settings: list[Setting], chosen: str, axes: Axes) -> None:
    """Draw each value's mean, 95 % interval and single trainings, and the accuracy of naming the largest class."""
    for place, setting in enumerate(settings):
        right = evidence.right(setting)
        low, high = evidence.interval(right)
        axes.plot([place, place], [low, high], color=PALE, linewidth=7, solid_capstyle="round")
        axes.plot(
            place, accuracy_of(right), "o", color=DARK, markersize=8, label="all images, 95 %" if not place else None
        )
        if setting.value == chosen:
            axes.plot(
                place, accuracy_of(right), "o", color=ACCENT, markersize=15, fillstyle="none", label="document's choice"
            )
    rows = pd.concat([evidence.done(setting) for setting in settings])
    if len(rows) > len(settings):
        accuracy = pd.to_numeric(rows["val_accuracy"])
        look = {"color": "white", "edgecolor": DARK, "linewidth": 1}
        sns.stripplot(x=rows["value"].astype(str), y=accuracy, jitter=False, ax=axes, **look)
        axes.plot([], [], "o", markerfacecolor="white", markeredgecolor=DARK, markersize=5, label="single trainings")
    guess = accuracy_of(pd.concat([evidence.largest(setting) for setting in settings]))
    axes.axhline(guess, color=ACCENT, linestyle="--", label="largest class")
    axes.set_xticks(range(len(settings)), [str(setting.value) for setting in settings])
    axes.set(xlim=(-0.5, len(settings) - 0.5), ylabel="accuracy")
    axes.legend(**BELOW)


def draw_losses(evidence: Evidence, settings: list[Setting], sweep: str, axes: Axes) -> None:
    """Draw the losses by epoch of each value's first training: validation as a solid line, training as a dashed one."""
    names = {evidence.done(setting)["run"].iloc[0]: str(setting.value) for setting in settings}
    curves = evidence.results.curves
    curves = curves[curves["run"].isin(names)].rename(columns={"val_loss": "validation", "train_loss": "training"})
    part, value = "loss in", f"{sweep}:"  # names that no column has, whatever the sweep is called
    lines = curves.melt(["run", "epoch"], ["validation", "training"], part, "loss")
    lines = lines.assign(**{value: lines["run"].map(names), "loss": lines["loss"].astype(float)})
    order = list(names.values())
    sns.lineplot(
        lines, x="epoch", y="loss", hue=value, hue_order=order, style=part, palette="viridis", ax=axes, errorbar=None
    )
    # Beside the losses of a rate that is too high, all other curves would lie on one another.
    axes.set_ylim(0, min(float(lines["loss"].max()) * 1.05, 3 * float(lines["loss"].median())))
    axes.set_title("Loss by epoch, first training")
    entries = zip(*axes.get_legend_handles_labels(), strict=True)
    handles, labels = zip(*(entry for entry in entries if entry[1] not in (part, value)), strict=True)
    axes.legend(handles, labels, **BELOW | {"ncols": 3})
