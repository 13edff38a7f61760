"""Names of classes as figures can show them."""

import matplotlib
import pytest
from matplotlib.figure import Figure

from stages.figures import fonts
from stages.figures.style import HAIR_SPACE, LONGEST, begin_figure, legible_names


def test_plain_names_stay_as_they_are():
    names = ["cat", "$x^$", "caf\u00e9", "50 %", "<b>", 'say "x", y', "{0}"]
    assert legible_names(names) == {name: name for name in names}


def test_a_name_with_an_underscore_before_it_is_not_left_out_of_a_legend():
    begin_figure()
    axes = Figure().subplots()
    axes.plot([1], label=legible_names(["_misc"])["_misc"])
    assert [text.get_text() for text in axes.legend().get_texts()] == [f"{HAIR_SPACE}_misc"]


def test_a_letter_that_no_font_has_is_its_code_point(monkeypatch):
    monkeypatch.setattr(fonts, "letters", lambda: {"DejaVu Sans": frozenset(map(ord, "cat "))})
    assert legible_names(["cat \u732b"]) == {"cat \u732b": "cat \u2039732B\u203a"}


def test_long_names_are_shortened_and_stay_different():
    names = ["x" * 200, "x" * 199, "x" * 198 + "y", "x" * LONGEST]
    shown = legible_names(names)
    assert len(set(shown.values())) == 4
    assert max(map(len, shown.values())) <= LONGEST + len(" (2)")
    assert shown[names[3]] == names[3]


@pytest.mark.parametrize("name", ["$x^$", "a_b^c", r"\frac", "$$"])
def test_no_name_is_a_formula(name, tmp_path):
    begin_figure()
    figure = Figure()
    figure.subplots().set_title(name)
    figure.savefig(tmp_path / "figure.png")
    assert matplotlib.rcParams["text.parse_math"] is False
