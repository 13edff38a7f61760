"""The fonts of figures and contact sheets, and how a text is shown whose letters no font has."""

from functools import cache
from pathlib import Path

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font
from PIL import ImageFont

FONT = "DejaVu Sans"  # matplotlib's own
MORE_FONTS = {"Noto Sans CJK JP": "NotoSansCJK-Regular.ttc"}  # with their files; of Debian's package fonts-noto-cjk
PILLOWS = frozenset([*range(0x7F), *map(ord, "\u2026\u2039\u203a")])  # letters that Pillow's own font has


def legible(text: str) -> str:
    """Return the text with the code point, in angle quotation marks, of each letter that no font has."""
    if PILLOWS.issuperset(map(ord, text)):
        return text
    known = letters().values()
    return "".join(
        letter if any(ord(letter) in own for own in (PILLOWS, *known)) else f"\u2039{ord(letter):X}\u203a"
        for letter in text
    )


def font_for(text: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font for a legible text on a sheet: Pillow's own, or the one that has the most of the text's letters.

    Args:
        text: What is to be drawn.
        size: The size in pixels.
    """
    needed = set(map(ord, text))
    if needed <= PILLOWS:
        return ImageFont.load_default(size)
    best = max(font_files(), key=lambda name: len(needed & letters()[name]))
    return ImageFont.truetype(font_files()[best], size)


@cache
def font_files() -> dict[str, str]:
    """Return the installed fonts and their files, in the order in which a figure looks for a letter in them."""
    for file in font_manager.findSystemFonts():  # matplotlib's own list may be older than a font
        if Path(file).name in MORE_FONTS.values():
            font_manager.fontManager.addfont(file)
    known = set(font_manager.get_font_names())
    return {name: font_manager.findfont(name) for name in (FONT, *MORE_FONTS) if name in known}


@cache
def letters() -> dict[str, frozenset[int]]:
    """Return the code points of the letters that each installed font has."""
    return {name: frozenset(FT2Font(file).get_charmap()) for name, file in font_files().items()}
