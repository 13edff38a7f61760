"""The places of numbers in the drawings, computed again from the inputs of the drawings."""

import math
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pandas as pd
import pytest

from stages.report import charts, class_charts, svg

HOSTILE = '"><script>alert(1)</script>'


def parse(drawing):
    """Parse the drawing as XML."""
    return ElementTree.fromstring(str(drawing))


def of(drawing, tag, kind):
    return [each for each in parse(drawing).iter(tag) if kind in each.get("class", "").split()]


def texts(drawing):
    return [(each.text or "") for each in parse(drawing).iter("text")]


def one(test, val=0.5, **cost):
    accuracies = {"accuracy": test, "low": test - 0.1, "high": test + 0.1}
    return {"test": accuracies, "val": {"accuracy": val}, "multiply_adds": 1e6, "parameters": 1e6} | cost


def summary(**networks):
    return {"champion": next(iter(networks)), "networks": networks, "baseline": {"test": {"accuracy": 0.25}}}


def test_accuracies_lie_on_a_scale_from_0_to_1():
    drawing = charts.draw_accuracies(summary(vgg=one(0.75, val=0.5), alexnet=one(0.5)))
    dots, ticks, bands = (
        of(drawing, tag, kind) for tag, kind in (("circle", "dot"), ("line", "mark"), ("line", "interval"))
    )
    assert [float(dot.get("cx")) for dot in dots] == [8 + 344 * 0.75, 8 + 344 * 0.5]
    assert float(ticks[0].get("x1")) == 8 + 344 * 0.5
    ends = [(float(band.get("x1")), float(band.get("x2"))) for band in bands]
    assert ends[0] == pytest.approx((8 + 344 * 0.65, 8 + 344 * 0.85), abs=0.01)
    assert "★ vgg" in texts(drawing) and "alexnet" in texts(drawing)
    rows = [float(each.get("y")) for each in of(drawing, "text", "halo")][::2]  # a name, and at its right numbers
    heights = [float(dot.get("cy")) for dot in dots]
    assert rows[0] < heights[0] < rows[1] < heights[1]
    assert heights[0] == (float(ticks[0].get("y1")) + float(ticks[0].get("y2"))) / 2


def test_cost_is_logarithmic():
    networks = {f"n{power}": one(0.5, multiply_adds=10.0**power) for power in (6, 7, 9)}
    drawing = charts.draw_cost(summary(**networks), "multiply_adds", "work")
    small, middle, large = (float(dot.get("cx")) for dot in of(drawing, "circle", "dot"))
    assert (large - middle) / (middle - small) == pytest.approx(2, abs=0.01)
    assert {"1.00\u00a0M", "10.0\u00a0M", "100\u00a0M", "1.00\u00a0G"} <= set(texts(drawing))


def test_names_of_near_points_do_not_cover_each_other():
    places = charts.name_points(
        {"a": (100.0, 100.0), "b": (110.0, 101.0), "c": (105.0, 99.0), "d": (300.0, 100.0)}, "a"
    )
    heights = {each.text: float(each.get("y")) for each in map(ElementTree.fromstring, places)}
    near = sorted(heights[name] for name in "abc")
    assert all(below - above >= 15 for above, below in pairwise(near))
    assert heights["d"] == 104


def test_a_long_name_covers_neither_a_name_from_the_other_side_nor_a_point():
    places = {"a_name_of_sixteen": (150.0, 100.0), "xception": (300.0, 101.0)}
    places |= {"vgg": (160.0, 150.0), "tiny": (178.0, 152.0)}
    heights = {each.text: float(each.get("y")) for each in map(ElementTree.fromstring, charts.name_points(places, ""))}
    assert heights["xception"] - min(heights.values()) >= 15  # the one ends where the other begins
    assert abs(heights["vgg"] - 156) >= 10  # the height of tiny's point, in the middle of the name


def test_a_difference_of_zero_lies_in_the_middle():
    pairs = [
        {"a": "x", "b": "y", "split": "test", "difference": 0.0, "low": -0.2, "high": 0.1},
        {"a": "x", "b": "y", "split": "val", "difference": 0.3, "low": 0.2, "high": 0.4},
    ]
    drawing = charts.draw_differences(pairs, "test")
    (dot,) = of(drawing, "circle", "dot")
    assert float(dot.get("cx")) == 180
    assert "0.0 (−20.0 to +10.0)" in texts(drawing)


def test_a_difference_without_an_interval_is_a_dot_and_does_not_stretch_the_axis():
    pairs = [
        {"a": "x", "b": "y", "split": "test", "difference": 0.1, "low": -0.1, "high": 0.2},
        {"a": "x", "b": "z", "split": "test", "difference": 0.05, "low": -1, "high": 1},
    ]
    drawing = charts.draw_differences(pairs, "test")
    known, unknown = of(drawing, "line", "interval")
    assert float(known.get("x2")) == charts.RIGHT
    assert unknown.get("x1") == unknown.get("x2")
    assert "+5.0 (too few groups for an interval)" in texts(drawing)


def test_learning_curves_have_a_point_for_each_epoch_and_mark_the_kept_one():
    epochs = range(1, 6)
    rows = [(epoch, split, 1 / epoch, epoch / 10) for epoch in epochs for split in ("train", "val")]
    history = pd.DataFrame(rows, columns=["epoch", "split", "loss", "accuracy"]).astype({"epoch": float})
    drawing = charts.draw_learning(history, kept=3)
    curves = of(drawing, "polyline", "curve")
    assert [len(curve.get("points").split()) for curve in curves] == [5] * 4
    (mark,) = of(drawing, "line", "limit")
    assert float(mark.get("x1")) == (44 + 342) / 2


def test_bars_of_shares_are_as_long_as_their_counts():
    drawing = charts.draw_shares({"cat": {"train": 60, "test": 20}, "dog": {"train": 30, "test": 10}})
    widths = [float(bar.get("width")) for bar in of(drawing, "rect", "share-0") if float(bar.get("height")) == 10][:2]
    assert widths == pytest.approx([344 * 60 / 80 - 1, 344 * 30 / 80 - 1], abs=0.01)


def test_shades_of_a_confusion_matrix_are_shares_of_the_true_class():
    rows = pd.DataFrame({"class": list("aaab"), "predicted": list("aabb")})
    drawing = class_charts.draw_confusion(rows, ["a", "b", "c"])
    shades = [float(cell.get("fill-opacity")) for cell in of(drawing, "rect", "heat")]
    assert shades == [0.67, 0.33, 0, 0, 1, 0, 0, 0, 0]
    assert [each for each in texts(drawing) if each.isdigit()] == list("210010000")


@pytest.mark.parametrize(("classes", "has_numbers"), [(12, True), (13, False)])
def test_numbers_stand_in_a_confusion_matrix_up_to_12_classes(classes, has_numbers):
    names = [f"c{number:02}" for number in range(classes)]
    drawing = class_charts.draw_confusion(pd.DataFrame({"class": names, "predicted": names}), names)
    assert any(each.isdigit() for each in texts(drawing)) == has_numbers


def test_larger_bins_have_larger_discs():
    table = pd.DataFrame({"confidence": [0.5, 0.9], "accuracy": [0.4, 1.0], "count": [25.0, 75.0]})
    discs = of(class_charts.draw_reliability(table), "circle", "bubble")
    assert [float(disc.get("r")) for disc in discs] == pytest.approx(
        [3 + 14 * math.sqrt(share) for share in (0.25, 0.75)], abs=0.01
    )
    assert [float(disc.get("cx")) for disc in discs] == pytest.approx([44 + 298 * 0.5, 44 + 298 * 0.9], abs=0.01)
    assert discs[0][0].text == "25 images: stated 50.0\u00a0%, right 40.0\u00a0%"


def test_a_class_without_a_curve_keeps_its_colour_for_the_next():
    scores = {name: {"roc_auc": value} for name, value in (("a", None), ("b", 0.9))}
    table = pd.DataFrame({"class": ["b", "b"], "false_positive_rate": [0.0, 1.0], "true_positive_rate": [0.0, 1.0]})
    drawing = class_charts.draw_roc(table, scores)
    assert [each.get("points") for each in of(drawing, "polyline", "s1")] == ["44,246 342,26"]
    assert {"a: area –", "b: area 0.900"} <= set(texts(drawing))


def test_a_cross_marks_a_test_image_taken_for_another():
    table = pd.DataFrame(
        [("a", "test", "b", 0, 0), ("a", "test", "a", 1, 1), ("b", "train", "a", 2, 2)],
        columns=["class", "split", "predicted", "x", "y"],
    )
    drawing = class_charts.draw_embedding(table, ["a", "b"])
    (crosses,) = of(drawing, "path", "crosses")
    assert crosses.get("d") == "M9 267l6 6m0 -6l-6 6"
    assert [each.get("d").count("M") for each in of(drawing, "path", "cloud")] == [2, 1]


@pytest.mark.parametrize(("number", "last"), [(3, "c2"), (9, "c8"), (12, "4 others")])
def test_classes_that_share_a_grey_have_one_entry_in_the_legend_of_the_map(number, last):
    classes = [f"c{i}" for i in range(number)]
    table = pd.DataFrame({"class": classes, "predicted": classes, "split": "test", "x": range(number), "y": 0.0})
    shown = texts(class_charts.draw_embedding(table, classes))
    assert shown[-1] == last and len(shown) == min(number, 9)


@pytest.mark.parametrize("name", [HOSTILE, "a & b"])
def test_names_are_texts_in_every_drawing(name):
    rows = pd.DataFrame({"class": [name, "b"], "predicted": ["b", "b"]})
    scores = {name: {"precision": 1, "recall": 0.5, "f1": 0.7, "count": 2, "roc_auc": 0.5}}
    drawings = [
        charts.draw_accuracies(summary(**{name: one(0.5)})),
        charts.draw_cost(summary(**{name: one(0.5)}), "parameters", "parameters"),
        charts.draw_shares({name: {"train": 1}}),
        class_charts.draw_confusion(rows, [name, "b"]),
        class_charts.draw_scores(scores),
    ]
    for drawing in drawings:
        assert {each.tag for each in parse(drawing).iter()} <= {"svg", "g", "text", "title", "line", "rect", "circle"}
        assert any(name[:5] in text for text in texts(drawing))


def test_a_long_name_is_cut_and_stands_in_full_in_its_title():
    label = parse(svg.label((0, 0), "a" * 50, most=10))
    assert label.text == "a" * 9 + "…"
    assert label[0].text == "a" * 50


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0, 1.1, [0, 0.5, 1]), (1, 40, [10, 20, 30, 40]), (-0.05, 0.05, [-0.05, 0, 0.05])]
)
def test_ticks_are_round_numbers_inside(low, high, expected):
    assert svg.ticks(low, high, 4 if high > 2 else 3) == expected
