"""What all figures have in common: size, fonts, and the names of classes as a figure can show them."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import matplotlib
import seaborn as sns
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

DPI = 110
METADATA = {"Software": None}  # no version, so that an update alone changes no figure
DARK, PALE, ACCENT = "#1f3a5f", "#9db4d0", "#d1495b"
FONT = "DejaVu Sans"  # matplotlib's own
MORE_FONTS = {"Noto Sans CJK JP": "NotoSansCJK-Regular.ttc"}  # with their files; of Debian's package fonts-noto-cjk
LONGEST = 40  # letters of a name
MOST_CLASSES = 30  # that a figure tells apart; what it shows of each stands in a table too
HAIR_SPACE = "\u200a"  # matplotlib leaves names that begin with an underscore out of its legends


def begin_figure(style: str = "whitegrid") -> None:
    """Let figures be drawn without a screen, and names be shown as they are, dollars and all."""
    matplotlib.use("Agg")
    sns.set_theme(style=style, font_scale=0.9, rc={"text.parse_math": False, "font.family": installed_fonts()})


def legible_names(names: Iterable[str]) -> dict[str, str]:
    """Return for each name what a figure shows of it, which differs from that of any other name.

    A long name loses its middle, and a letter that no font has is its code point in angle quotation marks.
    """
    shown: dict[str, str] = {}
    for name in names:
        if name in shown:
            continue
        text = "".join(letter if ord(letter) in known_letters() else f"\u2039{ord(letter):X}\u203a" for letter in name)
        if len(text) > LONGEST:
            text = f"{text[: LONGEST - 13]}\u2026{text[-12:]}"
        text = HAIR_SPACE + text if text.startswith("_") else text
        taken = set(shown.values())
        numbers = (number for number in range(2, len(taken) + 3) if f"{text} ({number})" not in taken)
        shown[name] = f"{text} ({next(numbers)})" if text in taken else text
    return shown


@cache
def installed_fonts() -> list[str]:
    """Return the fonts that figures use, in the order in which a letter is looked for in them."""
    for file in font_manager.findSystemFonts():  # matplotlib's own list may be older than a font
        if Path(file).name in MORE_FONTS.values():
            font_manager.fontManager.addfont(file)
    return [FONT, *(name for name in MORE_FONTS if name in font_manager.get_font_names())]


@cache
def known_letters() -> frozenset[int]:
    """Return the code points of all letters that these fonts have."""
    files = [font_manager.findfont(font_manager.FontProperties(family=name)) for name in installed_fonts()]
    return frozenset(letter for file in files for letter in FT2Font(file).get_charmap())
