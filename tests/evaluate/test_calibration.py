import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from stages.evaluate.calibration import calibration_error, calibration_interval, error_by_chance, make_bins
from stages.results.bootstrap import draw_groups


def draw(random, n_groups, in_a_group, sharpness):
    """Return labels, what a network says that is as much too sure as the sharpness is above 1, and groups."""
    scores = 1.2 * random.normal(size=(n_groups, 4)).repeat(in_a_group, axis=0)
    odds = np.exp(scores)
    true = odds / odds.sum(axis=1, keepdims=True)
    chosen = random.random(n_groups).repeat(in_a_group)[:, None]
    labels = (true.cumsum(axis=1) < chosen).sum(axis=1).clip(0, 3)
    said = odds**sharpness
    return labels, said / said.sum(axis=1, keepdims=True), np.arange(n_groups).repeat(in_a_group).astype(str)


def test_the_bins_are_scikit_learns_quantiles():
    labels, said, _ = draw(np.random.default_rng(0), 300, 1, 1.5)
    bins = make_bins(labels, said)
    count, confidence, right = bins.sums(np.ones(300), bins.confidence, bins.right)
    expected = calibration_curve(bins.right, bins.confidence, n_bins=15, strategy="quantile")
    np.testing.assert_allclose(right / count, expected[0])
    np.testing.assert_allclose(confidence / count, expected[1])
    assert count.tolist() == [20] * 15


@pytest.mark.parametrize(("n", "n_bins"), [(1, 1), (9, 1), (25, 2), (149, 14), (1000, 15)])
def test_there_is_a_bin_for_each_ten_images_up_to_fifteen(n, n_bins):
    labels, said, _ = draw(np.random.default_rng(0), n, 1, 1)
    assert make_bins(labels, said).number == n_bins


def test_equal_probabilities_share_a_bin():
    said = np.repeat([[0.9, 0.1], [0.6, 0.4]], [70, 30], axis=0)
    bins = make_bins(np.zeros(100, int), said)
    assert np.bincount(bins.bin).tolist() == [30, 70]


def test_the_error_is_the_root_of_the_squared_gaps_without_what_chance_adds():
    said = np.array([[0.8, 0.2]] * 40)
    labels = np.array([0] * 20 + [1] * 20)
    expected = (0.8 - 0.5) ** 2 - 0.5 * 0.5 / 39  # Kumar, Liang and Ma 2019, definition 4.1
    assert calibration_error(make_bins(labels, said)) == pytest.approx(np.sqrt(expected))
    calibrated = np.array([0] * 32 + [1] * 8)
    assert calibration_error(make_bins(calibrated, said)) == 0
    assert calibration_error(make_bins(np.array([0]), said[:1])) == pytest.approx(0.2)


@pytest.mark.slow
@pytest.mark.parametrize("in_a_group", [1, 3])
def test_a_calibrated_network_is_seldom_called_uncalibrated_and_one_too_sure_mostly(in_a_group):
    random, beyond = np.random.default_rng(0), {1.0: 0, 2.5: 0}
    for sharpness in beyond:
        for seed in range(60):
            labels, said, groups = draw(random, 210 // in_a_group, in_a_group, sharpness)
            bins = make_bins(labels, said)
            beyond[sharpness] += calibration_error(bins) > error_by_chance(bins, groups, 60, seed)
    assert beyond[1.0] <= 6
    assert beyond[2.5] >= 50


@pytest.mark.parametrize("in_a_group", [1, 3])
@pytest.mark.parametrize(("sharpness", "error"), [(1.0, 0.0), (1.8, 0.152)])  # the errors of 200,000 images
def test_the_interval_holds_the_error(sharpness, error, in_a_group):
    random, held = np.random.default_rng(1), []
    for seed in range(60):
        labels, said, groups = draw(random, 210 // in_a_group, in_a_group, sharpness)
        low, high = calibration_interval(make_bins(labels, said), groups, 100, seed)
        held.append(low <= error <= high)
        assert 0 <= low <= high
    assert np.mean(held) >= 0.88


def test_the_interval_is_that_of_a_plain_loop_over_draws_of_groups():
    labels, said, groups = draw(np.random.default_rng(2), 40, 2, 1.5)
    bins = make_bins(labels, said)
    names, group = np.unique(groups, return_inverse=True)

    def squared(rows, is_debiased):
        total = 0.0
        for number in range(bins.number):
            own = rows[bins.bin[rows] == number]
            if len(own):
                share, chance = bins.right[own].mean(), bins.right[own].var() * len(own) / max(len(own) - 1, 1)
                total += len(own) * (bins.confidence[own].mean() - share) ** 2 - is_debiased * chance
        return total / len(rows)

    (counts,) = draw_groups(len(names), 50, 3, 1000)
    drawn = [squared(np.arange(80).repeat(each[group].astype(int)), True) for each in counts.T]
    off = np.percentile(np.array(drawn) - squared(np.arange(80), False), [97.5, 2.5])
    expected = np.sqrt(np.maximum(0, squared(np.arange(80), True) - off))
    assert calibration_interval(bins, groups, 50, 3) == pytest.approx(expected)


def test_too_few_groups_have_no_interval():
    labels, said, _ = draw(np.random.default_rng(2), 40, 1, 1.5)
    assert calibration_interval(make_bins(labels, said), np.repeat(["a", "b"], 20), 50, 3) == (0, 1)
