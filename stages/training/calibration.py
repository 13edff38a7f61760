"""Temperature scaling: one number, fitted on validation, makes a network's probabilities neither too high nor too low.

The scores before the softmax are divided by the temperature (Guo et al. 2017, "On Calibration of Modern Neural
Networks", section 4.2, https://arxiv.org/abs/1706.04599). The predicted class stays the same. The temperature becomes
part of the last layer's weights: the model's file, its exports and its predictions need no step of their own.
"""

import keras
import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from stages.training.batches import Batches

BOUNDS = (0.1, 10.0)
TINY = float(np.finfo(np.float32).tiny)  # a probability of 0 counts as this


def calibrate(model: keras.Model, validation: Batches) -> float:
    """Divide the model's scores by the temperature that fits its validation images, and return the temperature.

    Raises:
        ValueError: The model's last layer has no weights that could take the temperature up.
    """
    layer = output_layer(model)
    if not layer.get_weights():
        raise ValueError(f"{model.name}: expected a last layer with weights and the softmax, got {layer.name}.")
    array, rows, size = validation.array, validation.rows.rows, validation.batch_size
    # In the order of the rows: an epoch's order would move the last digits of a training that was interrupted.
    parts = [array[rows[start : start + size]] for start in range(0, len(rows), size)]
    # On several GPUs Keras gives the outputs of a batch once for each of them.
    probabilities = np.concatenate([model.predict_on_batch(part)[: len(part)] for part in parts])
    temperature = fit_temperature(validation.rows.labels, probabilities)
    layer.set_weights([weights / np.float32(temperature) for weights in layer.get_weights()])
    return temperature


def fit_temperature(labels: npt.NDArray[np.int64], probabilities: npt.NDArray[np.floating]) -> float:
    """Return the temperature with the lowest cross-entropy of the true classes, from 0.1 to 10, with 3 digits.

    Each true class is asked for with a probability of (n + 1) / (n + n_classes) instead of 1, after Platt 1999: else a
    network that is right about all of a few images would be made as certain as can be.

    Args:
        labels: The numbers of the true classes, `(n,)`.
        probabilities: What the network says, `(n, n_classes)`.
    """
    n, n_classes = probabilities.shape
    wanted = np.full((n, n_classes), 1 / (n + n_classes))
    wanted[np.arange(n), labels] = (n + 1) / (n + n_classes)
    scores = np.log(np.maximum(probabilities.astype(np.float64), TINY))

    def loss(logarithm: float) -> float:
        scaled = scores / np.exp(logarithm)
        return float((logsumexp(scaled, axis=1) - (wanted * scaled).sum(axis=1)).mean())

    found = minimize_scalar(loss, bounds=np.log(BOUNDS), method="bounded", options={"xatol": 1e-5})
    return round(float(np.exp(found.x)), 3)


def output_layer(model: keras.Model) -> keras.layers.Layer:
    """Return the layer with the softmax, which may be in a head inside the model."""
    layer = model.layers[-1]
    return output_layer(layer) if isinstance(layer, keras.Model) else layer
