"""Contact sheets: many small images on one page, in titled sections; the same images give the same bytes."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from stages.figures.fonts import font_for, legible

INK, PALE, PAPER, FRAME = "#22303c", "#6b7a86", "#ffffff", "#d5dce2"
CAPTION, TITLE = 11, 16  # font sizes in pixels
GAP, MARGIN = 8, 16
LINE = 14  # height of a line of a caption


@dataclass(frozen=True)
class Tile:
    """An image, at most `side` pixels wide and high, and the lines of caption under it."""

    image: Image.Image
    captions: tuple[str, ...] = ()
    colour: str = FRAME


@dataclass(frozen=True)
class SheetSection:
    """A title and the tiles that are shown under it."""

    title: str
    tiles: list[Tile]


def draw_sheet(sections: list[SheetSection], path: Path, side: int = 112, columns: int = 8) -> None:
    """Write the sections, one under the other, to a PNG file; without any tile, write a page that says so."""
    shown = [section for section in sections if section.tiles] or [SheetSection("nothing to show", [])]
    heights = [section_height(section, side, columns) for section in shown]
    page = Image.new("RGB", (2 * MARGIN + columns * (side + GAP) - GAP, 2 * MARGIN + sum(heights)), PAPER)
    draw = ImageDraw.Draw(page)
    top = MARGIN
    for section, height in zip(shown, heights, strict=True):
        title = legible(section.title)
        draw.text((MARGIN, top), title, fill=INK, font=font_for(title, TITLE))
        for number, tile in enumerate(section.tiles):
            row, column = divmod(number, columns)
            left = MARGIN + column * (side + GAP)
            place_tile(tile, page, (left, top + 2 * TITLE + row * tile_height(section, side)), side)
        top += height
    page.save(path, format="PNG", optimize=True)


def tile_height(section: SheetSection, side: int) -> int:
    """Return the height of one row of the section in pixels, captions and gap included."""
    return side + GAP + LINE * max((len(tile.captions) for tile in section.tiles), default=0)


def section_height(section: SheetSection, side: int, columns: int) -> int:
    """Return the height of the section in pixels, title included."""
    rows = -(-len(section.tiles) // columns)
    return 3 * TITLE + rows * tile_height(section, side)


def place_tile(tile: Tile, page: Image.Image, corner: tuple[int, int], side: int) -> None:
    """Draw the tile on the page: its image in the middle of a frame, its captions cut to the width of the frame."""
    draw = ImageDraw.Draw(page)
    left, top = corner
    image = tile.image
    page.paste(image, (left + (side - image.width) // 2, top + (side - image.height) // 2))
    draw.rectangle((left - 1, top - 1, left + side, top + side), outline=tile.colour)
    for line, caption in enumerate(tile.captions):
        text = shorten(legible(caption), side)
        draw.text((left, top + side + 2 + line * LINE), text, fill=PALE, font=font_for(text, CAPTION))


def shorten(text: str, width: int) -> str:
    """Return the text, shortened to a width in pixels."""
    font = font_for(text, CAPTION)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"
