"""The report's charts of networks: accuracies, costs, differences, learning curves, and shares of the images."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from stages.report import svg
from stages.report.svg import LEFT, RIGHT, WIDTH, Plot, Point, in_percent
from stages.report.wording import clipped, gap_span, percent, plural, points, short, span

ROW = 46.0  # height of a row with a line of text and a track under it
LETTER, LONGEST_NAME, ROOM = 7.0, 16, 70.0  # width of a letter, letters of a name, and the least room for a name


def draw_accuracies(summary: Mapping[str, Any]) -> Markup:
    """Draw each network's test accuracy with its interval, its validation accuracy, and the largest class's share."""
    x = svg.linear((0, 1), (LEFT, RIGHT))
    networks, baseline = summary["networks"], summary["baseline"]["test"]["accuracy"]
    bottom = 26 + ROW * len(networks)
    parts = [svg.line((x(value), 26), (x(value), bottom), "grid") for value in (0, 0.25, 0.5, 0.75, 1)]
    parts.append(svg.line((x(baseline), 16), (x(baseline), bottom), "limit"))
    is_left = baseline < 0.6
    parts.append(
        svg.label((x(baseline) + (5 if is_left else -5), 14), "largest class", "tick", "start" if is_left else "end")
    )
    for number, (name, one) in enumerate(networks.items()):
        top, test, val = 26 + ROW * number, one["test"], x(one["val"]["accuracy"])
        star, kind = ("★ ", "name") if name == summary["champion"] else ("", "text")
        numbers = f"{percent(test['accuracy'])} ({span(test['low'], test['high'])})"
        parts.append(svg.label((LEFT, top + 17), star + name, f"{kind} halo", most=20))
        parts.append(svg.label((RIGHT, top + 17), numbers, "text halo", "end"))
        parts.append(svg.track(x, top + 31, test["accuracy"], test["low"], test["high"]))
        parts.append(svg.line((val, top + 24), (val, top + 38), "mark"))
    anchors = {0: "start", 0.25: "middle", 0.5: "middle", 0.75: "middle", 1: "end"}
    parts += [
        svg.label((x(value), bottom + 16), in_percent(value), "tick", anchor) for value, anchor in anchors.items()
    ]
    listed = "; ".join(f"{name} {percent(one['test']['accuracy'])}" for name, one in networks.items())
    return svg.draw(bottom + 22, f"Test accuracy: {listed}; largest class {percent(baseline)}.", *parts)


def draw_cost(summary: Mapping[str, Any], cost: str, name_of_cost: str) -> Markup:
    """Draw each network's test accuracy with its interval against its cost, on a logarithmic axis."""
    networks = summary["networks"]
    costs = [one[cost] for one in networks.values()]
    domain = (min(costs) / 2.5, max(costs) * 2.5)
    plot = Plot(30, 236)
    across = svg.logarithmic(domain, (plot.left, plot.right))
    parts = [plot.y_axis((0, 0.25, 0.5, 0.75, 1), in_percent, "test accuracy"), plot.x_axis((), str, name_of_cost)]
    for value in powers(*domain):
        parts.append(svg.label((across(value), plot.bottom + 17), short(value), anchor="middle"))
        parts.append(svg.line((across(value), plot.bottom), (across(value), plot.bottom + 4), "base"))
    places = {name: (across(one[cost]), plot.up(one["test"]["accuracy"])) for name, one in networks.items()}
    for (x, y), one in zip(places.values(), networks.values(), strict=True):
        ends = [(x, plot.up(one["test"][end])) for end in ("low", "high")]
        parts += [svg.line(ends[0], ends[1], "whisker"), svg.circle((x, y), 5, "dot")]
    parts += name_points(places, summary["champion"])
    return svg.draw(plot.bottom + 42, f"Test accuracy of each network against {name_of_cost}.", *parts)


def powers(low: float, high: float) -> list[float]:
    """Return the powers of ten from low to high; if there are fewer than two, also 2 and 5 times each power."""
    tens = [10.0**n for n in range(13) if low <= 10.0**n <= high]
    finer = [factor * 10.0**n for n in range(13) for factor in (1, 2, 5) if low <= factor * 10.0**n <= high]
    return tens if len(tens) > 1 else finer


def name_points(places: Mapping[str, Point], champion: str) -> list[Markup]:
    """Draw a name beside each point, on the side with more room; lower if it would cover a name or another point."""
    parts: list[Markup] = []
    names: list[tuple[float, float, float]] = []  # left, right and height, with room so that two do not read as one
    for name, (x, y) in sorted(places.items(), key=lambda item: item[1][1]):
        width, height = LETTER * min(len(name), LONGEST_NAME), y + 4
        side = -1 if x > 0.62 * WIDTH else 1
        points = [(across - 5, across + 5, up + 4) for across, up in places.values() if (across, up) != (x, y)]
        left, right = sorted((x + 10 * side, x + (10 + width) * side))
        wide = sorted((x + 10 * side, x + (10 + max(width, ROOM)) * side))
        while any(left < end and start < right and abs(height - up) < 10 for start, end, up in points) or any(
            wide[0] < end and start < wide[1] and abs(height - up) < 15 for start, end, up in names
        ):
            height += 3
        names.append((wide[0], wide[1], height))
        kind = "name halo" if name == champion else "text halo"
        parts.append(svg.label((x + 10 * side, height), name, kind, "end" if side < 0 else "start", most=LONGEST_NAME))
    return parts


def is_known(pair: Mapping[str, Any]) -> bool:
    """Return whether the difference has an interval; of too few groups it is -1 to 1."""
    return (pair["low"], pair["high"]) != (-1, 1)


def draw_differences(pairs: Sequence[Mapping[str, Any]], split: str) -> Markup:
    """Draw the difference in accuracy of each pair of networks on the split, with its interval, around zero."""
    shown = [pair for pair in pairs if pair["split"] == split]
    ends = [(pair["low"], pair["high"]) if is_known(pair) else (pair["difference"],) * 2 for pair in shown]
    reach = max([0.05, *(abs(end) for each in ends for end in each)])
    x = svg.linear((-reach, reach), (LEFT, RIGHT))
    bottom = 8 + ROW * len(shown)
    marks = [value for value in svg.ticks(-reach, reach, 6) if abs(value) < 0.9 * reach]
    parts: list[Markup] = []
    for value in marks:
        text = f"{100 * value:+.3g}".replace("-", "−") if value else "0"
        parts.append(svg.line((x(value), 8), (x(value), bottom), "grid" if value else "limit"))
        parts.append(svg.label((x(value), bottom + 16), text, "tick", "middle"))
    for number, pair in enumerate(shown):
        top, value = 8 + ROW * number, pair["difference"]
        names = f"{clipped(pair['a'], 12)} − {clipped(pair['b'], 12)}"
        numbers = f"{points(value)} ({gap_span(pair['low'], pair['high'])})"
        parts.append(svg.label((LEFT, top + 17), names, "text halo"))
        parts.append(svg.label((RIGHT, top + 17), numbers, "text halo", "end"))
        parts.append(svg.track(x, top + 31, value, *ends[number]))
    listed = "; ".join(f"{pair['a']} minus {pair['b']} {points(pair['difference'])} points" for pair in shown)
    return svg.draw(bottom + 24, f"Differences in accuracy: {listed}.", *parts)


def draw_learning(history: pd.DataFrame, kept: int) -> Markup:
    """Draw loss and accuracy after each epoch, on training and validation images, and mark the epoch that was kept."""
    epochs = (1.0, max(2.0, float(history["epoch"].max())))
    highest = float(history["loss"].max())
    loss = Plot(44, 134, x=epochs, y=(0.0, highest))
    accuracy = Plot(174, 264, x=epochs)
    parts = [
        loss.y_axis(svg.ticks(0, highest, 3), lambda value: f"{value:g}", "loss"),
        accuracy.y_axis((0, 0.5, 1), in_percent, "accuracy"),
        accuracy.x_axis(svg.ticks(*epochs, 6, whole=True), lambda value: f"{value:.0f}", "epoch"),
        svg.line((loss.across(kept), loss.top), (loss.across(kept), accuracy.bottom), "limit"),
    ]
    for x, split, name in ((128, "train", "training"), (230, "val", "validation")):
        parts += [svg.line((x, 12), (x + 24, 12), f"curve {split}"), svg.label((x + 30, 16), name, "text")]
    for plot, column in ((loss, "loss"), (accuracy, "accuracy")):
        for half, rows in history.groupby("split"):
            parts.append(svg.trace(map(plot.at, rows["epoch"], rows[column]), f"curve {half}"))
    description = f"Learning curves over {plural(int(history['epoch'].max()), 'epoch')}; epoch {kept} was kept."
    return svg.draw(accuracy.bottom + 40, description, *parts)


def draw_shares(rows: Mapping[str, Mapping[str, int]]) -> Markup:
    """Draw a bar for each row, as long as the sum of its counts, divided into the counts in their order."""
    x = svg.linear((0, max(1, *(sum(counts.values()) for counts in rows.values()))), (LEFT, RIGHT))
    parts: list[Markup] = []
    for number, (name, counts) in enumerate(rows.items()):
        top, start = 40.0 * number, 0
        parts.append(svg.label((LEFT, top + 15), name, "text", most=32))
        parts.append(svg.label((RIGHT, top + 15), f"{sum(counts.values()):,}", "text", "end"))
        for part, count in enumerate(counts.values()):
            width = max(0.0, x(start + count) - x(start) - 1)
            parts.append(svg.box((x(start), top + 22), (width, 10), f"share-{part}"))
            start += count
    at, below = LEFT, 40.0 * len(rows)
    for part, name in enumerate(next(iter(rows.values()))):
        parts += [svg.box((at, below + 8), (10, 10), f"share-{part}"), svg.label((at + 16, below + 17), name, "text")]
        at += 34 + svg.LETTER * len(name)
    listed = "; ".join(f"{name} {plural(sum(counts.values()), 'image')}" for name, counts in rows.items())
    return svg.draw(below + 26, f"Counts: {listed}.", *parts)
