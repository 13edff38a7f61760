"""How fast and how large a network is here: of the machine, and therefore in no stage's output."""

import resource
import sys
import time
from statistics import median
from types import ModuleType
from typing import Any

import keras
import numpy as np

from stages.networks.backbone_parts import cut, see

BATCHES = (1, 32)
SECONDS = 1.0  # about how long each batch size is measured, after a warm-up


def speeds(network: ModuleType, facts: dict[str, Any], model: keras.Model) -> dict[str, float]:
    """Images per second from pixels to probabilities, for each batch size.

    Under a model of activations stands the frozen part with random weights, which take as long as published ones.

    Args:
        network: its module in `stages/models`.
        facts: what `network.json` says of it.
        model: as it was saved.
    """
    backbone, shape = facts["backbone"], tuple(facts["image_shape"])
    if backbone:
        frozen, _ = cut(network.make_backbone(shape), backbone["trainable_layers"])
        pixels = keras.Input(shape)
        model = keras.Model(pixels, model(see(frozen, backbone["scaling"], shape)(pixels)))
    return {str(size): images_per_second(model, size) for size in BATCHES}


def images_per_second(model: keras.Model, batch_size: int) -> float:
    """The median over repeated predictions of one batch."""
    images = keras.ops.convert_to_tensor(np.zeros((batch_size, *model.input_shape[1:]), np.float32))
    model.predict_on_batch(images)  # builds the graph
    times: list[float] = []
    while sum(times) < SECONDS or len(times) < 3:
        start = time.perf_counter()
        model.predict_on_batch(images)
        times.append(time.perf_counter() - start)
    return round(batch_size / median(times), 1)


def peak_megabytes() -> int:
    """The most memory that this process has held so far, TensorFlow included; not that of a GPU."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3))
