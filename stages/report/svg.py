"""The parts of charts as inline SVG: elements, scales, axes. Texts and attributes are escaped.

A drawing is WIDTH units wide and keeps its proportions. A phone shows it with about 0.9 pixels per unit, so that texts
of 13 units stay legible. Colours and fonts come from classes of the page's style sheet, which has a light and a dark
scheme.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape
from matplotlib.ticker import MaxNLocator

from stages.report.wording import clipped

WIDTH = 360
LEFT, RIGHT = 8.0, WIDTH - 8.0
COLOURS = 8  # series that have their own colour; all later series share one grey
LETTER = 7.2  # the approximate width of a letter

Scale = Callable[[float], float]
Point = tuple[float, float]
Extent = tuple[float, float]


def element(name: str, *children: str, **attributes: object) -> Markup:
    """Return an SVG element; `kind` becomes its class, and underscores in names become hyphens (`stroke-width`)."""
    renamed = {("class" if key == "kind" else key.replace("_", "-")): value for key, value in attributes.items()}
    opening = Markup("").join(Markup(' {}="{}"').format(key, written(value)) for key, value in renamed.items())
    inside = Markup("").join(escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), opening, inside)


def written(value: object) -> str:
    """Return a number with at most two decimals, or any other value as text."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def draw(height: float, description: str, *children: str) -> Markup:
    """Return a complete drawing; a screen reader reads the description."""
    return element(
        "svg",
        *children,
        kind="chart",
        viewBox=f"0 0 {WIDTH} {written(float(height))}",
        role="img",
        aria_label=description,
    )


def label(place: Point, text: str, kind: str = "tick", anchor: str = "start", most: int = 60) -> Markup:
    """Return a text that starts, is centred or ends at the place; a text that is cut has its full form as its title."""
    shown = clipped(text, most)
    whole = [element("title", text)] if shown != text else []
    return element("text", shown, *whole, x=float(place[0]), y=float(place[1]), kind=kind, text_anchor=anchor)


def line(start: Point, end: Point, kind: str) -> Markup:
    """Return a straight line."""
    return element("line", x1=float(start[0]), y1=float(start[1]), x2=float(end[0]), y2=float(end[1]), kind=kind)


def trace(points: Iterable[Point], kind: str) -> Markup:
    """Return a line through the points."""
    steps = " ".join(f"{written(float(x))},{written(float(y))}" for x, y in points)
    return element("polyline", points=steps, kind=kind)


def circle(center: Point, radius: float, kind: str, *children: str) -> Markup:
    """Return a disc."""
    return element("circle", *children, cx=float(center[0]), cy=float(center[1]), r=float(radius), kind=kind)


def box(corner: Point, size: Point, kind: str, **attributes: object) -> Markup:
    """Return a rectangle."""
    (x, y), (width, height) = corner, size
    return element("rect", x=float(x), y=float(y), width=float(width), height=float(height), kind=kind, **attributes)


def track(x: Scale, y: float, value: float, low: float, high: float) -> Markup:
    """Return a disc on a broad line from low to high."""
    return element("g", line((x(low), y), (x(high), y), "interval"), circle((x(value), y), 5, "dot"))


def linear(domain: Extent, to: Extent) -> Scale:
    """Return a linear scale from the domain to the extent."""
    factor = (to[1] - to[0]) / ((domain[1] - domain[0]) or 1)
    return lambda value: to[0] + (value - domain[0]) * factor


def logarithmic(domain: Extent, to: Extent) -> Scale:
    """Return a logarithmic scale from the domain, which is above 0, to the extent."""
    inner = linear((float(np.log10(domain[0])), float(np.log10(domain[1]))), to)
    return lambda value: inner(float(np.log10(value)))


def ticks(low: float, high: float, number: int = 5, whole: bool = False) -> list[float]:
    """Return about `number` round numbers from low to high."""
    values = MaxNLocator(nbins=number, steps=[1, 2, 5, 10], integer=whole).tick_values(low, high)
    return [round(float(value), 10) for value in values if low - 1e-9 <= value <= high + 1e-9]


def in_percent(share: float) -> str:
    """Return a share as an axis shows it, `40 %`."""
    return f"{100 * share:.0f}\u00a0%"


def series(number: int) -> str:
    """Return the class of the style sheet that colours a series; series are numbered from 0."""
    return f"s{number}" if number < COLOURS else "s-rest"


@dataclass(frozen=True)
class Plot:
    """A rectangle with an x axis from `left` to `right` and a y axis from `bottom` to `top`.

    The axes show the ranges `x` and `y`.
    """

    top: float
    bottom: float
    left: float = 44.0
    right: float = WIDTH - 18.0
    x: Extent = (0.0, 1.0)
    y: Extent = (0.0, 1.0)

    @property
    def across(self) -> Scale:
        """The scale of the x axis."""
        return linear(self.x, (self.left, self.right))

    @property
    def up(self) -> Scale:
        """The scale of the y axis."""
        return linear(self.y, (self.bottom, self.top))

    def at(self, x: float, y: float) -> Point:
        """Return the place of the point with these values."""
        return self.across(x), self.up(y)

    def y_axis(self, values: Sequence[float], form: Callable[[float], str], name: str) -> Markup:
        """Return grid lines with their values, and above them the name of the axis."""
        parts = [label((self.left, self.top - 8), name, "axis")]
        for value in values:
            y = self.up(value)
            parts.append(line((self.left, y), (self.right, y), "grid"))
            parts.append(label((self.left - 6, y + 4), form(value), anchor="end"))
        return element("g", *parts)

    def x_axis(self, values: Sequence[float], form: Callable[[float], str], name: str) -> Markup:
        """Return values below the plot, and under them, at the right end, the name of the axis."""
        parts = [label((self.across(value), self.bottom + 17), form(value), anchor="middle") for value in values]
        parts.append(label((self.right, self.bottom + 34), name, "axis", "end"))
        return element("g", line((self.left, self.bottom), (self.right, self.bottom), "base"), *parts)


def legend(entries: Sequence[tuple[str, str]], top: float) -> tuple[Markup, float]:
    """Return a legend and its height: a short line and a text for each (class, text), in columns where they fit."""
    longest = max(len(text) for _, text in entries)
    columns = 3 if longest < 12 else 2 if longest < 22 else 1
    step = WIDTH / columns
    parts = []
    for number, (kind, text) in enumerate(entries):
        x, y = (number % columns) * step + 8, top + 18 * (number // columns) + 13
        parts += [line((x, y - 4), (x + 20, y - 4), f"curve {kind}"), label((x + 27, y), text, most=46)]
    return element("g", *parts), 18.0 * -(-len(entries) // columns)
