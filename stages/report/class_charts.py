"""The report's charts of classes: confusion matrices, curves, calibration, scores, and the map of the images."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from stages.report import svg
from stages.report.svg import LEFT, RIGHT, WIDTH, Plot, Point, in_percent, written
from stages.report.wording import clipped, decimal, percent, plural

TENTHS = (0, 0.2, 0.4, 0.6, 0.8, 1)
MOST_NUMBERS = 12  # classes up to which a confusion matrix has room for its numbers
NAMES = 86.0  # width of the rows' names
MOST_ACROSS = 4  # classes up to which a confusion matrix has room for horizontal names of its columns


def draw_confusion(rows: pd.DataFrame, classes: Sequence[str]) -> Markup:
    """Draw the counts of images by true class (row) and predicted class (column); shades are shares of the row."""
    counts = Counter(zip(rows["class"], rows["predicted"], strict=True))
    left, top = NAMES, 42.0 if len(classes) <= MOST_ACROSS else 96.0
    cell = ((RIGHT - left) / len(classes), min(62.0, (RIGHT - left) / len(classes)))
    parts = [svg.label(((left + RIGHT) / 2, 12), "predicted class", "axis", "middle")]
    parts.append(svg.label((LEFT, top - 8), "true class", "axis"))
    for row, name in enumerate(classes):
        y = top + (row + 0.5) * cell[1]
        parts.append(svg.label((left - 8, y + 4), name, "text", "end", most=11))
        parts.append(name_column(name, (left + (row + 0.5) * cell[0], top - 8), len(classes)))
        total = sum(counts[name, other] for other in classes)
        for column, other in enumerate(classes):
            title = f"{name} taken for {other}: {counts[name, other]} of {total}"
            corner = (left + column * cell[0] + 1, top + row * cell[1] + 1)
            parts.append(draw_cell(counts[name, other], max(1, total), corner, cell, title))
    right = sum(counts[name, name] for name in classes)
    description = f"Confusion matrix: {right} of {plural(len(rows), 'image')} recognised."
    return svg.draw(top + len(classes) * cell[1] + 6, description, *parts)


def name_column(name: str, place: Point, classes: int) -> Markup:
    """Draw the name of a column: horizontally if there is room, otherwise vertically."""
    if classes <= MOST_ACROSS:
        return svg.label(place, name, "text", "middle", most=11)
    turned = svg.label((0, 0), name, "text", most=11)
    return svg.element("g", turned, transform=f"translate({written(place[0] + 4)} {written(place[1])}) rotate(-90)")


def draw_cell(count: int, total: int, corner: Point, cell: Point, title: str) -> Markup:
    """Draw a shaded cell with its count and, if the cell is high enough, its share."""
    middle = (corner[0] + cell[0] / 2 - 1, corner[1] + cell[1] / 2)
    size = (cell[0] - 2, cell[1] - 2)
    share = count / total
    parts = [svg.element("title", title), svg.box(corner, size, "well")]
    parts.append(svg.box(corner, size, "heat", fill_opacity=round(share, 2)))
    is_high, kind = cell[1] > 40, "strong" if count else "tick"
    if cell[1] > (RIGHT - NAMES) / (MOST_NUMBERS + 1):
        parts.append(svg.label((middle[0], middle[1] + (0 if is_high else 4)), str(count), kind, "middle"))
    if is_high:
        parts.append(svg.label((middle[0], middle[1] + 17), in_percent(share), "small", "middle"))
    return svg.element("g", *parts)


def draw_roc(table: pd.DataFrame, scores: Mapping[str, Any]) -> Markup:
    """Draw each class's ROC curve: the share of the class that is found, over the share of others taken for it."""
    plot = Plot(26, 246)
    columns = {
        "false_positive_rate": "share of others taken for it (false positives)",
        "true_positive_rate": "share of the class found (true positives)",
    }
    legends = {name: f"{clipped(name, 24)}: area {decimal(one['roc_auc'])}" for name, one in scores.items()}
    chance = svg.line(plot.at(0, 0), plot.at(1, 1), "limit")
    return draw_curves("ROC of each class against the others", plot, table, columns, legends, chance)


def draw_precision_recall(table: pd.DataFrame, scores: Mapping[str, Any]) -> Markup:
    """Draw each class's precision over its recall."""
    columns = {
        "recall": "recall: share of the class found",
        "precision": "precision: share of predictions that are right",
    }
    legends = {name: f"{clipped(name, 24)}: mean {decimal(one['average_precision'])}" for name, one in scores.items()}
    return draw_curves("Precision over recall of each class", Plot(26, 246), table, columns, legends)


def draw_curves(
    title: str, plot: Plot, table: pd.DataFrame, columns: Mapping[str, str], legends: Mapping[str, str], *under: Markup
) -> Markup:
    """Draw axes of shares, a curve for each class, and a legend; `columns` maps x and y to the names of the axes."""
    (x, x_name), (y, y_name) = columns.items()
    parts = [plot.y_axis(TENTHS, in_percent, y_name), plot.x_axis(TENTHS, in_percent, x_name), *under]
    for number, name in enumerate(legends):
        rows = table[table["class"] == name]
        parts.append(svg.trace(map(plot.at, rows[x], rows[y]), f"curve {svg.series(number)}"))
    entries = [(svg.series(number), text) for number, text in enumerate(legends.values())]
    block, height = svg.legend(entries, plot.bottom + 42)
    return svg.draw(plot.bottom + 46 + height, f"{title}: {'; '.join(legends.values())}.", *parts, block)


def draw_reliability(table: pd.DataFrame) -> Markup:
    """Draw how often the model is right over its stated probability; larger discs stand for more images."""
    plot = Plot(26, 246)
    bins = table[["confidence", "accuracy", "count"]].to_numpy(dtype=float).tolist()
    total = sum(count for _, _, count in bins)
    parts = [
        plot.y_axis(TENTHS, in_percent, "share of right predictions"),
        plot.x_axis(TENTHS, in_percent, "stated probability"),
        svg.line(plot.at(0, 0), plot.at(1, 1), "limit"),
        svg.trace((plot.at(stated, right) for stated, right, _ in bins), "curve val"),
    ]
    for stated, right, count in bins:
        title = f"{plural(int(count), 'image')}: stated {percent(stated)}, right {percent(right)}"
        radius = 3 + 14 * (count / total) ** 0.5
        parts.append(svg.circle(plot.at(stated, right), radius, "bubble", svg.element("title", title)))
    parts.append(svg.label(plot.at(0.03, 0.92), "not confident enough", "axis"))
    parts.append(svg.label(plot.at(0.97, 0.05), "too confident", "axis", "end"))
    return svg.draw(plot.bottom + 40, "Reliability: share of right predictions over stated probability.", *parts)


def draw_scores(scores: Mapping[str, Any]) -> Markup:
    """Draw precision, recall and F1 of each class as bars."""
    left, right = 84.0, RIGHT - 52
    parts: list[Markup] = []
    for number, (name, one) in enumerate(scores.items()):
        top = 82.0 * number
        parts.append(svg.label((LEFT, top + 15), f"{name} ({plural(one['count'], 'image')})", "name", most=40))
        shown = {"precision": percent(one["precision"]), "recall": percent(one["recall"]), "f1": decimal(one["f1"])}
        for row, (score, text) in enumerate(shown.items()):
            y, width = top + 24 + 18 * row, (right - left) * (one[score] or 0)
            parts.append(svg.label((LEFT, y + 10), score.replace("f1", "F1"), "text"))
            parts += [svg.box((left, y), (right - left, 11), "well"), svg.box((left, y), (width, 11), "bar-of")]
            parts.append(svg.label((RIGHT, y + 10), text, "text", "end"))
    listed = "; ".join(f"{name} {percent(one['precision'])}, {percent(one['recall'])}" for name, one in scores.items())
    return svg.draw(82.0 * len(scores), f"Precision and recall of each class: {listed}.", *parts)


def draw_embedding(table: pd.DataFrame, classes: Sequence[str]) -> Markup:
    """Draw each image as a point, coloured by true class; crosses are test images taken for another class."""
    extents = [(float(table[axis].min()), float(table[axis].max())) for axis in ("x", "y")]
    plot = Plot(12, 270, 12, WIDTH - 12, *extents)
    parts = []
    for number, name in enumerate(classes):
        rows = table[table["class"] == name]
        places = (map(written, plot.at(*each)) for each in zip(rows["x"], rows["y"], strict=True))
        dots = " ".join("M{} {}h0".format(*place) for place in places)
        parts.append(svg.element("path", d=dots, kind=f"cloud {svg.series(number)}"))
    wrong = table[(table["split"] == "test") & (table["class"] != table["predicted"])]
    corners = ([written(value - 3) for value in plot.at(*each)] for each in zip(wrong["x"], wrong["y"], strict=True))
    crosses = " ".join("M{} {}l6 6m0 -6l-6 6".format(*corner) for corner in corners)
    parts.append(svg.element("path", d=crosses, kind="crosses"))
    names, rest = [*classes[: svg.COLOURS]], classes[svg.COLOURS :]  # which share one grey, and so one entry
    names += rest if len(rest) < 2 else [f"{len(rest)} others"]
    entries = [(f"cloud {svg.series(number)}", name) for number, name in enumerate(names)]
    block, height = svg.legend(entries, plot.bottom + 10)
    description = f"{plural(len(table), 'image')} in two dimensions; {len(wrong)} test images taken for another class."
    return svg.draw(plot.bottom + 14 + height, description, *parts, block)


def draw_probability(share: float, is_true: bool) -> Markup:
    """Draw a short bar for a cell of a table; the number stands beside the bar."""
    bar = svg.box((0, 0), (60 * share, 6), "is-true" if is_true else "is-other")
    return svg.element("svg", svg.box((0, 0), (60, 6), "well"), bar, kind="bar", viewBox="0 0 60 6", aria_hidden="true")
