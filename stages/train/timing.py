"""The speed and memory of a network on this machine, which differ between machines."""

import resource
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import keras
import numpy as np

from stages.backbones.parts import cut, on_pixels
from stages.backbones.weights import rebuild

BATCHES = (1, 32)
SECONDS = 0.3  # the shortest time to measure a batch size for, after a warm-up
REPEATS = 2  # and at least so often


def speeds(facts: dict[str, Any], model: keras.Model, source: Path) -> dict[str, float]:
    """Return the images per second from pixels to probabilities, for each batch size.

    A model that is fed activations is measured with its frozen part. Its weights are random here, which takes as long
    as published weights.

    Args:
        facts: The content of the model's `network.json`.
        model: The model as it was saved.
        source: The folder of pixels or activations that it learned from.
    """
    backbone, shape = facts["backbone"], tuple(facts["image_shape"])
    if backbone:
        frozen, _ = cut(rebuild(backbone, source), backbone["trainable_layers"])
        pixels = keras.Input(shape)
        model = keras.Model(pixels, model(on_pixels(frozen, backbone["scaling"], shape)(pixels)))
    return {str(size): images_per_second(model, size) for size in BATCHES}


def images_per_second(model: keras.Model, batch_size: int) -> float:
    """Return the median speed over repeated predictions of one batch."""
    images = keras.ops.convert_to_tensor(np.zeros((batch_size, *model.input_shape[1:]), np.float32))
    model.predict_on_batch(images)  # builds the graph, which takes longer
    times: list[float] = []
    while sum(times) < SECONDS or len(times) < REPEATS:
        start = time.perf_counter()
        model.predict_on_batch(images)
        times.append(time.perf_counter() - start)
    return round(batch_size / median(times), 1)


def peak_megabytes() -> int:
    """Return the largest memory in megabytes that this process has used so far, without the memory of a GPU."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3))
