"""Pictures as points of a plane: near each other where a network's last features are alike."""

from itertools import cycle
from pathlib import Path
from typing import Literal

import matplotlib
import numpy as np
import numpy.typing as npt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from stages.results.figures import DPI, METADATA

Method = Literal["tsne", "pca"]
NAMES: dict[str, str] = {"tsne": "t-SNE", "pca": "PCA"}
COMPONENTS = 50  # to which the features are reduced first, as van der Maaten and Hinton did
MARKERS = "oXsD^Pv"  # so many that with ten colours all of 70 classes differ
MEANING = "near each other: alike to the network; the axes have no unit"
DARK, PALE = "#22303c", "#6b7a86"


def embed(features: npt.NDArray[np.float32], method: Method, perplexity: float, seed: int) -> npt.NDArray[np.float64]:
    """A point `(n, 2)` for each row of features `(n, d)`.

    t-SNE (van der Maaten and Hinton 2008, https://jmlr.org/papers/v9/vandermaaten08a.html) starts at the two first
    principal components, and its perplexity is at most a third of the other rows. It keeps neighbours together;
    neither the distance between clusters nor their size means anything. Always in one thread, because the sums of
    several differ in their last digits, and t-SNE makes much of these.
    """
    with threadpool_limits(1):
        reduced = reduce(features, seed)
        if method == "pca":
            return reduced[:, :2]
        start = reduced[:, :2] / max(reduced[:, 0].std(), 1e-12) * 1e-4  # as scikit-learn's init="pca" does
        perplexity = min(perplexity, (len(features) - 1) / 3)
        points: npt.NDArray[np.float64] = TSNE(perplexity=perplexity, init=start, random_state=seed).fit_transform(
            reduced
        )
        return points


def reduce(features: npt.NDArray[np.float32], seed: int) -> npt.NDArray[np.float64]:
    """The first principal components `(n, 2 to 50)`, with zeros in place of a second that is not there."""
    number = min(COMPONENTS, *features.shape)
    components: npt.NDArray[np.float64] = PCA(number, random_state=seed).fit_transform(features.astype(np.float64))
    return np.pad(components, ((0, 0), (0, max(0, 2 - number))))


def draw_embedding(table: pd.DataFrame, title: str, path: Path) -> None:
    """The points of a table with `class`, `split`, `predicted`, `x` and `y` are at the path as a PNG file."""
    matplotlib.use("Agg")
    sns.set_theme(style="white", font_scale=0.9)
    plot_embedding(table, title).savefig(path, format="png", dpi=DPI, metadata=METADATA)


def plot_embedding(table: pd.DataFrame, title: str) -> Figure:
    """The points: a class has a colour and a shape, test images are large, and those mistaken have a ring."""
    classes = sorted(table["class"].unique())
    colours = dict(zip(classes, cycle(sns.color_palette("colorblind")), strict=False))
    shapes = dict(zip(classes, cycle(MARKERS), strict=False))
    is_test = table["split"] == "test"
    wrong = table[is_test & (table["class"] != table["predicted"])]
    figure = Figure(figsize=(8.4, 6.2), layout="constrained")
    axes = figure.add_subplot()
    looks = ((table[~is_test], {"s": 14, "alpha": 0.35}), (table[is_test], {"s": 62, "edgecolor": "white"}))
    for rows, look in looks:
        if len(rows):
            sns.scatterplot(
                rows, x="x", y="y", hue="class", style="class", hue_order=classes, style_order=classes,
                palette=colours, markers=shapes, legend=False, ax=axes, **look,
            )  # fmt: skip
    axes.scatter(wrong["x"], wrong["y"], s=130, facecolors="none", edgecolors=DARK, linewidths=1.2)
    counts = table["class"].value_counts()
    handles = [point(f"{name} ({counts[name]})", shapes[name], colours[name]) for name in classes]
    handles += [
        point(f"test ({is_test.sum()})", "o", PALE),
        point("train and val", "o", PALE, markersize=4, alpha=0.5),
        point(f"test, taken for another class ({len(wrong)})", "o", "none", markersize=11, markeredgecolor=DARK),
    ]
    labels = [str(handle.get_label()) for handle in handles]
    axes.legend(handles, labels, loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    axes.set(title=plain(title), xticks=[], yticks=[], xlabel=MEANING, ylabel="")
    return figure


def point(label: str, shape: str, colour: object, **look: object) -> Line2D:
    """An entry of the legend."""
    style = {"markersize": 8, "markeredgecolor": "white"} | look
    return Line2D([], [], marker=shape, color=colour, linestyle="", label=plain(label), **style)  # type: ignore[arg-type]


def plain(text: str) -> str:
    """The text as matplotlib shows it as it is, where a dollar would begin a formula."""
    return text.replace("$", r"\$")
