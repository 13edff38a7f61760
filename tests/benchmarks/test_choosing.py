import numpy as np
import pytest
from scipy.special import expit

from benchmarks import choosing, rounds


@pytest.mark.parametrize("accuracy", [0.9, 0.74])
def test_the_offset_gives_the_accuracy_over_many_groups(accuracy):
    rng = np.random.default_rng(0)
    deviation = np.hypot(choosing.SPREAD, choosing.OWN)
    chances = expit(choosing.solve_offset(accuracy) + deviation * rng.normal(size=200_000))
    assert chances.mean() == pytest.approx(accuracy, abs=0.002)


def test_two_networks_share_which_groups_are_hard(monkeypatch):
    monkeypatch.setattr(choosing, "SPREAD", 3.0)  # groups that differ more show it with fewer draws
    offsets = [choosing.solve_offset(0.8)] * 2
    gaps, in_folds = [], []
    for seed in range(300):
        metrics, pair, folds = choosing.draw_trial(offsets, 60, np.random.default_rng(seed))
        better, worse = (metrics[name]["val"]["accuracy"] for name in choosing.NAMES)
        assert pair["low"] <= round(better - worse, 4) <= pair["high"]
        gaps.append(better - worse)
        in_folds.append(folds["better"] - folds["worse"])
    assert abs(np.mean(gaps)) < 0.02
    # Independent networks would have 0.073, from 60 independent images.
    assert np.std(gaps) < 0.066
    assert np.std(in_folds) < 0.6 * np.std(gaps)  # of 5.7 times as many images


def test_a_small_run_writes_the_table(tmp_path, root, monkeypatch):
    monkeypatch.chdir(root)
    monkeypatch.setattr(rounds, "RESULTS", tmp_path)
    monkeypatch.setattr("sys.argv", ["choosing", "--trials", "4"])
    choosing.main()
    text = (tmp_path / "choosing.md").read_text()
    assert "Shares of 4 simulated choices." in text
    assert text.count(" against ") == len(choosing.TRUTHS) * len(choosing.COUNTS)
