"""Verdicts on planted results, whose truth is known."""

import math

import numpy as np
import pandas as pd
import pytest

from stages.results.grouped_accuracy import accuracy_difference
from stages.study.findings import Beats, BestOf, Costs, DoesNotLearn, Overfits, Precise, Reaches, Setting, Unchecked
from stages.study.result_tables import Results
from stages.study.statistics import Evidence, Gap, accuracy_of, compare, needed, to_judge_best, to_judge_learning
from stages.study.verdicts import (
    CONFIRMED,
    CONTRADICTED,
    NOT_CHECKED,
    OPEN,
    OTHER_DATA,
    SAME,
    judge_cost,
    verdict_on,
)  # fmt: skip
from stages.tracking.records import ANSWER

N = 400
WORDS = {"claim": "", "quote": ""}
SWEPT = {**WORDS, "network": "vgg", "sweep": "rate"}


def planted(accuracies, split="val", sweep="rate", n=N, network="vgg", seeds=1, failed=()):
    """Results of one network: each value is right about its share of the images, drawn at random."""
    random = np.random.default_rng(0)
    images = pd.DataFrame({"image": range(n), "split": split, "group": [f"g{i // 2}" for i in range(n)]}).astype(str)
    images["class"] = np.where(np.arange(n) % 10 < 4, "large", "small")
    rows = []
    for value, accuracy in accuracies.items():
        for seed in range(seeds):
            run, is_done = f"{network}-{value}-{seed}", value not in failed
            rows.append({
                "network": network, "sweep": sweep, "value": str(value), "seed": seed, "run": run,
                "status": "done" if is_done else "failed", "reason": "" if is_done else DIVERGED,
                "largest_class": "large", "train_accuracy": 0.9,
            })  # fmt: skip
            if is_done:
                images[run] = (random.permutation(n) < round(accuracy * n)).astype(int)
                if accuracy is LARGEST:
                    images[run] = (images["class"] == "large").astype(int)
    answers = images[[*ANSWER, *(row["run"] for row in rows if row["status"] == "done")]]
    return Evidence(Results(pd.DataFrame(rows), pd.DataFrame(), answers), 0.05)


LARGEST = 0.4
DIVERGED = "params.yaml train.vgg.learning_rate: expected one with which the loss stays finite, got nan."


def verdict(finding, evidence):
    return verdict_on(finding, evidence).verdict


def test_a_rate_that_names_the_largest_class_does_not_learn():
    finding = DoesNotLearn(**SWEPT, check="does_not_learn", values=[1.0])
    evidence = planted({1.0: LARGEST, 0.1: 0.7})
    assert verdict(finding, evidence) == CONFIRMED
    assert "0.400 - 0.400 of the largest class (-0.0" in verdict_on(finding, evidence).measured


def test_a_rate_that_tells_classes_contradicts_that_it_does_not_learn():
    finding = DoesNotLearn(**SWEPT, check="does_not_learn", values=[1.0, 0.1])
    assert verdict(finding, planted({1.0: LARGEST, 0.1: 0.7})) == CONTRADICTED


def test_a_rate_that_may_be_better_than_the_largest_class_is_not_said_to_learn_nothing():
    """Absence of evidence that it learns is no evidence that it does not."""
    finding = DoesNotLearn(**SWEPT, check="does_not_learn", values=[1.0])
    result = verdict_on(finding, planted({1.0: 0.42, 0.1: 0.7}, n=60))
    assert result.verdict == OPEN
    assert result.measured.endswith("images like these would decide it")


def test_a_network_worse_than_the_largest_class_does_not_learn():
    finding = DoesNotLearn(**SWEPT, check="does_not_learn", values=[1.0])
    assert verdict(finding, planted({1.0: 0.2})) == CONFIRMED


def test_a_loss_that_is_not_finite_is_no_learning():
    finding = DoesNotLearn(**SWEPT, check="does_not_learn", values=[1.0])
    result = verdict_on(finding, planted({1.0: 0.5, 0.1: 0.7}, failed=[1.0]))
    assert (result.verdict, result.measured) == (CONFIRMED, "1.0: no finite loss")


@pytest.mark.parametrize(("fold", "reason"), [(0, "no room on the disk"), (1, DIVERGED)])
def test_a_fold_that_failed_does_not_show_that_a_rate_does_not_learn(fold, reason):
    _, evidence = in_folds({1.0: 0.9}, 3)
    runs = evidence.results.runs
    runs.loc[fold, ["status", "reason"]] = "failed", reason
    finding = DoesNotLearn(**SWEPT, check="does_not_learn", values=[1.0])
    result = verdict_on(finding, evidence)
    assert (result.verdict, result.measured) == (OPEN, "a run of it failed")
    runs["status"], runs["reason"] = "failed", reason
    assert verdict(finding, evidence) == (CONFIRMED if reason == DIVERGED else OPEN)


@pytest.mark.parametrize(
    ("accuracies", "expected"),
    [({0.5: 0.9, 0.1: 0.6, 0.2: 0.7}, CONFIRMED), ({0.5: 0.6, 0.1: 0.9, 0.2: 0.6}, CONTRADICTED),
     ({0.5: 0.7, 0.1: 0.69, 0.2: 0.3}, OPEN), ({0.5: 0.98, 0.1: 0.98, 0.2: 0.98}, SAME), ({0.5: 0.7}, "not run")],
)  # fmt: skip
def test_best_of_is_against_each_other_value(accuracies, expected):
    assert verdict(BestOf(**SWEPT, check="best_of", value=0.5), planted(accuracies)) == expected


@pytest.mark.slow
def test_equal_settings_are_rarely_told_apart():
    contradicted = 0
    for seed in range(20):
        evidence = planted({seed: 0.7, seed + 0.5: 0.7, seed + 0.25: 0.7, seed + 0.75: 0.7}, n=150)
        random = np.random.default_rng(seed)
        for column in evidence.results.answers.columns[len(ANSWER) :]:
            evidence.results.answers[column] = (random.random(150) < 0.7).astype(int)
        contradicted += verdict(BestOf(**SWEPT, check="best_of", value=seed), evidence) == CONTRADICTED
    assert contradicted <= 3  # 5 % of 20 are 1


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [(0.9, 0.6, CONFIRMED), (0.6, 0.9, CONTRADICTED), (0.7, 0.7, OPEN), (0.98, 0.98, SAME)],
)
def test_a_pair_is_decided_by_the_interval_of_its_difference(one, other, expected):
    better, worse = (Setting(network="vgg", sweep="rate", value=value) for value in (1, 2))
    finding = Beats(**WORDS, check="beats", better=better, worse=worse, split="val")
    assert verdict(finding, planted({1: one, 2: other})) == expected


@pytest.mark.parametrize(("gap", "expected"), [(0.1, CONFIRMED), (0.3, CONTRADICTED), (0.2, OPEN)])
def test_overfitting_is_training_accuracy_so_far_above_validation(gap, expected):
    assert verdict(Overfits(**SWEPT, check="overfits", value=1, gap=gap), planted({1: 0.7})) == expected


@pytest.mark.parametrize(("accuracy", "expected"), [(0.5, CONFIRMED), (0.9, CONTRADICTED), (0.7, OPEN)])
def test_a_reported_accuracy_is_reached_or_not(accuracy, expected):
    finding = Reaches(**WORDS, check="reaches", network="vgg", accuracy=accuracy)
    assert verdict(finding, planted({"": 0.7}, split="test", sweep="final")) == expected


def test_all_of_some_images_right_does_not_show_that_every_image_is():
    finding = Reaches(**WORDS, check="reaches", network="vgg", accuracy=1.0)
    assert verdict(finding, planted({"": 1.0}, split="test", sweep="final", n=40)) == OPEN


def test_an_accuracy_or_precision_of_other_images_is_not_judged():
    found = planted({"": 0.7}, split="test", sweep="final").results
    columns = {"wanted_precision": "0.98", "wanted_low": "0.96", "wanted_high": "0.99", "wanted_recall": "0.4"}
    found = Evidence(Results(found.runs.assign(**columns), pd.DataFrame(), found.answers), 0.05, on_own_images=False)
    reaches = verdict_on(Reaches(**WORDS, check="reaches", network="vgg", accuracy=0.9), found)
    assert reaches.verdict == OTHER_DATA
    assert reaches.measured.startswith("0.700 (0.6")
    precise = Precise(**WORDS, check="precise", network="vgg", precision=0.95)
    assert verdict(precise, found) == OTHER_DATA
    assert verdict(precise, planted({"": 0.7}, split="test", sweep="final")) == OPEN
    without = Evidence(planted({"": 0.7}, split="test", sweep="final").results, 0.05, on_own_images=False)
    assert verdict(precise, without) == OTHER_DATA


@pytest.mark.parametrize(
    ("wanted", "low", "high", "expected"),
    [
        ("0.98", "0.96", "0.99", CONFIRMED),
        ("0.9", "0.8", "0.94", CONTRADICTED),
        ("0.95", "0.9", "0.99", OPEN),
        ("", "", "", OPEN),
    ],
)
def test_a_wanted_precision_is_held_against_its_interval_on_test(wanted, low, high, expected):
    evidence = planted({"": 0.7}, split="test", sweep="final")
    columns = {"wanted_precision": wanted, "wanted_low": low, "wanted_high": high, "wanted_recall": "0.4"}
    evidence = Evidence(
        Results(evidence.results.runs.assign(**columns), pd.DataFrame(), evidence.results.answers), 0.05
    )
    assert verdict(Precise(**WORDS, check="precise", network="vgg", precision=0.95), evidence) == expected


def test_what_is_not_run_or_failed_is_said():
    finding = BestOf(**SWEPT, check="best_of", value=3)
    assert verdict(finding, planted({1: 0.5})) == "not run"
    assert verdict(finding, planted({1: 0.5, 3: 0.5}, failed=[3])) == OPEN
    assert verdict(Unchecked(**WORDS, check="none", why="so"), planted({1: 0.5})) == NOT_CHECKED


TABLE = """kernel_size,cpu_s_per_step,against,ratio,low,high
3,0.243,3,1.00,1.00,1.00
25,6.833,3,28.22,22.62,32.44
"""


@pytest.mark.parametrize(
    ("times", "within", "expected"),
    [
        (22.3, 1.5, CONFIRMED),
        (22.3, 1.2, OPEN),
        (5, 2, CONTRADICTED),
        (70, 2, CONTRADICTED),
        (16.22, 2, CONFIRMED),
        (45.24, 2, CONFIRMED),  # to the very ends of the interval
    ],
)
def test_a_cost_is_that_of_the_benchmark(tmp_path, times, within, expected):
    (tmp_path / "training.csv").write_text(TABLE)
    finding = Costs(**SWEPT, check="costs", value=25, against=3, times=times, within=within)
    assert judge_cost(finding, tmp_path / "training.csv").verdict == expected


def test_a_cost_that_the_benchmark_lacks_is_not_run(tmp_path):
    (tmp_path / "training.csv").write_text(TABLE)
    for value, against in ((9, 3), (25, 5)):
        finding = Costs(**SWEPT, check="costs", value=value, against=against, times=2, within=2)
        assert judge_cost(finding, tmp_path / "training.csv").verdict == "not run"
    assert judge_cost(finding, tmp_path / "none.csv").verdict == "not run"


def test_the_repositorys_benchmark_has_the_kernel_sizes(root):
    finding = Costs(**SWEPT, check="costs", value=25, against=3, times=20, within=2)
    assert "times" in judge_cost(finding, root / "benchmarks/results/training.csv").measured


def rights(evidence):
    return [evidence.right(Setting(network="vgg", sweep="rate", value=value)) for value in (1, 2)]


def test_the_difference_is_that_by_which_networks_are_compared():
    evidence = planted({1: 0.7, 2: 0.6})
    one, other = rights(evidence)
    groups = one.index.get_level_values("group").to_numpy().astype(str)
    assert evidence.difference(one, other) == accuracy_difference(one.to_numpy() > 0, other.to_numpy() > 0, groups)[:2]


def test_settings_with_other_validation_images_are_compared_each_on_its_own():
    evidence = planted({1: 0.7, 2: 0.7})
    one, other = rights(evidence)
    low, high = evidence.difference(one.iloc[:200], other.iloc[100:])
    gap = accuracy_of(one.iloc[:200]) - accuracy_of(other.iloc[100:])
    assert low < gap < high
    whole = evidence.difference(one, other)
    assert high - low > whole[1] - whole[0]  # of fewer images
    widths = [end - start for start, end in map(evidence.interval, (one.iloc[:200], other.iloc[100:]))]
    assert high - low == pytest.approx(np.hypot(*widths), rel=0.02)


@pytest.mark.parametrize(
    "accuracies",
    [{1: 0.72, 2: 0.66}, {1: 0.66, 2: 0.72}, {1: 0.7, 2: 0.7}, {1: 0.7, 2: 0.69, 3: 0.5}, {1: 0.7, 2: 0.73, 3: 0.5}],
)
def test_as_many_images_as_are_said_to_be_needed_decide(accuracies):
    """The rival at 0.5 is told apart long before: what the others need counts."""
    finding = BestOf(**SWEPT, check="best_of", value=1)
    result = verdict_on(finding, planted(accuracies, n=200))
    assert result.verdict == OPEN
    number = float(result.measured.split("about ")[1].split()[0].replace(",", ""))
    assert 200 < number < 50_000
    assert verdict(finding, planted(accuracies, n=int(1.2 * number))) != OPEN


def gap(value, half, images=100):
    """A difference whose intervals are all as wide."""
    return Gap(value, images, *[value - half, value + half] * 3)


@pytest.mark.parametrize(
    ("gaps", "images"),
    [
        ([gap(0.1, 0.2)], 400),  # half as wide an interval leaves 0 out
        ([gap(-0.1, 0.2)], 400),
        ([gap(0.0, 0.1)], 400),  # or lies within the margin of 0.05
        ([gap(0.4, 0.2), gap(0.1, 0.2)], 400),  # it must beat each rival
        ([gap(0.4, 0.2), gap(-0.1, 0.2)], 400),  # one rival that beats it is enough
        ([gap(0.4, 0.2), gap(0.0, 0.2)], math.inf),  # neither all beaten nor all the same
    ],
)
def test_the_verdict_that_takes_the_fewest_images_counts(gaps, images):
    assert to_judge_best(gaps, 0.05) == pytest.approx(images)


def test_a_setting_below_the_largest_class_needs_fewer_images_to_be_no_better():
    assert to_judge_learning([gap(-0.05, 0.2)], 0.05) == pytest.approx(400)
    assert to_judge_learning([gap(0.1, 0.2)], 0.05) == pytest.approx(400)


def test_too_few_groups_are_said_and_no_images_counted():
    evidence = planted({1: 0.8, 2: 0.6}, n=16)
    better, worse = (Setting(network="vgg", sweep="rate", value=value) for value in (1, 2))
    result = verdict_on(Beats(**WORDS, check="beats", split="val", better=better, worse=worse), evidence)
    assert result.verdict == OPEN
    assert result.measured.endswith(
        " (too few groups or seeds to tell); it takes images in more groups, or more seeds, to decide it"
    )
    one, other = rights(evidence)
    assert evidence.difference(one.iloc[:12], other.iloc[4:]) == (-1, 1)
    overfits = verdict_on(Overfits(**SWEPT, check="overfits", value=1, gap=0.1), evidence)
    assert overfits.measured.endswith("it takes images in more groups, or more seeds, to decide it")


def test_needed_images_are_told_with_two_digits():
    assert needed(1e9, 0.1) == needed(math.inf, 0.1) == "more than 100,000 images like these would decide it"
    assert needed(1234.0, 0.1) == "about 1,200 images like these would decide it"


def test_a_gain_too_small_to_count_is_no_learning():
    """Right about the largest class and a little more, surely more: but within the margin."""
    evidence = planted({1.0: LARGEST}, n=2000)
    answers = evidence.results.answers
    small = answers.index[answers["class"] == "small"][:40]
    answers.loc[small, "vgg-1.0-0"] = 1
    result = verdict_on(DoesNotLearn(**SWEPT, check="does_not_learn", values=[1.0]), evidence)
    assert "+0.0" in result.measured
    assert "(+0.0" in result.measured
    assert result.verdict == CONFIRMED


def in_folds(accuracies, folds, **others):
    """The same results, each seed's in so many runs, of which each answered its own images alone."""
    whole = planted(accuracies, **others)
    runs, answers = whole.results.runs, whole.results.answers
    rows, columns = [], {}
    for row in runs.to_dict("records"):
        for fold in range(folds):
            name = f"{row['run']}-{fold}"
            rows.append({**row, "run": name})
            columns[name] = answers[row["run"]].astype("Int64").where(answers["image"].astype(int) % folds == fold)
    return whole, Evidence(Results(pd.DataFrame(rows), pd.DataFrame(), answers[ANSWER].assign(**columns)), 0.05)


def test_the_folds_of_a_seed_count_as_one_answer_to_all_images():
    whole, folded = in_folds({1: 0.7, 2: 0.6}, 5, seeds=2)
    for one, other in zip(rights(whole), rights(folded), strict=True):
        assert (one.to_numpy() == other.to_numpy()).all()
        assert one.index.equals(other.index)
    assert len(folded.done(Setting(network="vgg", sweep="rate", value=1))) == 10


def test_folds_of_two_divisions_are_not_put_together():
    _, evidence = in_folds({1: 0.7}, 5)
    answers = evidence.results.answers
    answers["vgg-1-0-0"] = answers["vgg-1-0-1"]
    with pytest.raises(ValueError, match=r"^vgg-1-0-0: expected folds of one division of the images, got some of"):
        evidence.right(Setting(network="vgg", sweep="rate", value=1))


def test_naming_the_largest_class_is_what_the_training_images_of_each_fold_say():
    _, evidence = in_folds({1: 0.7}, 5)
    runs = evidence.results.runs
    runs.loc[2, "largest_class"] = "small"
    right = evidence.largest(Setting(network="vgg", sweep="rate", value=1))
    classes = right.index.get_level_values("class")
    is_third = right.index.get_level_values("image").astype(int) % 5 == 2
    np.testing.assert_array_equal(
        right["largest class"] == 1, np.where(is_third, classes == "small", classes == "large")
    )


def test_a_seed_that_lacks_a_fold_does_not_count():
    _, evidence = in_folds({1: 0.7}, 5, seeds=2)
    setting = Setting(network="vgg", sweep="rate", value=1)
    runs = evidence.results.runs
    runs.loc[runs["run"] == "vgg-1-1-3", "status"] = "not run"
    assert evidence.right(setting).shape == (N, 1)
    assert evidence.status(setting) == "done"
    runs.loc[runs["run"] == "vgg-1-0-0", "status"] = "failed"
    assert evidence.status(setting) == "failed"
    assert evidence.swept("vgg", "rate") == []


def test_each_further_seed_is_a_look_that_is_paid_for():
    evidence = planted({1: 0.7, 2: 0.6})
    one, other = rights(evidence)
    twice = [pd.concat([each, each], axis=1) for each in (one, other)]
    gap = compare(*twice, evidence)
    assert (gap.low, gap.high) == pytest.approx(evidence.difference(one, other, 0.025))
    assert (gap.least, gap.most) == pytest.approx(evidence.difference(one, other, 0.05))


def test_seeds_are_drawn_from_all_that_there_could_be():
    evidence = planted({1: 0.5}, seeds=4)
    right = evidence.right(Setting(network="vgg", sweep="rate", value=1))
    assert right.shape[1] == 4
    low, high = evidence.interval(right)
    right[right.columns[0]] = 1.0
    shifted = evidence.interval(right)
    assert shifted[1] - shifted[0] > 1.5 * (high - low)
