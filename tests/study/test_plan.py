"""A study as runs: their order and names, shared runs, and the choices that one sweep passes to the next."""

import shutil

import pytest

from stages.study.plan import document_choices, make_plan
from stages.study.result_tables import fingerprint
from stages.study.scale import Scale, name_images, read_scale, read_setting
from stages.study.study_file import Study, read_study
from stages.tracking import run as runs
from stages.tracking.run import Run, as_name_part, as_override


def scaled(**changes):
    values = {"data": "data/0_embedded/clipart.zip", "epochs": None, "width": None, "size": None, "seeds": 1,
              "carry": "document", "params": {}}  # fmt: skip
    return Scale(**{**values, **changes})


@pytest.fixture
def film_genres(project, root, tmp_path):
    shutil.copytree(root / "studies", tmp_path / "studies")
    return read_study("film_genres")


def plan_of(study, **changes):
    return make_plan("film_genres", study, scaled(**changes), document_choices(study))


def small(values, param="dropout"):
    """A study of one network with one sweep."""
    sweep = {"param": param, "values": values, "chosen": values[0], "quote": ""}
    return Study.model_validate({
        "question": "", "document": "", "params": {}, "instead": [], "findings": [],
        "images": {"origin": "", "quote": "", "source": "data/own", "how": "", "params": {"preprocess.crop": "face"}},
        "networks": {"vgg": {"input": "data/3_pixels", "params": {}, "sweeps": {"it": sweep}}},
    })  # fmt: skip


def test_runs_shared_by_two_sweeps_run_once(film_genres):
    plan = plan_of(film_genres)
    cells = {network: [cell for cell in plan.cells if cell.network == network] for network in ("vgg16", "alexnet")}
    assert [len(cells["vgg16"]), len(cells["alexnet"])] == [5 + 4 + 5 + 3 + 1, 5 + 5 + 5 + 3 + 1]
    # VGG16: no augmentation is dropout 0.5 again, 70/15/15 is rotation again, and so is the final model.
    assert len({cell.run for cell in cells["vgg16"]}) == 15
    # AlexNet: no augmentation is rate 1e-5 again, 70/15/15 is dropout 0.1 again, and so is the final model.
    assert len({cell.run for cell in cells["alexnet"]}) == 16
    assert len(plan.runs) == 31


def test_each_sweep_starts_from_what_was_chosen_before(film_genres):
    planned = plan_of(film_genres).runs
    first = planned["film_genres-vgg16-learning_rate-0.001-s0"].changes
    assert (first["train.vgg16.dropout"], first["train.vgg16.augmentation"]) == (0, "none")
    third = planned["film_genres-vgg16-augmentation-medium-s0"].changes
    assert (third["train.vgg16.learning_rate"], third["train.vgg16.dropout"]) == (1e-5, 0.5)


def test_names_are_those_of_the_issue_and_all_different(film_genres):
    names = list(plan_of(film_genres, seeds=3).runs)
    assert "film_genres-vgg16-learning_rate-1e-05-s0" in names
    assert "film_genres-alexnet-split-60-20-20-s2" in names
    assert len(names) == len(set(names)) == 93


def test_a_measured_choice_has_names_of_its_own_and_is_not_planned_past(film_genres):
    scale = scaled(carry="measured")
    plan = make_plan("film_genres", film_genres, scale, {})
    assert {cell.sweep for cell in plan.cells} == {"learning_rate"}
    plan = make_plan("film_genres", film_genres, scale, {("vgg16", "learning_rate"): 1e-4})
    run = plan.runs["film_genres-measured-vgg16-dropout-0.3-s0"]
    assert run.changes["train.vgg16.learning_rate"] == 1e-4
    assert {cell.sweep for cell in plan.cells if cell.network == "alexnet"} == {"learning_rate"}


def test_a_sweep_alone_needs_its_runs_alone(film_genres):
    part = plan_of(film_genres).only("split", "vgg16")
    assert [name.removeprefix("film_genres-vgg16-") for name in part.runs] == [
        "augmentation-rotation-s0", "split-80-10-10-s0", "split-60-20-20-s0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "name"),
    [("60/20/20", "60-20-20"), (1e-5, "1e-05"), (1e30, "1e+30"), (None, "none"), (True, "true"), ([5, 4, 3], "5-4-3"),
     ("a b:c~^?*[\\", "a-b-c"), ("..", "empty"), ("x..y", "x-y"), (0.1, "0.1")],
)  # fmt: skip
def test_a_value_is_made_safe_for_a_name(value, name):
    assert as_name_part(value) == name


def test_two_values_of_one_name_are_an_error(project):
    with pytest.raises(ValueError, match=r"it\.values: expected values with different names, got 'a/b' and 'a-b'"):
        make_plan("birds", small(["a/b", "a-b"], "augmentation"), scaled(), {})


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-5, "1e-05"), (None, "null"), (True, "true"), ([5, 4, 3], "[5,4,3]"), ("70/15/15", "70/15/15"), (3, "3"),
     ("given/20", "given/20"), ("12", "'12'"), ("a b", "'a b'"), ("https://x/y", "'https://x/y'"),
     (["a", "b"], "[a,b]")],
)  # fmt: skip
def test_a_value_is_written_as_hydra_reads_it(value, text):
    assert as_override(value) == text


def test_hydra_reads_back_what_is_written():
    parser = pytest.importorskip("hydra.core.override_parser.overrides_parser").OverridesParser.create()
    for value in (
        1e-5,
        1e30,
        None,
        True,
        [5, 4, 3],
        "70/15/15",
        "12",
        "a b",
        "it's",
        "https://x/y?z=1",
        ["a", "b"],
        96,
    ):
        assert parser.parse_override(f"key={as_override(value)}").value() == value


def test_only_what_differs_is_set_and_the_swept_key_always(project):
    project("networks.vgg.input", "data/3_pixels")
    run = next(iter(make_plan("birds", small([0.1, 0.2]), scaled(epochs=40), {}).runs.values()))
    assert runs.overrides(run) == [("train.vgg.dropout", 0.1)]
    assert runs.params_seen_by(run)["train"]["vgg"]["epochs"] == 40


def test_new_keys_have_a_plus_and_what_all_trainings_share_is_not_repeated(project):
    changes = {"networks.vgg16.input": "data/3_pixels", "train.vgg.optimizer": "adam", "train.vgg.patience": 3}
    run = Run("name", "vgg", changes, "")
    assert runs.overrides(run) == [("+networks.vgg16.input", "data/3_pixels"), ("+train.vgg.patience", 3)]
    document = runs.params_seen_by(run)
    assert document["networks"]["vgg16"] == {"input": "data/3_pixels"}
    assert "optimizer" not in document["train"]["vgg"]


def test_a_network_that_params_yaml_does_not_train_gets_its_module(project, film_genres):
    run = next(iter(plan_of(film_genres).runs.values()))
    assert run.changes["networks.vgg16.module"] == "vgg16"
    without = Run(run.name, "vgg16", {key: run.changes[key] for key in run.changes if ".module" not in key}, run.swept)
    other = Run(run.name, "vgg16", run.changes | {"networks.vgg16.module": "vgg19"}, run.swept)
    assert fingerprint(run) == fingerprint(without) != fingerprint(other)
    project("networks.vgg16", {"module": "vgg19", "input": "data/3_pixels"})
    assert "networks.vgg16.module" not in next(iter(plan_of(film_genres).runs.values())).changes


def test_params_of_the_studys_own_images_are_not_set_for_others(project):
    for data, is_own in (("data/own", True), ("data/other", False)):
        run = next(iter(make_plan("birds", small([0.1]), scaled(data=data), {}).runs.values()))
        assert ("preprocess.crop" in run.changes) == is_own


def test_results_on_images_of_no_study_have_a_name_of_their_own(film_genres):
    names = [name_images(data) for data in (None, "clipart", "film_genres", "data/dog_cat", "../my photos.zip")]
    assert names == ["", "", "", "dog_cat", "my-photos"]
    plan = plan_of(film_genres, images="dog_cat", folds=5)
    assert next(iter(plan.runs)) == "film_genres-dog_cat-5folds-vgg16-learning_rate-0.01-f0-s0"


def test_scale_reaches_every_run_and_leaves_heads_their_width(film_genres):
    run = next(iter(plan_of(film_genres, epochs=2, width=0.1, size=64, params={"clean.min_side": 5}).runs.values()))
    wanted = {"train.vgg16.epochs": 2, "train.vgg16.width": 0.1, "preprocess.size": 64, "clean.min_side": 5}
    assert wanted.items() <= run.changes.items()
    study = read_study("cars_tanks")
    heads = make_plan("cars_tanks", study, scaled(width=0.1), {}).runs["cars_tanks-xception-final-s0"]
    assert heads.changes["train.xception.width"] == 1
    assert heads.changes["backbones.xception.pixels"] == "data/3_pixels"


def test_with_folds_every_setting_is_trained_on_each_and_a_sweep_over_splits_is_not(film_genres):
    plan = plan_of(film_genres, folds=5, seeds=2)
    cells = [cell for cell in plan.cells if cell.network == "vgg16" and cell.value == 0.2]
    assert [(cell.seed, cell.fold) for cell in cells] == [(seed, fold) for seed in (0, 1) for fold in range(5)]
    fourth = plan.runs["film_genres-5folds-vgg16-dropout-0.2-f3-s0"]
    assert (fourth.changes["split.ratios"], fourth.changes["split.fold"]) == ("kfold/5", 3)
    splits = [cell for cell in plan.cells if (cell.network, cell.sweep) == ("vgg16", "split")]
    assert [(cell.value, cell.fold) for cell in splits if not cell.seed] == [
        ("70/15/15", None), ("80/10/10", None), ("60/20/20", None),
    ]  # fmt: skip
    # A run that two sweeps share is still one, on each fold.
    finals = [cell.run for cell in plan.cells if (cell.network, cell.sweep) == ("vgg16", "final")]
    assert finals[0] == "film_genres-5folds-vgg16-augmentation-rotation-f0-s0"
    assert len({*finals}) == 10


@pytest.mark.parametrize(
    ("values", "settings", "message"),
    [({"epochs": 0}, [], "--epochs: expected a number >= 1, got 0"), ({}, ["x"], "--set-param: expected a key of"),
     ({"folds": 2}, [], "--folds: expected a number >= 3, got 2"),
     ({"folds": 5}, ["split.ratios=60/20/20"], r"--set-param: expected no split.ratios beside --folds, which sets it"),
     ({}, ["clean.side=3"], "expected a key of params.yaml"), ({}, ["clean.min_side=["], "expected a value as")],
)  # fmt: skip
def test_a_scale_that_cannot_be_is_an_error(project, values, settings, message):
    with pytest.raises(ValueError, match=message):
        read_scale({**scaled().model_dump(), **values}, settings)


def test_a_setting_is_read_as_params_yaml_is(project):
    assert read_setting("clean.min_side=5") == ("clean.min_side", 5)
    assert read_setting("split.ratios=60/20/20") == ("split.ratios", "60/20/20")


def test_a_value_that_params_yaml_has_is_the_run_without_it(project):
    sweep = {"param": "split.ratios", "values": ["70/15/15", "60/20/20"], "chosen": "70/15/15", "quote": ""}
    study = small([0.1, 0.2]).model_dump()
    study["networks"]["vgg"]["sweeps"]["split"] = sweep
    plan = make_plan("birds", Study.model_validate(study), scaled(), {("vgg", "it"): 0.1, ("vgg", "split"): "70/15/15"})
    assert list(plan.runs) == ["birds-vgg-it-0.1-s0", "birds-vgg-it-0.2-s0", "birds-vgg-split-60-20-20-s0"]
