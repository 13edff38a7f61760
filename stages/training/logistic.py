"""The head `logistic`: multinomial logistic regression on pooled and standardised activations, with weight decay.

It is fitted at once, by L-BFGS on all images (Liu and Nocedal 1989). Its loss has one minimum: no seed is needed, the
order of images changes the result by rounding alone, and there are no epochs to choose among.
"""

import time
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
from dvclive.live import Live
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from stages.networks.inputs import pool
from stages.results.history import History, add
from stages.results.scores import losses
from stages.training.batches import Batches, Data
from stages.training.watch import show

MOST_STEPS = 1000  # 20 to 60 are usual
SMALLEST_SLOPE = 1e-5  # of the loss, at which the fit ends
LEAST_DEVIATION = 0.01  # of a channel, as a share of the mean one: else noise in a silent channel would outweigh all
Floats = npt.NDArray[np.floating[Any]]


class LogisticHead(NamedTuple):
    """The weights `(channels, n_classes)` and biases `(n_classes,)` from pooled activations to scores."""

    kernel: Floats
    bias: Floats

    def probabilities(self, pooled: Floats) -> npt.NDArray[np.float32]:
        """Return the probabilities `(n, n_classes)` of pooled activations `(n, channels)`."""
        said: npt.NDArray[np.float32] = softmax(pooled @ self.kernel + self.bias, axis=1).astype(np.float32)
        return said


def fit_logistic(pooled: Floats, wanted: Floats, weights: Floats, weight_decay: float) -> LogisticHead:
    """Return the head with the lowest loss: the weighted cross-entropy, plus half the decay times the squared weights.

    The weights that decay are those of standardised activations, so that a channel's size does not matter; biases do
    not decay.

    Args:
        pooled: The activations of the training images, averaged over places, `(n, channels)`.
        wanted: The probabilities to learn, one-hot or smoothed, `(n, n_classes)`.
        weights: The weight of each image, `(n,)`, 1 on average.
        weight_decay: The factor, for a loss that is a mean over images.

    Raises:
        ValueError: The loss is not finite.
    """
    mean, deviation = pooled.mean(axis=0), pooled.std(axis=0)
    deviation = np.maximum(deviation, LEAST_DEVIATION * deviation.mean() or 1)
    standardised = (pooled - mean).astype(np.float32, copy=False)
    standardised /= deviation  # in place, because a copy may take hundreds of megabytes
    shape = (pooled.shape[1] + 1, wanted.shape[1])
    shares = weights[:, None] / len(pooled)

    def loss_and_slope(flat: Floats) -> tuple[float, Floats]:
        kernel, bias = np.split(flat.reshape(shape), [-1])
        said = log_softmax(standardised @ kernel.astype(np.float32) + bias, axis=1)
        rest = shares * (np.exp(said) - wanted)
        loss = -(shares * wanted * said).sum() + weight_decay / 2 * (kernel**2).sum()
        slope = standardised.T @ rest.astype(np.float32) + weight_decay * kernel
        return float(loss), np.concatenate([slope, rest.sum(axis=0)[None]]).ravel().astype(np.float64)

    with threadpool_limits(1, user_api="blas"):  # The order of sums may follow the number of threads.
        options = {"maxiter": MOST_STEPS, "gtol": SMALLEST_SLOPE}
        found = minimize(loss_and_slope, np.zeros(np.prod(shape)), jac=True, method="L-BFGS-B", options=options)
    if not np.isfinite([found.fun, *found.x]).all():
        raise ValueError(f"expected activations with which the loss stays finite, got a loss of {found.fun}.")
    kernel, (bias,) = np.split(found.x.reshape(shape), [-1])
    kernel = kernel / deviation[:, None]
    return LogisticHead(kernel, bias - mean @ kernel)


def fit_rows(pooled: Floats, batches: Batches, weight_decay: float) -> LogisticHead:
    """Return the head fitted to the batches' rows, of which `pooled` are the activations, with their class weights."""
    labels = np.eye(len(batches.class_weights), dtype=np.float32)[batches.rows.labels]
    return fit_logistic(pooled, batches.smooth(labels), labels @ batches.class_weights, weight_decay)


def fit_at_once(model: keras.Model, data: Data, settings: Any, live: Path) -> History:
    """Fit the head, put its weights into the model's last layer, and return the history, which has one epoch.

    DVCLive writes the epoch's numbers to the folder `live`.
    """
    start = time.perf_counter()
    every = pool(data.training.array)  # first, because activations at all places may not fit into memory
    train, val = (every[batches.rows.rows] for batches in (data.training, data.validation))
    head = fit_rows(train, data.training, settings.weight_decay)
    numbers = {}
    for prefix, pooled, batches in (("", train, data.training), ("val_", val, data.validation)):
        said, labels = head.probabilities(pooled), batches.rows.labels
        numbers[f"{prefix}loss"] = float(losses(labels, said).mean())
        numbers[f"{prefix}accuracy"] = float((said.argmax(axis=1) == labels).mean())
    model.layers[-1].set_weights([head.kernel, head.bias])
    numbers["learning_rate"] = 0.0  # There are no steps of a rate.
    with Live(str(live), dvcyaml=None, report=None, save_dvc_exp=False) as curves:
        show(numbers, curves)
    return add({}, numbers | {"seconds": time.perf_counter() - start})
