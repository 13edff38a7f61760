import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm
from sklearn import metrics

from benchmarks import bootstrap as benchmark
from benchmarks import rounds
from stages.results import bootstrap
from stages.results.bootstrap import areas, draw_groups, intervals, rank_scores, replicate
from tests.repositories import WARM

METRICS = ["accuracy", "balanced_accuracy", "macro_f1", "log_loss", "roc_auc"]


@pytest.fixture
def answer():
    """Return labels, probabilities rounded to `digits` digits, and groups of one to four rows in no order."""

    def make(rows=120, n_classes=3, digits=6, seed=0):
        random = np.random.default_rng([rows, n_classes, seed])
        groups = np.array([f"{i:02x}" for i in random.integers(rows // 2, size=rows)], dtype=object)
        labels = random.integers(n_classes, size=rows)
        odds = np.exp(random.normal(size=(rows, n_classes)) + np.eye(n_classes)[labels])
        return labels, (odds / odds.sum(axis=1, keepdims=True)).round(digits), groups

    return make


def resample(groups, draws, seed):
    """Yield the row numbers of each draw, the plain way: take as many groups as there are, and all rows of each."""
    random = np.random.default_rng(seed)
    names = sorted(set(groups))
    for _ in range(draws):
        picks = random.integers(len(names), size=len(names))
        yield np.concatenate([np.flatnonzero(groups == names[pick]) for pick in picks])


def score_rows(labels, p):
    """Return the five metrics as scikit-learn computes them; every class has rows."""
    predicted, sums = p.argmax(axis=1), p.sum(axis=1, keepdims=True)
    return {
        "accuracy": metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, predicted),
        "macro_f1": metrics.f1_score(labels, predicted, average="macro"),
        "log_loss": metrics.log_loss(labels, p / sums),
        "roc_auc": metrics.roc_auc_score(np.eye(p.shape[1])[labels], p, average="macro"),
    }


@pytest.mark.parametrize(("n_classes", "digits"), [(2, 6), (3, 1), (6, 2)])
def test_every_draw_gives_what_scikit_learn_says_of_its_rows(answer, n_classes, digits):
    labels, p, groups = answer(150, n_classes, digits)
    found = replicate(labels, p, groups, 15, seed=3)
    assert list(found) == METRICS
    for number, rows in enumerate(resample(groups, 15, seed=3)):
        one = {name: values[number] for name, values in found.items()}
        assert one == pytest.approx(score_rows(labels[rows], p[rows]), rel=1e-12)


@pytest.mark.slow
def test_intervals_are_the_percentiles_of_the_plain_loop(answer):
    labels, p, groups = answer()
    drawn = [score_rows(labels[rows], p[rows]) for rows in resample(groups, 60, seed=1)]
    found = intervals(labels, p, groups, 60, seed=1)
    for name in METRICS:
        expected = np.percentile([scores[name] for scores in drawn], [2.5, 97.5])
        assert found[name] == pytest.approx(expected, abs=5.1e-5)
        assert found[name][0] < score_rows(labels, p)[name] < found[name][1]


def test_draws_are_the_same_in_any_chunks(answer, monkeypatch):
    labels, p, groups = answer()
    expected = replicate(labels, p, groups, 50, seed=0)
    for entries in (1, 120 * 7, 120 * 50):
        monkeypatch.setattr(bootstrap, "ENTRIES", entries)
        found = replicate(labels, p, groups, 50, seed=0)
        for name in METRICS:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-13)


def test_the_seed_and_nothing_else_decides_the_draws(answer):
    labels, p, groups = answer()
    assert intervals(labels, p, groups, 100, 0) == intervals(labels, p, groups, 100, 0)
    assert intervals(labels, p, groups, 100, 0) != intervals(labels, p, groups, 100, 1)
    order = np.random.default_rng(0).permutation(len(labels))
    shuffled = replicate(labels[order], p[order], groups[order], 100, 0)
    for name, values in replicate(labels, p, groups, 100, 0).items():
        np.testing.assert_allclose(shuffled[name], values, rtol=1e-12)


def test_groups_are_drawn_equally_often_and_as_many_as_there_are():
    weights = np.concatenate(list(draw_groups(20, 5000, seed=0, at_once=333)), axis=1)
    assert weights.shape == (20, 5000)
    assert (weights.sum(axis=0) == 20).all()
    np.testing.assert_allclose(weights.mean(axis=1), 1, atol=0.06)
    np.testing.assert_allclose(weights.var(axis=1), 0.95, atol=0.1)  # of a multinomial: 1 - 1 / 20


@pytest.mark.parametrize("digits", [6, 1, 0])
def test_weighted_areas_are_scikit_learns_and_those_of_repeated_rows(digits):
    random = np.random.default_rng(digits)
    scores, is_class = random.random(60).round(digits), random.random(60) < 0.4
    weights = random.integers(0, 4, (60, 25)).astype(float)
    found = areas(rank_scores(is_class, scores, np.arange(60), 60), weights)
    for area, weight in zip(found, weights.T, strict=True):
        assert area == pytest.approx(metrics.roc_auc_score(is_class, scores, sample_weight=weight), rel=1e-12)
        rows = np.repeat(np.arange(60), weight.astype(int))
        assert area == pytest.approx(metrics.roc_auc_score(is_class[rows], scores[rows]), rel=1e-12)


def test_an_area_counts_the_pairs_in_order_and_half_of_the_ties():
    is_class, scores = np.array([True, True, False, False, False]), np.array([0.5, 0.9, 0.5, 0.1, 0.9])
    ranking = rank_scores(is_class, scores, np.arange(5), 5)
    # 0.5 beats 0.1 and ties with 0.5; 0.9 beats 0.5 and 0.1 and ties with 0.9: (1.5 + 2.5) / 6
    assert areas(ranking, np.ones((5, 1))).tolist() == [4 / 6]
    assert areas(ranking, np.array([[1.0], [0], [2], [1], [0]])).tolist() == [2 / 3]


@pytest.mark.slow
def test_a_class_that_a_draw_leaves_out_does_not_count_in_its_means():
    labels, groups = np.array([0, 0, 1, 1, 2, 2]), np.array(list("aabbcc"))
    p = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [0.1, 0.2, 0.7], [0.5, 0.2, 0.3]])
    found = replicate(labels, p, groups, 60, seed=0)
    left_out = single = 0
    for number, rows in enumerate(resample(groups, 60, seed=0)):
        there, predicted = np.unique(labels[rows]), p[rows].argmax(axis=1)
        recall = metrics.recall_score(labels[rows], predicted, labels=there, average="macro", zero_division=0)
        f1 = metrics.f1_score(labels[rows], predicted, labels=there, average="macro", zero_division=0)
        assert found["balanced_accuracy"][number] == pytest.approx(recall)
        assert found["macro_f1"][number] == pytest.approx(f1)
        if len(there) == 1:
            single += 1
            assert np.isnan(found["roc_auc"][number])
        else:
            one_vs_rest = [metrics.roc_auc_score(labels[rows] == k, p[rows, k]) for k in there]
            assert found["roc_auc"][number] == pytest.approx(np.mean(one_vs_rest))
            left_out += len(there) == 2
    assert left_out > 10
    assert single > 3
    assert all(low <= high for low, high in intervals(labels, p, groups, 60, seed=0).values())


def test_rows_of_one_class_have_an_interval_of_all_but_the_area(answer, recwarn):
    _, p, groups = answer()
    found = intervals(np.zeros(len(p), int), p, groups, 50, seed=0)
    assert found["roc_auc"] is None
    assert found["accuracy"] == found["balanced_accuracy"]
    assert not recwarn.list


def test_a_single_group_gives_no_width(answer):
    labels, p, _ = answer()
    found = intervals(labels, p, ["same"] * len(labels), 50, seed=0)
    assert all(low == high for low, high in found.values())


def make_cluster_answers(random, n_groups=70, copies=4, shift=1.2):
    """Draw two classes with a normal score for each group, which its copies share except for a little noise."""
    labels = np.repeat(random.integers(2, size=n_groups), copies)
    noise = np.sqrt(0.9) * np.repeat(random.normal(size=n_groups), copies)
    score = shift * (labels - 0.5) + noise + np.sqrt(0.1) * random.normal(size=len(labels))
    p = 1 / (1 + np.exp(-score))
    return labels, np.stack([1 - p, p], axis=1), np.repeat(np.arange(n_groups), copies)


def true_values(shift=1.2):
    """Return the scores of such rows over infinitely many groups."""
    loss, _ = quad(lambda x: norm.pdf(x, shift / 2) * np.log1p(np.exp(-x)), -12, 12)
    right = norm.cdf(shift / 2)
    names = ["accuracy", "balanced_accuracy", "macro_f1"]
    return {**dict.fromkeys(names, right), "log_loss": loss, "roc_auc": norm.cdf(shift / np.sqrt(2))}


@pytest.mark.slow
def test_drawing_groups_covers_the_truth_and_drawing_rows_does_not():
    random, truth = np.random.default_rng(0), true_values()
    covered = {"groups": {name: [] for name in METRICS}, "rows": {name: [] for name in METRICS}}
    for number in range(300):
        labels, p, groups = make_cluster_answers(random)
        units = {"groups": groups} | ({"rows": np.arange(len(labels))} if number < 100 else {})
        for way, unit in units.items():
            for name, (low, high) in intervals(labels, p, unit, 300, seed=number).items():
                covered[way][name].append(low <= truth[name] <= high)
    for name in METRICS:
        assert 0.91 <= np.mean(covered["groups"][name]) <= 0.98, name
        assert np.mean(covered["rows"][name]) <= 0.80, name


def test_both_ways_of_the_benchmark_give_the_same_values():
    answers = benchmark.make_predictions(400, 4)
    plain = benchmark.plain(**answers, draws=5)
    assert {name: values[:5] for name, values in benchmark.ours(**answers, draws=8).items()} == {
        name: pytest.approx(values, rel=1e-12) for name, values in plain.items()
    }


@pytest.mark.slow
def test_a_tiny_benchmark_writes_the_table(tmp_path, root, monkeypatch):
    monkeypatch.chdir(root)
    monkeypatch.setattr("sys.executable", str(WARM / "python"))
    monkeypatch.setattr(rounds, "RESULTS", tmp_path)
    monkeypatch.setattr(benchmark, "CLASSES", (3,))
    tiny = ["--rows", "300", "--draws", "20", "--plain-draws", "2", "--rounds", "1"]
    monkeypatch.setattr("sys.argv", ["bootstrap", *tiny])
    benchmark.main()
    assert "| 3 | " in (tmp_path / "bootstrap.md").read_text()


@pytest.mark.slow
def test_the_benchmark_stops_where_two_runs_disagree(tmp_path, root, monkeypatch):
    monkeypatch.chdir(root)
    monkeypatch.setattr("sys.executable", str(WARM / "python"))
    case = benchmark.prepare(tmp_path, 200, 3)
    case.run("ours", 3)
    case.values["accuracy"][1] += 0.1
    with pytest.raises(ValueError, match=r"plain: expected the accuracy of the first run, got \["):
        case.run("plain", 3)
