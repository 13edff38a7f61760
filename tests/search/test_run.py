"""The command `search`: its space, its suggestions, when a trial stops early; and a small search through DVC."""

import math
import re
from contextlib import nullcontext
from types import SimpleNamespace

import optuna
import pandas as pd
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from stages.core.files import read_json
from stages.core.tables import read_table
from stages.search import run as search
from stages.search.page import as_markdown, as_table, write_results
from stages.search.space import read_space
from stages.search.trials import DONE, FAILED, PRUNED, STARTUP, Trial, freeze, is_below, least_accuracies, suggest
from stages.tracking.dvc_experiments import experiment_command
from stages.training.phases import is_pruned
from tests.repositories import run
from tests.study.test_run import repository  # noqa: F401

RATE = "train.vgg.learning_rate"
VARIED = {RATE: FloatDistribution(1e-5, 1e-1, log=True), "train.vgg.dropout": FloatDistribution(0, 0.5)}


def test_a_space_is_read_in_hydras_words(project):
    space = read_space(
        ["learning_rate=tag(log, interval(1e-5, 1e-2))", "dropout=interval(0, 0.5)", "epochs=range(5, 20, 5)",
         "augmentation=choice(none, 'clipart')", "split.ratios=60/20/20", "train.vgg.patience=3"], "vgg"
    )  # fmt: skip
    assert space.varied == {
        RATE: FloatDistribution(1e-5, 1e-2, log=True),
        "train.vgg.dropout": FloatDistribution(0, 0.5),
        "train.vgg.epochs": IntDistribution(5, 15, step=5),
        "train.vgg.augmentation": CategoricalDistribution(["none", "clipart"]),
    }
    assert space.fixed == {"split.ratios": "60/20/20", "train.vgg.patience": 3}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["learning_rate=1e-3"], "expected at least one param that varies, got none"),
        (["rate=interval(0, 1)"], r"-S rate=interval\(0, 1\): expected a key of params.yaml, got train.vgg.rate"),
        (["dropout=interval(0, 1)", "train.vgg.dropout=0.1"], "expected each key once, got train.vgg.dropout twice"),
        (["dropout=tag(log, interval(0, 1))"], "`low > 0` must hold"),
        (["dropout=range(0, 1, 0.25)"], "a range of nothing or of fractions"),
        (["dropout=range(1, 1)"], "a range of nothing"),
        (["train.dropout=interval(0, 1)"], "expected a key of params.yaml, got train.dropout"),
        (["dropout"], "expected KEY=VALUE"),
        (["dropout=interval(0"], "expected KEY=VALUE"),
    ],
)
def test_a_text_that_is_no_space_is_refused(project, texts, message):
    with pytest.raises(ValueError, match=message):
        read_space(texts, "vgg")


def test_trials_that_a_team_has_are_taken_up_and_not_made_again(project, tmp_path, monkeypatch):
    space = read_space(["dropout=interval(0, 0.5)"], "vgg")
    done, asked, made, pushed = {}, [], [], []
    curve = pd.DataFrame({"val_accuracy": [0.5]})
    record = SimpleNamespace(numbers={"val_accuracy": 0.5}, curve=curve)

    class Place:
        def take_up(self, runs):
            asked.extend(run.name for run in runs)
            done.update({run.name: "commit" for run in runs if run.name.endswith(("-1", "-2"))})

        def make(self, runs, records, failures, keep):
            [run] = runs.values()
            made.append(run.name)
            records[run.name] = record

        def push(self, runs):
            pushed.extend(run.name for run in runs)

        def check_pushed(self):
            pass

    monkeypatch.setattr(search, "place_of_runs", lambda source, where: nullcontext(Place()))
    monkeypatch.setattr(search, "find_done", lambda run: done.get(run.name))
    monkeypatch.setattr(search, "read_record", lambda run, _: record)
    monkeypatch.setattr(search, "run_name", lambda name, number: f"{name}-{number}")
    monkeypatch.setattr(search, "write_results", lambda *_: "")
    trials = search.run("mine", "vgg", space, 3, math.inf, 0, tmp_path / "mine")
    assert [trial.status for trial in trials] == [DONE] * 3
    assert (asked, made) == (["mine-1", "mine-2", "mine-3"], ["mine-3"])
    assert pushed == asked


def test_a_trial_that_failed_stays_so_though_another_made_it(project, tmp_path, monkeypatch):
    """The trials after it were suggested as if it had failed."""
    space = read_space(["dropout=interval(0, 0.5)"], "vgg")
    (tmp_path / "trials.csv").write_text("status,reason\nfailed,no memory\n")
    monkeypatch.setattr(search, "find_done", lambda run: "commit")
    place = SimpleNamespace(push=lambda runs: None, take_up=pytest.fail)
    [trial] = search.restore("mine", "vgg", space, 0, tmp_path, place)
    assert (trial.status, trial.reason) == (FAILED, "no memory")


def test_whole_numbers_and_a_networks_input_can_be_given(project):
    space = read_space(["epochs=int(interval(5, 40))", "networks.vgg19.input=data/5_features/vgg19"], "vgg19")
    assert space.varied == {"train.vgg19.epochs": IntDistribution(5, 40)}
    made, _ = search.prepare_trial("it", "vgg19", space, [], 0)
    assert made.changes["networks.vgg19.input"] == "data/5_features/vgg19"
    assert made.changes["backbones.vgg19.pixels"] == "data/3_pixels"
    given = read_space(["epochs=range(5, 40)", "backbones.vgg19.pixels=data/3_inputs/large"], "vgg19")
    assert (
        search.prepare_trial("it", "vgg19", given, [], 0)[0].changes["backbones.vgg19.pixels"] == "data/3_inputs/large"
    )
    made, _ = search.prepare_trial("it", "vgg19", read_space(["epochs=range(5, 40)"], "vgg19"), [], 0)
    assert made.changes["networks.vgg19.input"] == "data/3_pixels"


def test_a_network_without_a_file_is_fed_its_activations(project):
    space = read_space(["weight_decay=interval(0, 1)"], "efficientnet_lite2")
    made, _ = search.prepare_trial("it", "efficientnet_lite2", space, [], 0)
    assert made.changes["networks.efficientnet_lite2.module"] == "published"
    assert made.changes["networks.efficientnet_lite2.input"] == "data/5_features/efficientnet_lite2"
    assert made.changes["backbones.efficientnet_lite2.pixels"] == "data/3_pixels"


def test_bounds_of_a_search_before_are_taken_back(project):
    project("train.vgg.prune_epochs", [3])
    project("train.vgg.prune_accuracies", [0.5])
    made, _ = search.prepare_trial("it", "vgg", read_space(["dropout=interval(0, 1)"], "vgg"), [], 0)
    assert "train.vgg.prune_epochs=[]" in experiment_command(made)
    assert "train.vgg.prune_accuracies=[]" in experiment_command(made)


def test_other_params_make_another_search(project):
    space = read_space(["dropout=interval(0, 0.5)"], "vgg")
    before = search.hash_params(space)
    project("train.vgg.dropout", 0.3)
    assert search.hash_params(space) == before
    project("split.ratios", "60/20/20")
    assert search.hash_params(space) != before


def play(count, seed, score):
    """Return the trials of a search whose accuracies are the scores of their values."""
    trials = []
    for _ in range(count):
        values = suggest(VARIED, trials, seed)
        trials.append(Trial(values, DONE, score(values), [score(values)]))
    return trials


def closeness(values):
    """Return a score that is highest at a rate of 1e-3."""
    return 1 / (1 + abs(math.log10(values[RATE]) + 3))


def test_suggestions_depend_on_the_seed_and_what_came_before_alone():
    first, again, other = (play(8, seed, closeness) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    # A search that continues after a kill suggests the same.
    assert suggest(VARIED, first[:6], 0) == first[6].values
    assert suggest(VARIED, [*first[:5], Trial(first[5].values, FAILED)], 0) != first[6].values


@pytest.mark.slow
def test_suggestions_come_nearer_to_the_best():
    best = [max(trial.val_accuracy for trial in play(25, seed, closeness)) for seed in range(8)]
    drawn = [max(closeness(suggest(VARIED, [], seed * 100 + each)) for each in range(25)) for seed in range(8)]
    assert sum(best) > sum(drawn)


def test_suggestions_keep_to_their_bounds_and_few_digits():
    for trial in play(30, 3, closeness):
        for key, distribution in VARIED.items():
            assert distribution._contains(trial.values[key])
            assert float(f"{trial.values[key]:.3g}") == trial.values[key]


def test_optuna_is_given_every_kind_of_trial():
    values = {RATE: 1e-3, "train.vgg.dropout": 0.1}
    states = [freeze(Trial(values, status, 0.5, [0.3, 0.2, 0.4]), VARIED) for status in (DONE, PRUNED, FAILED)]
    assert [each.state.name for each in states] == ["COMPLETE", "PRUNED", "FAIL"]
    assert [each.value for each in states] == [0.5, None, None]
    assert states[1].intermediate_values == {1: 0.3, 2: 0.3, 3: 0.4}


def test_a_training_stops_where_optunas_median_pruner_would_stop_it():
    curves = [[0.1 * i, 0.2 + 0.05 * i, 0.3 + 0.01 * i, 0.5] for i in range(STARTUP + 1)]
    before = [Trial({RATE: 1e-3, "train.vgg.dropout": 0.1}, DONE, max(each), each) for each in curves]
    least = least_accuracies(before, 4)
    assert set(least) == {1, 2}
    for end, bound in least.items():
        for reached in (bound - 0.001, bound + 0.001):
            study = optuna.create_study(
                direction="maximize", pruner=optuna.pruners.MedianPruner(STARTUP, n_warmup_steps=0)
            )
            study.add_trials([freeze(trial, VARIED) for trial in before])
            asked = study.ask()
            asked.report(reached, end)
            assert asked.should_prune() == is_below([reached] * end, {end: bound})


@pytest.mark.parametrize("count", [7, 138, 165])
def test_a_training_that_comes_to_the_median_goes_on_and_a_worse_one_does_not(count):
    """The training compares exact accuracies, the search the rounded ones of the curves: both must decide alike."""
    for right in range(1, count + 1):
        before = [Trial({}, DONE, 0, [round(right / count, 4)])] * STARTUP
        least = least_accuracies(before, 2)
        settings = SimpleNamespace(prune_epochs=[*least], prune_accuracies=[*least.values()])
        for reached in (right, right - 1):
            is_worse = is_pruned({"val_accuracy": [reached / count]}, settings)
            assert is_worse == is_below([round(reached / count, 4)], least) == (reached < right)


def test_the_first_trials_and_a_single_epoch_are_never_stopped():
    done = Trial({}, DONE, 0.5, [0.5, 0.6])
    assert least_accuracies([done] * (STARTUP - 1), 8) == {}
    assert least_accuracies([done] * STARTUP + [Trial({}, PRUNED, 0.1, [0.1])], 8) == {2: 0.5999, 4: 0.5999}
    assert least_accuracies([done] * STARTUP, 1) == {}


TRIALS = [
    Trial({RATE: 1e-3}, DONE, 0.5, [0.4, 0.5]),
    Trial({RATE: 1e-4}, PRUNED, 0.9, [0.9]),
    Trial({RATE: 1e30}, FAILED, reason="no finite loss"),
    Trial({RATE: 1e-2}, DONE, 0.7, [0.7, 0.6]),
]


def test_the_page_has_the_best_trial_first_and_the_failed_one_with_its_reason(tmp_path):
    page = write_results("birds", "vgg", TRIALS, tmp_path)
    assert page == as_markdown("birds", "vgg", as_table("birds", TRIALS)) == (tmp_path / "README.md").read_text()
    assert re.findall(r"^\| search-birds-t00(\d)", page, re.MULTILINE) == ["4", "1", "2", "3"]
    assert "dvc exp apply search-birds-t004\n" in page
    assert "- search-birds-t003: no finite loss" in page
    assert list(read_table(tmp_path / "trials.csv")["status"]) == [DONE, PRUNED, FAILED, DONE]
    assert (tmp_path / "trials.png").stat().st_size > 5000


def test_another_search_of_the_same_name_is_refused(project, tmp_path):
    search.keep_to_one_search({"seed": 0}, tmp_path)
    search.keep_to_one_search({"seed": 0}, tmp_path)
    with pytest.raises(ValueError, match="got another: give this one a --name of its own"):
        search.keep_to_one_search({"seed": 1}, tmp_path)
    assert read_json(tmp_path / "search.json") == {"seed": 0}


@pytest.mark.slow
def test_a_search_through_dvc_goes_on_where_it_ended(repository):  # noqa: F811
    words = ["python", "-m", "stages.search", "convnet", "-S", "learning_rate=choice(1e-3, 1e+30)",
            "-S", "width=tag(log, interval(0.02, 0.05))", "-S", "epochs=1", "--seed", "5"]  # fmt: skip
    printed = run(repository, *words, "--dry")
    output = run(repository, *words, "--trials", "1", expect=1)
    assert printed.strip() in output
    first = read_table(repository / "metrics" / "searches" / "convnet" / "trials.csv")
    output = run(repository, *words, "--trials", "2", expect=1)
    assert output.count("done already") == 1  # the failed one
    trials = read_table(repository / "metrics" / "searches" / "convnet" / "trials.csv")
    assert trials.iloc[:1].equals(first)
    assert {DONE, FAILED} == set(trials["status"])
    names = run(repository, "dvc", "exp", "list", "--all", "--name-only").split()
    assert sorted(names) == sorted(trials.loc[trials["status"] == DONE, "run"])
