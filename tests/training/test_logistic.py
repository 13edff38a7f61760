"""The head that is fitted at once: the same as a published logistic regression, whatever the order of its images."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info, threadpool_limits

from stages.networks import heads
from stages.networks.inputs import SplitRows
from stages.training import logistic
from stages.training.batches import Batches, Data, balanced_weights
from stages.training.logistic import fit_at_once, fit_logistic

DECAY = 0.5


def draw(n_classes, n=120, channels=7):
    """Activations whose channels differ in size, one of them always 0, and labels that they tell in part."""
    random = np.random.default_rng(0)
    labels = np.arange(n) % n_classes
    pooled = random.normal(size=(n, channels)) + np.eye(n_classes, channels)[labels]
    return (pooled * 10.0 ** np.linspace(-0.5, 0.5, channels) * (np.arange(channels) != 5)).astype(np.float32), labels


def fit(pooled, labels, n_classes, weights=None):
    weights = np.ones(len(labels)) if weights is None else weights
    return fit_logistic(pooled, np.eye(n_classes)[labels], weights, DECAY)


def published(pooled, labels, n_classes):
    """Return what scikit-learn's logistic regression says, with the same decay."""
    standardised = StandardScaler().fit_transform(pooled)
    # Of two classes it has one column of weights for their difference, of which half the square counts.
    strength = (2 if n_classes == 2 else 1) / (DECAY * len(labels))
    model = LogisticRegression(C=strength, tol=1e-8, max_iter=10_000, class_weight="balanced")
    return model.fit(standardised, labels).predict_proba(standardised)


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_the_head_says_what_a_published_regression_says(n_classes):
    pooled, labels = draw(n_classes)
    pooled, labels = pooled[5:], labels[5:]  # classes of several sizes
    weights = balanced_weights(labels, n_classes)[labels]
    said = fit(pooled, labels, n_classes, weights).probabilities(pooled)
    assert said.std(axis=0).min() > 0.03  # if not, any head would pass
    np.testing.assert_allclose(said, published(pooled, labels, n_classes), atol=2e-3)


def test_the_order_of_images_changes_what_it_says_by_rounding_alone():
    pooled, labels = draw(3)
    first = fit(pooled, labels, 3)
    order = np.random.default_rng(1).permutation(len(labels))
    shuffled = fit(pooled[order], labels[order], 3)
    np.testing.assert_allclose(first.probabilities(pooled), shuffled.probabilities(pooled), atol=1e-5)


def test_it_is_fitted_by_one_thread(monkeypatch):
    threads = []

    def watched(*arguments, **options):
        threads.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return minimize(*arguments, **options)

    monkeypatch.setattr(logistic, "minimize", watched)
    with threadpool_limits(2, user_api="blas"):
        fit(*draw(3), 3)
    assert set(threads) == {1}


def test_a_channel_that_is_constant_or_silent_in_training_decides_nothing():
    pooled, labels = draw(3)
    silent = np.zeros((len(labels), 2), np.float32)
    silent[:, 0] = 0.1
    silent[0, 1] = 1e-4
    head = fit(np.hstack([pooled, silent]), labels, 3)
    awake = head.probabilities(np.hstack([pooled, np.add(silent, [0, 0.5])]))
    np.testing.assert_allclose(awake, fit(pooled, labels, 3).probabilities(pooled), atol=0.02)


def test_activations_that_are_not_finite_are_one_line():
    pooled, labels = draw(3)
    pooled[3, 2] = np.inf
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=r"^expected activations .*, got a loss of nan"):
        fit(pooled, labels, 3)


def test_more_decay_brings_probabilities_closer_to_equal_ones():
    pooled, labels = draw(3)
    sizes = [
        np.linalg.norm(fit_logistic(pooled, np.eye(3)[labels], np.ones(120), decay).probabilities(pooled) - 1 / 3)
        for decay in (0.01, 0.1, 1, 10, 1e6)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 1e-3


@pytest.mark.parametrize("seen", [[0, 1], [2]])
def test_a_class_without_training_images_is_improbable(seen):
    pooled, labels = draw(3)
    kept = np.isin(labels, seen)
    said = fit(pooled[kept], labels[kept], 3).probabilities(pooled)
    assert np.isfinite(said).all()
    assert said[:, [number for number in range(3) if number not in seen]].max() < 0.01


@pytest.mark.usefixtures("tensors")
@pytest.mark.parametrize("shape", [(7,), (2, 3, 7)])
def test_the_model_has_the_fitted_weights_and_a_history_of_one_epoch(tmp_path, shape):
    pooled, labels = draw(3)
    array = np.broadcast_to(pooled.reshape(120, *[1] * (len(shape) - 1), 7), (120, *shape)).copy()
    rows = SplitRows(np.arange(90), labels[:90]), SplitRows(np.arange(90, 120), labels[90:])
    data = Data(*(Batches(array, one, 16, 0, np.ones(3)) for one in rows))
    model = heads.build(shape, 3, SimpleNamespace(head="logistic", dropout=0.5, width=1))
    assert not any(isinstance(layer, keras.layers.Dropout) for layer in model.layers)
    history = fit_at_once(model, data, SimpleNamespace(weight_decay=DECAY), tmp_path / "live")
    head = fit(pooled[:90], labels[:90], 3)
    said = model.predict_on_batch(array)
    np.testing.assert_allclose(said, softmax(pooled @ head.kernel + head.bias, axis=1), atol=1e-4)
    assert {key: len(values) for key, values in history.items()} == dict.fromkeys(
        ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds"), 1
    )
    assert history["val_accuracy"][0] == pytest.approx((said[90:].argmax(axis=1) == labels[90:]).mean())
    assert history["val_loss"][0] == pytest.approx(-np.log(said[np.arange(90, 120), labels[90:]]).mean(), abs=1e-4)
    assert (tmp_path / "live" / "plots" / "metrics" / "val" / "loss.tsv").is_file()
    assert (tmp_path / "live" / "plots" / "metrics" / "learning_rate.tsv").is_file()
