"""Images as points of a plane: two points are close if the last features of the network are alike."""

from itertools import cycle
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from stages.figures.style import DPI, METADATA, MOST_CLASSES, begin_figure, legible_names

Method = Literal["tsne", "pca"]
NAMES: dict[str, str] = {"tsne": "t-SNE", "pca": "PCA"}
COMPONENTS = 50  # principal components that t-SNE starts from, as in van der Maaten and Hinton
MARKERS = "oXsD^Pv"  # with ten colours, these seven markers make 70 different pairs
MEANING = "close points look alike to the network; the axes have no unit"
DARK, PALE = "#22303c", "#6b7a86"


def embed(features: npt.NDArray[np.float32], method: Method, perplexity: float, seed: int) -> npt.NDArray[np.float64]:
    """Return a point for each row of features `(n, d)`, shape `(n, 2)`.

    t-SNE (van der Maaten and Hinton 2008, https://jmlr.org/papers/v9/vandermaaten08a.html) starts at the first two
    principal components. Its perplexity is at most a third of the number of other rows. It keeps neighbours together;
    the distances between clusters and the sizes of clusters have no meaning. It runs in one thread, because the sums
    of several threads differ in their last digits, and t-SNE magnifies such differences.
    """
    with threadpool_limits(1):
        reduced = principal_components(features, seed)
        if method == "pca":
            return reduced[:, :2]
        start = reduced[:, :2] / max(reduced[:, 0].std(), 1e-12) * 1e-4  # as scikit-learn's init="pca" does
        perplexity = min(perplexity, (len(features) - 1) / 3)
        points: npt.NDArray[np.float64] = TSNE(perplexity=perplexity, init=start, random_state=seed).fit_transform(
            reduced
        )
        return points


def principal_components(features: npt.NDArray[np.float32], seed: int) -> npt.NDArray[np.float64]:
    """Return the first principal components, at most 50, shape `(n, 2 to 50)`; zeros replace a missing second one."""
    number = min(COMPONENTS, *features.shape)
    with np.errstate(invalid="ignore"):  # of features that are all alike no share of the variance is explained
        components: npt.NDArray[np.float64] = PCA(number, random_state=seed).fit_transform(features.astype(np.float64))
    return np.pad(components, ((0, 0), (0, max(0, 2 - number))))


def draw_embedding(table: pd.DataFrame, title: str, path: Path) -> None:
    """Draw the points of a table with `class`, `split`, `predicted`, `x` and `y` as a PNG file."""
    begin_figure("white")
    plot_embedding(table, title).savefig(path, format="png", dpi=DPI, metadata=METADATA)


def plot_embedding(table: pd.DataFrame, title: str) -> Figure:
    """Return the figure: a class has a colour and a marker, test images are large, and mistakes have a ring.

    Classes after the first MOST_CLASSES are grey points.
    """
    names = legible_names(sorted(table["class"].unique()))
    table = table.assign(**{column: table[column].replace(names) for column in ("class", "predicted")})
    classes = list(names.values())
    colours = dict.fromkeys(classes, PALE) | dict(zip(classes[:MOST_CLASSES], cycle(sns.color_palette("colorblind"))))
    shapes = dict.fromkeys(classes, ".") | dict(zip(classes[:MOST_CLASSES], cycle(MARKERS)))
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
    handles = [point(f"{name} ({counts[name]})", shapes[name], colours[name]) for name in classes[:MOST_CLASSES]]
    if len(classes) > MOST_CLASSES:
        handles.append(point(f"and {len(classes) - MOST_CLASSES} more classes", ".", PALE))
    handles += [
        point(f"test ({is_test.sum()})", "o", PALE),
        point("train and val", "o", PALE, markersize=4, alpha=0.5),
        point(f"test, taken for another class ({len(wrong)})", "o", "none", markersize=11, markeredgecolor=DARK),
    ]
    labels = [str(handle.get_label()) for handle in handles]
    axes.legend(handles, labels, loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    axes.set(title=title, xticks=[], yticks=[], xlabel=MEANING, ylabel="")
    return figure


def point(label: str, shape: str, colour: object, **look: object) -> Line2D:
    """Return an entry of the legend."""
    style = {"markersize": 8, "markeredgecolor": "white"} | look
    return Line2D([], [], marker=shape, color=colour, linestyle="", label=label, **style)  # type: ignore[arg-type]
