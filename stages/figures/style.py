"""What all figures have in common: size, fonts, and the names of classes as a figure can show them."""

from collections.abc import Iterable

import matplotlib
import seaborn as sns

from stages.figures.fonts import font_files, legible

DPI = 110
METADATA = {"Software": None}  # no version, so that an update alone changes no figure
DARK, PALE, ACCENT = "#1f3a5f", "#9db4d0", "#d1495b"
LONGEST = 40  # letters of a name
MOST_CLASSES = 20  # that a figure tells apart; what it shows of each stands in a table too
HAIR_SPACE = "\u200a"  # matplotlib leaves names that begin with an underscore out of its legends


def begin_figure(style: str = "whitegrid") -> None:
    """Let figures be drawn without a screen, and names be shown as they are, dollars and all."""
    matplotlib.use("Agg")
    sns.set_theme(style=style, font_scale=0.9, rc={"text.parse_math": False, "font.family": list(font_files())})


def legible_names(names: Iterable[str]) -> dict[str, str]:
    """Return for each name what a figure shows of it, which differs from that of any other name.

    A long name loses its middle; for letters that no font has see `legible`.
    """
    shown: dict[str, str] = {}
    for name in names:
        if name in shown:
            continue
        text = legible(name)
        if len(text) > LONGEST:
            text = f"{text[: LONGEST - 13]}\u2026{text[-12:]}"
        text = HAIR_SPACE + text if text.startswith("_") else text
        taken = set(shown.values())
        numbers = (number for number in range(2, len(taken) + 3) if f"{text} ({number})" not in taken)
        shown[name] = f"{text} ({next(numbers)})" if text in taken else text
    return shown
