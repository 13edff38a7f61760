"""Which font draws a text, and what stands for letters that no font has."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from stages.figures import fonts
from stages.figures.fonts import font_files, font_for, legible, letters
from stages.figures.sheets import SheetSection, Tile, draw_sheet


@pytest.fixture
def matplotlibs_font_alone(monkeypatch):
    """Be on a machine on which no other font is installed."""
    for function in (font_files, letters):
        function.cache_clear()
    monkeypatch.setattr(fonts, "MORE_FONTS", {})
    yield
    for function in (font_files, letters):
        function.cache_clear()


def test_a_font_has_letters_of_many_scripts_and_not_all():
    assert legible("a\u00e9\u0436\u03b1\u200a\u2605") == "a\u00e9\u0436\u03b1\u200a\u2605"
    assert legible("\ue000") == "\u2039E000\u203a"  # for private use


def test_without_a_font_a_letter_is_its_code_point(matplotlibs_font_alone):
    assert legible("cat \u732b") == "cat \u2039732B\u203a"


def test_other_letters_than_pillows_font_has_are_in_one_that_has_them():
    assert not isinstance(font_for("".join(map(chr, range(0x20, 0x7F))), 11).path, str)
    for text in ("caf\u00e9", "\u043a\u043e\u0442", "1 \u2013 2"):
        assert Path(font_for(text, 11).path).name == "DejaVuSans.ttf"


def test_pillows_font_has_all_letters_that_are_drawn_in_it():
    font = ImageFont.load_default(20)
    missing = bytes(font.getmask("\ue000"))
    shown = [chr(letter) for letter in fonts.PILLOWS if letter > 0x20]
    assert not [letter for letter in shown if bytes(font.getmask(letter)) == missing]


@pytest.mark.parametrize("names", ["\u732b\u72ac", "\u00e9\u00e8"])
def test_two_letters_look_different_on_a_sheet(names, tmp_path, matplotlibs_font_alone):
    image = Image.new("RGB", (20, 20))
    for name in names:
        draw_sheet([SheetSection(name, [Tile(image, (name,))])], tmp_path / f"{name}.png")
    one, other = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in names)
    assert not np.array_equal(one, other)
