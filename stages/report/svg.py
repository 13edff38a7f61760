"""Parts of charts as inline SVG: elements, scales, axes. What texts and attributes hold is escaped.

A drawing is WIDTH units wide and keeps its proportions: a phone shows it at 0.9 of a pixel per unit, so that texts of
13 units stay legible. Colours and fonts are classes of the page's style sheet, which knows light and dark.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape
from matplotlib.ticker import MaxNLocator

from stages.report.wording import clipped

WIDTH = 360
LEFT, RIGHT = 8.0, WIDTH - 8.0
COLOURS = 8  # series that have a colour of their own; later ones share a grey
LETTER = 7.2  # about the width of one

Scale = Callable[[float], float]
Point = tuple[float, float]
Extent = tuple[float, float]


def element(name: str, *children: str, **attributes: object) -> Markup:
    """An SVG element; `kind` is its class, and `stroke_width` becomes `stroke-width`."""
    renamed = {("class" if key == "kind" else key.replace("_", "-")): value for key, value in attributes.items()}
    opening = Markup("").join(Markup(' {}="{}"').format(key, written(value)) for key, value in renamed.items())
    inside = Markup("").join(escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), opening, inside)


def written(value: object) -> str:
    """A number with at most two decimals, or any other value as text."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def draw(height: float, told: str, *children: str) -> Markup:
    """A whole drawing, and what is told of it to those who do not see it."""
    return element(
        "svg", *children, kind="chart", viewBox=f"0 0 {WIDTH} {written(float(height))}", role="img", aria_label=told
    )


def label(place: Point, text: str, kind: str = "tick", anchor: str = "start", most: int = 60) -> Markup:
    """A text whose baseline begins, has its middle or ends at the place; in full as its title where it is cut."""
    shown = clipped(text, most)
    whole = [element("title", text)] if shown != text else []
    return element("text", shown, *whole, x=float(place[0]), y=float(place[1]), kind=kind, text_anchor=anchor)


def line(start: Point, end: Point, kind: str) -> Markup:
    """A straight line."""
    return element("line", x1=float(start[0]), y1=float(start[1]), x2=float(end[0]), y2=float(end[1]), kind=kind)


def trace(points: Iterable[Point], kind: str) -> Markup:
    """A line through the points."""
    steps = " ".join(f"{written(float(x))},{written(float(y))}" for x, y in points)
    return element("polyline", points=steps, kind=kind)


def circle(center: Point, radius: float, kind: str, *children: str) -> Markup:
    """A disc."""
    return element("circle", *children, cx=float(center[0]), cy=float(center[1]), r=float(radius), kind=kind)


def box(corner: Point, size: Point, kind: str, **attributes: object) -> Markup:
    """A rectangle."""
    (x, y), (width, height) = corner, size
    return element("rect", x=float(x), y=float(y), width=float(width), height=float(height), kind=kind, **attributes)


def track(x: Scale, y: float, value: float, low: float, high: float) -> Markup:
    """A disc on a broad line from low to high."""
    return element("g", line((x(low), y), (x(high), y), "interval"), circle((x(value), y), 5, "dot"))


def linear(domain: Extent, to: Extent) -> Scale:
    """What takes the domain to the extent, evenly."""
    factor = (to[1] - to[0]) / ((domain[1] - domain[0]) or 1)
    return lambda value: to[0] + (value - domain[0]) * factor


def logarithmic(domain: Extent, to: Extent) -> Scale:
    """What takes the domain, above 0, to the extent, each factor of ten equally far."""
    inner = linear((float(np.log10(domain[0])), float(np.log10(domain[1]))), to)
    return lambda value: inner(float(np.log10(value)))


def ticks(low: float, high: float, number: int = 5, whole: bool = False) -> list[float]:
    """Round numbers from low to high, about so many."""
    values = MaxNLocator(nbins=number, steps=[1, 2, 5, 10], integer=whole).tick_values(low, high)
    return [round(float(value), 10) for value in values if low - 1e-9 <= value <= high + 1e-9]


def in_percent(share: float) -> str:
    """A share as the axis says it, `40 %`."""
    return f"{100 * share:.0f}\u00a0%"


def series(number: int) -> str:
    """The class of the style sheet that colours the series of this number, from 0."""
    return f"s{number}" if number < COLOURS else "s-rest"


@dataclass(frozen=True)
class Plot:
    """A rectangle with axes from `left` to `right` for x and from `bottom` to `top` for y, which go from 0 to 1."""

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
        """The point with these values."""
        return self.across(x), self.up(y)

    def y_axis(self, values: Sequence[float], form: Callable[[float], str], name: str) -> Markup:
        """Grid lines with their values, and above them the name of what they count."""
        parts = [label((self.left, self.top - 8), name, "axis")]
        for value in values:
            y = self.up(value)
            parts.append(line((self.left, y), (self.right, y), "grid"))
            parts.append(label((self.left - 6, y + 4), form(value), anchor="end"))
        return element("g", *parts)

    def x_axis(self, values: Sequence[float], form: Callable[[float], str], name: str) -> Markup:
        """Values below the plot, and under them, at the right end, the name of what they count."""
        parts = [label((self.across(value), self.bottom + 17), form(value), anchor="middle") for value in values]
        parts.append(label((self.right, self.bottom + 34), name, "axis", "end"))
        return element("g", line((self.left, self.bottom), (self.right, self.bottom), "base"), *parts)


def legend(entries: Sequence[tuple[str, str]], top: float) -> tuple[Markup, float]:
    """A short line and a text for each (class, text), in as many columns as there is room for, and their height."""
    longest = max(len(text) for _, text in entries)
    columns = 3 if longest < 12 else 2 if longest < 22 else 1
    step = WIDTH / columns
    parts = []
    for number, (kind, text) in enumerate(entries):
        x, y = (number % columns) * step + 8, top + 18 * (number // columns) + 13
        parts += [line((x, y - 4), (x + 20, y - 4), f"curve {kind}"), label((x + 27, y), text, most=46)]
    return element("g", *parts), 18.0 * -(-len(entries) // columns)
