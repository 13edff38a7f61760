"""What the report draws of classes: confusions, curves, calibration, scores, and where the pictures lie."""

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
MOST_ACROSS = 4  # up to which it has room for their names side by side


def draw_confusion(rows: pd.DataFrame, classes: Sequence[str]) -> Markup:
    """How many pictures of each class (row) were taken for which (column); shades are shares of the row."""
    counts = Counter(zip(rows["class"], rows["predicted"], strict=True))
    left, top = NAMES, 42.0 if len(classes) <= MOST_ACROSS else 96.0
    cell = ((RIGHT - left) / len(classes), min(62.0, (RIGHT - left) / len(classes)))
    parts = [svg.label(((left + RIGHT) / 2, 12), "taken for", "axis", "middle")]
    parts.append(svg.label((LEFT, top - 8), "true class", "axis"))
    for row, name in enumerate(classes):
        y = top + (row + 0.5) * cell[1]
        parts.append(svg.label((left - 8, y + 4), name, "text", "end", most=11))
        parts.append(name_column(name, (left + (row + 0.5) * cell[0], top - 8), len(classes)))
        total = sum(counts[name, other] for other in classes)
        for column, other in enumerate(classes):
            told = f"{name} taken for {other}: {counts[name, other]} of {total}"
            corner = (left + column * cell[0] + 1, top + row * cell[1] + 1)
            parts.append(draw_cell(counts[name, other], max(1, total), corner, cell, told))
    right = sum(counts[name, name] for name in classes)
    told = f"Confusion matrix: {right} of {plural(len(rows), 'picture')} recognised."
    return svg.draw(top + len(classes) * cell[1] + 6, told, *parts)


def name_column(name: str, place: Point, classes: int) -> Markup:
    """The name of a column: across where there is room, else turned upwards."""
    if classes <= MOST_ACROSS:
        return svg.label(place, name, "text", "middle", most=11)
    turned = svg.label((0, 0), name, "text", most=11)
    return svg.element("g", turned, transform=f"translate({written(place[0] + 4)} {written(place[1])}) rotate(-90)")


def draw_cell(count: int, total: int, corner: Point, cell: Point, told: str) -> Markup:
    """A shaded field with its count and, where it is high enough, its share."""
    middle = (corner[0] + cell[0] / 2 - 1, corner[1] + cell[1] / 2)
    size = (cell[0] - 2, cell[1] - 2)
    share = count / total
    parts = [svg.element("title", told), svg.box(corner, size, "well")]
    parts.append(svg.box(corner, size, "heat", fill_opacity=round(share, 2)))
    is_high, kind = cell[1] > 40, "strong" if count else "tick"
    if cell[1] > (RIGHT - NAMES) / (MOST_NUMBERS + 1):
        parts.append(svg.label((middle[0], middle[1] + (0 if is_high else 4)), str(count), kind, "middle"))
    if is_high:
        parts.append(svg.label((middle[0], middle[1] + 17), in_percent(share), "small", "middle"))
    return svg.element("g", *parts)


def draw_roc(table: pd.DataFrame, scores: Mapping[str, Any]) -> Markup:
    """Each class against the others: the share of it that is found, over the share of others taken for it."""
    plot = Plot(26, 246)
    columns = {
        "false_positive_rate": "share of others taken for it (false positives)",
        "true_positive_rate": "share of the class found (true positives)",
    }
    legends = {name: f"{clipped(name, 24)}: area {decimal(one['roc_auc'])}" for name, one in scores.items()}
    chance = svg.line(plot.at(0, 0), plot.at(1, 1), "limit")
    return draw_curves("ROC of each class against the others", plot, table, columns, legends, chance)


def draw_precision_recall(table: pd.DataFrame, scores: Mapping[str, Any]) -> Markup:
    """Each class against the others: how often its name is right, over the share of it that is found."""
    columns = {"recall": "recall: share of the class found", "precision": "precision: share of answers that are right"}
    legends = {name: f"{clipped(name, 24)}: mean {decimal(one['average_precision'])}" for name, one in scores.items()}
    return draw_curves("Precision over recall of each class", Plot(26, 246), table, columns, legends)


def draw_curves(
    title: str, plot: Plot, table: pd.DataFrame, columns: Mapping[str, str], legends: Mapping[str, str], *under: Markup
) -> Markup:
    """Axes of shares, a curve for each class over the two columns, whose names are the axes', and a legend."""
    (x, x_name), (y, y_name) = columns.items()
    parts = [plot.y_axis(TENTHS, in_percent, y_name), plot.x_axis(TENTHS, in_percent, x_name), *under]
    for number, name in enumerate(legends):
        rows = table[table["class"] == name]
        parts.append(svg.trace(map(plot.at, rows[x], rows[y]), f"curve {svg.series(number)}"))
    entries = [(svg.series(number), text) for number, text in enumerate(legends.values())]
    block, height = svg.legend(entries, plot.bottom + 42)
    return svg.draw(plot.bottom + 46 + height, f"{title}: {'; '.join(legends.values())}.", *parts, block)


def draw_reliability(table: pd.DataFrame) -> Markup:
    """How often the network is right, over how sure it says it is; larger discs stand for more pictures."""
    plot = Plot(26, 246)
    bins = table[["confidence", "accuracy", "count"]].to_numpy(dtype=float).tolist()
    total = sum(count for _, _, count in bins)
    parts = [
        plot.y_axis(TENTHS, in_percent, "share of right answers"),
        plot.x_axis(TENTHS, in_percent, "stated probability"),
        svg.line(plot.at(0, 0), plot.at(1, 1), "limit"),
        svg.trace((plot.at(stated, right) for stated, right, _ in bins), "curve val"),
    ]
    for stated, right, count in bins:
        told = f"{plural(int(count), 'picture')}: stated {percent(stated)}, right {percent(right)}"
        radius = 3 + 14 * (count / total) ** 0.5
        parts.append(svg.circle(plot.at(stated, right), radius, "bubble", svg.element("title", told)))
    parts.append(svg.label(plot.at(0.03, 0.92), "too modest", "axis"))
    parts.append(svg.label(plot.at(0.97, 0.05), "too sure", "axis", "end"))
    return svg.draw(plot.bottom + 40, "Reliability: share of right answers over stated probability.", *parts)


def draw_scores(scores: Mapping[str, Any]) -> Markup:
    """Precision, recall and F1 of each class as bars."""
    left, right = 84.0, RIGHT - 52
    parts: list[Markup] = []
    for number, (name, one) in enumerate(scores.items()):
        top = 82.0 * number
        parts.append(svg.label((LEFT, top + 15), f"{name} ({plural(one['count'], 'picture')})", "name", most=40))
        shown = {"precision": percent(one["precision"]), "recall": percent(one["recall"]), "f1": decimal(one["f1"])}
        for row, (score, text) in enumerate(shown.items()):
            y, width = top + 24 + 18 * row, (right - left) * (one[score] or 0)
            parts.append(svg.label((LEFT, y + 10), score.replace("f1", "F1"), "text"))
            parts += [svg.box((left, y), (right - left, 11), "well"), svg.box((left, y), (width, 11), "bar-of")]
            parts.append(svg.label((RIGHT, y + 10), text, "text", "end"))
    told = "; ".join(f"{name} {percent(one['precision'])}, {percent(one['recall'])}" for name, one in scores.items())
    return svg.draw(82.0 * len(scores), f"Precision and recall of each class: {told}.", *parts)


def draw_embedding(table: pd.DataFrame, classes: Sequence[str]) -> Markup:
    """Where each picture lies in two dimensions, by true class; crosses are test pictures taken for another."""
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
    entries = [(f"cloud {svg.series(number)}", name) for number, name in enumerate(classes)]
    block, height = svg.legend(entries, plot.bottom + 10)
    told = f"{plural(len(table), 'picture')} in two dimensions; {len(wrong)} test pictures taken for another class."
    return svg.draw(plot.bottom + 14 + height, told, *parts, block)


def draw_probability(share: float, is_true: bool) -> Markup:
    """A short bar for a table's cell; the number stands beside it."""
    bar = svg.box((0, 0), (60 * share, 6), "is-true" if is_true else "is-other")
    return svg.element("svg", svg.box((0, 0), (60, 6), "well"), bar, kind="bar", viewBox="0 0 60 6", aria_hidden="true")
