"""Which font draws a text, and what stands for letters that no font has."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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


def test_latin_text_is_in_pillows_own_font_and_other_text_in_one_that_has_it():
    assert not isinstance(font_for("caf\u00e9 \u2026", 11).path, str)
    assert Path(font_for("\u043a\u043e\u0442", 11).path).name == "DejaVuSans.ttf"


def test_names_in_two_scripts_look_different_on_a_sheet(tmp_path, matplotlibs_font_alone):
    image = Image.new("RGB", (20, 20))
    for name in ("\u732b", "\u72ac"):
        draw_sheet([SheetSection(name, [Tile(image, (name,))])], tmp_path / f"{name}.png")
    one, other = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("\u732b", "\u72ac"))
    assert not np.array_equal(one, other)
