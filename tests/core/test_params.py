from pathlib import Path

import pytest
from pydantic import Field
from ruamel.yaml import YAML

from stages.clean.settings import Clean
from stages.collect.run import Collect
from stages.core import params
from stages.preprocess import Preprocess
from stages.split.run import Split

KINDS = {"collect": Collect, "clean": Clean, "preprocess": Preprocess, "split": Split}


class Rates(params.Section):
    common: int = 0
    rate: float = Field(gt=0)


def write(text):
    Path("params.yaml").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("section", KINDS)
def test_the_projects_own_params_are_valid(project, section):
    params.read(KINDS[section], section)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("clean.min_side", 0, r"clean\.min_side: expected a number >= 1, got 0\.$"),
        ("clean.min_side", 32.5, r"clean\.min_side: expected an integer, got 32\.5\.$"),
        ("clean.min_side", "32", r"clean\.min_side: expected an integer, got '32'\.$"),
        ("clean.min_side", True, r"clean\.min_side: expected an integer, got True\.$"),
        ("clean.min_side", None, r"clean\.min_side: expected an integer, got None\.$"),
        ("clean.max_megapixels", 0, r"clean\.max_megapixels: expected a number > 0(\.0)?, got 0\.$"),
        ("clean.max_megapixels", float("nan"), r"clean\.max_megapixels: expected a number > 0(\.0)?, got nan\.$"),
        ("clean.max_distance", 65, r"clean\.max_distance: expected a number <= 64, got 65\.$"),
        ("clean.on_conflict", "drop", r"clean\.on_conflict: expected 'reject' or 'keep', got 'drop'\.$"),
        ("clean.min_sides", 32, r"clean\.min_sides: expected one of min_side, max_megapixels, .*, got min_sides\.$"),
        ("collect.source", 5, r"collect\.source: expected a text, got 5\.$"),
        ("collect.max_megabytes", 0, r"collect\.max_megabytes: expected a number >= 1, got 0\.$"),
        (
            "preprocess.crop",
            "centre",
            r"preprocess\.crop: expected 'center', 'letterbox', 'none' or 'face', got 'centre'",
        ),
        ("preprocess.per_class", 0, r"preprocess\.per_class: expected a number >= 1, got 0\.$"),
        ("preprocess.size", 0, r"preprocess\.size: expected .*, got 0\.$"),
        ("preprocess.size", [96], r"preprocess\.size: expected .*, got \[96\]\.$"),
        ("preprocess.size", [96, 96, 3], r"preprocess\.size: expected .*, got \[96, 96, 3\]\.$"),
        ("preprocess.size", "large", r"preprocess\.size: expected .*, got 'large'\.$"),
        ("split.ratios", 70, r"split\.ratios: expected a text, got 70\.$"),
        ("split.seed", -1, r"split\.seed: expected a number >= 0, got -1\.$"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(project, name, value, message):
    project(name, value)
    section = name.split(".")[0]
    with pytest.raises(ValueError, match=r"^params\.yaml " + message):
        params.read(KINDS[section], section)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("clean.min_side", 1),
        ("clean.max_distance", 0),
        ("clean.max_distance", 64),
        ("clean.max_megapixels", 1),
        ("clean.max_megapixels", 0.001),
        ("collect.max_megabytes", 1),
        ("preprocess.per_class", 1),
        ("preprocess.per_class", None),
        ("preprocess.size", 1),
        ("preprocess.size", [1, 2]),
        ("split.seed", 0),
    ],
)
def test_a_value_at_the_edge_of_its_range_is_taken(project, name, value):
    project(name, value)
    section, key = name.split(".")
    found = getattr(params.read(KINDS[section], section), key)
    assert found == ([value, value] if (name, value) == ("preprocess.size", 1) else value)


def test_a_missing_value_is_named(project):
    write("clean: {max_megapixels: 1, max_distance: 1, min_likeness: 1, on_conflict: keep}")
    with pytest.raises(ValueError, match=r"^params\.yaml clean\.min_side: expected a value, got nothing\.$"):
        params.read(Clean, "clean")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("split: {}", r"params\.yaml clean: expected a table of params, got none\.$"),
        ("clean: 5", r"params\.yaml clean: expected a table of params, got 5\.$"),
        ("clean: [1]", r"params\.yaml clean: expected a table of params, got \[1\]\.$"),
        ("clean:", r"params\.yaml clean\.min_side: expected a value, got nothing\.$"),
        ("clean: {}\ncleaning: {}", r"params\.yaml: expected sections of .*clean, .*, got cleaning\.$"),
        ("clean: {}\n  min_side: 1", r"params\.yaml line 2: expected YAML, got "),
        ("clean: {}\nclean: {}", r"params\.yaml line \d: expected YAML, got .*duplicate key"),
        ("clean: {min_side: 1", r"params\.yaml line \d: expected YAML, got "),
        ("clean: \x07", r"params\.yaml.*: expected YAML, got "),
        ("", r"params\.yaml.*: expected "),
        ("5", r"params\.yaml.*: expected "),
        ("clean", r"params\.yaml.*: expected .*, got '?clean'?\.$"),
    ],
)
def test_a_document_without_the_section_is_refused(project, text, message):
    write(text)
    with pytest.raises(ValueError, match="^" + message):
        params.read(Clean, "clean")


def test_a_directory_without_params_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=rf"^params\.yaml: expected a file in {tmp_path}, got none\.$"):
        params.load()


@pytest.mark.parametrize("section", ["networks", "augmentations", "collect", "train", "compare"])
def test_sections_of_steps_and_shared_ones_are_known(project, section):
    write(f"{section}: {{}}")
    assert params.load() == {section: {}}


@pytest.mark.parametrize(
    ("text", "rate"), [("1e-05", 1e-5), ("1E-5", 1e-5), ("1e-3", 1e-3), ("0.001", 1e-3), ("1", 1.0)]
)
def test_a_number_without_a_point_is_a_number(project, text, rate):
    write(f"train: {{rate: {text}}}")
    assert params.read(Rates, "train").rate == rate


def test_what_dvc_writes_for_a_small_number_is_read_back(project):
    YAML().dump({"train": {"rate": 1e-05}}, Path("params.yaml"))
    assert params.read(Rates, "train").rate == 1e-5


def test_a_later_section_overrides_an_earlier_one(project):
    write("train: {common: {rate: 1, common: 7}, vgg: {rate: 2}}")
    assert params.read(Rates, "train.common", "train.vgg") == Rates(common=7, rate=2)


def test_an_empty_section_overrides_nothing(project):
    write("train: {common: {rate: 1}, vgg: }")
    assert params.read(Rates, "train.common", "train.vgg").rate == 1


@pytest.mark.parametrize(
    ("common", "vgg", "where"),
    [("rate: 0", "common: 1", "train.common.rate"), ("rate: 1", "rate: 0", "train.vgg.rate")],
)
def test_a_wrong_value_is_named_in_the_section_that_holds_it(project, common, vgg, where):
    write(f"train: {{common: {{{common}}}, vgg: {{{vgg}}}}}")
    with pytest.raises(ValueError, match=rf"^params\.yaml {where}: expected a number > 0(\.0)?, got 0\.$"):
        params.read(Rates, "train.common", "train.vgg")


def test_a_missing_network_is_named(project):
    write("train: {common: {rate: 1}}")
    with pytest.raises(ValueError, match=r"^params\.yaml train\.vgg: expected a table of params, got none\.$"):
        params.read(Rates, "train.common", "train.vgg")


def test_a_mistyped_key_is_named_and_not_the_one_it_should_have_been(project):
    text = Path("params.yaml").read_text().replace("min_side:", "min_sid:")
    Path("params.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"^params\.yaml clean\.min_sid: expected one of min_side, .*, got min_sid\.$"):
        params.read(Clean, "clean")
