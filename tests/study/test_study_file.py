"""Study files: the shipped files, and the errors about files that are wrong."""

import shutil

import pytest
from ruamel.yaml import YAML

from stages.core import params
from stages.study.findings import FINAL
from stages.study.plan import document_choices, make_plan
from stages.study.scale import Scale
from stages.study.starter import write_starter
from stages.study.study_file import read_study, study_names

SHIPPED = ["anime_characters", "asuka_tag", "cars_tanks", "clipart", "film_genres", "kuroko_kagami"]


@pytest.fixture
def folder(project, root, tmp_path):
    """A project of its own, with the shipped studies."""
    shutil.copytree(root / "studies", tmp_path / "studies")
    return tmp_path / "studies"


@pytest.fixture
def edit(folder):
    """Return a function that changes one value of film_genres, at a path of keys."""

    def change(keys, value):
        path, yaml = folder / "film_genres.yaml", YAML()
        document = yaml.load(path)
        table = document
        for key in keys[:-1]:
            table = table[key]
        table[keys[-1]] = value
        yaml.dump(document, path)

    return change


def test_the_five_documents_and_the_embedded_drawings_have_a_study(folder):
    assert study_names() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_study_is_sound_and_can_be_planned(folder, name):
    study = read_study(name)
    scale = Scale(data=study.images.source, epochs=None, width=None, size=None, seeds=2, carry="document", params={})
    plan = make_plan(name, study, scale, document_choices(study))
    assert {cell.network for cell in plan.cells if cell.sweep == FINAL} == set(study.networks)
    assert all(finding.quote and finding.claim for finding in study.findings)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_finding_quotes_its_source_and_every_sweep_the_choice(folder, name):
    study = read_study(name)
    assert study.findings
    assert all(sweep.quote for network in study.networks.values() for sweep in network.sweeps.values())


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (["networks", "vgg16", "sweeps", "dropout", "chosen"], 0.9, r"dropout.chosen: expected one of \[0.2, 0.3"),
        (["networks", "vgg16", "sweeps", "dropout", "values"], [0.5, 0.5], "values: expected each value once"),
        (["networks", "vgg16", "sweeps", "dropout", "values"], [], "values: expected at least 1 of them"),
        (["networks", "vgg16", "params", "lerning_rate"], 1, "expected keys of train.vgg16 .*, got lerning_rate"),
        (["networks", "vgg16", "sweeps", "split", "param"], "split.rations", "expected keys of .*, got split.rations"),
        (["networks", "resnet"], {"input": "", "params": {}, "sweeps": {}}, "expected some of vgg, .*got resnet"),
        (["params", "preprocess.side"], 3, "params: expected keys of params.yaml, got preprocess.side"),
        (["findings", 0, "network"], "vgg", "findings.0: expected a network of vgg16, alexnet, got vgg"),
        (["findings", 0, "sweep"], "rate", "findings.0: expected a sweep of learning_rate, .* got rate"),
        (["findings", 0, "values"], [1e-9], "findings.0: expected a value of .*, got 1e-09"),
        (["findings", 0, "check"], "shines", "expected a check of 'does_not_learn', .*, got shines"),
        (["carry"], "x", "film_genres.yaml carry: expected a known key"),
        (["images", "source"], 3, "images.source: expected a text, got 3"),
        (["networks", "vgg16", "sweeps", "final"], None, "sweeps.final: expected a table of params, got None"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_an_error_of_one_line(edit, keys, value, message):
    edit(keys, value)
    with pytest.raises(ValueError, match=message) as error:
        read_study("film_genres")
    assert str(error.value).startswith("studies/film_genres.yaml ")
    assert "\n" not in str(error.value)


def test_a_missing_key_is_named(folder):
    path = folder / "film_genres.yaml"
    path.write_text(path.read_text().replace("question:", "qestion:", 1))
    with pytest.raises(ValueError, match=r"film_genres\.yaml qestion: expected a known key, got "):
        read_study("film_genres")


def test_an_unknown_study_is_answered_with_those_there_are(folder):
    with pytest.raises(ValueError, match=r"studies: expected one of anime_characters, .*, got birds"):
        read_study("birds")


def test_a_file_that_is_no_yaml_is_named_with_its_line(folder):
    (folder / "birds.yaml").write_text("question: [\n")
    with pytest.raises(ValueError, match=r"studies/birds\.yaml line 2: expected YAML"):
        read_study("birds")


@pytest.mark.parametrize(
    ("networks", "fed"),
    [({"vgg": {"input": "data/3_inputs/small"}}, "data/3_inputs/small"), ({"xception": {}}, "data/3_pixels")],
)
def test_a_starter_is_a_sound_study_of_the_network_that_the_pipeline_trains(folder, monkeypatch, networks, fed):
    values = params.load() | {"networks": networks}
    monkeypatch.setattr("stages.core.params.load", lambda: values)
    assert write_starter("birds").name == "birds.yaml"
    assert read_study("birds").images.source == "data/birds"
    assert read_study("birds").networks["vgg"].input == fed


@pytest.mark.parametrize(
    ("name", "message"), [("Birds!", "small letters"), ("film_genres", "expected no study of that")]
)
def test_a_starter_takes_no_bad_or_taken_name(folder, name, message):
    with pytest.raises(ValueError, match=message):
        write_starter(name)
