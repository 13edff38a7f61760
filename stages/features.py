"""Features: the frozen part's activations of all images, computed once for every head and split."""

import argparse
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
from pydantic import Field

from stages import models
from stages.core import params
from stages.core.backbones import TAIL_WEIGHTS, cut
from stages.core.determinism import fix
from stages.core.files import read_json, replacing, write_json
from stages.core.inputs import BACKBONE, FEATURES, Inputs, check_side, read_inputs
from stages.core.layers import scaling_layer
from stages.core.terminal import command


class Features(params.Section):
    """The section `features` of params.yaml."""

    batch_size: int = Field(ge=1)
    threads: int = Field(ge=1)


def run(name: str, settings: Features, training: Any, source: Path, weights: Path, target: Path) -> None:
    """Nothing, after the folder target holds the activations, float32 `(n, h, w, channels)`, and what made them.

    Raises:
        ValueError: the images are too small, or the backbone cannot be cut where asked.
    """
    network = models.load(name)
    inputs = read_inputs(source)
    check_side(inputs.shape, network.MIN_SIDE, name)
    fix(0, settings.threads)
    backbone = network.make_backbone(inputs.shape)
    backbone.load_weights(weights / "backbone.weights.h5")
    frozen, tail = cut(backbone, training.trainable_layers)
    with replacing(target) as folder:
        folder.mkdir()
        np.save(folder / FEATURES, activate(frozen, training.scaling, inputs, settings))
        if tail is not None:
            tail.save_weights(folder / TAIL_WEIGHTS)
        facts = {
            "network": name,
            "image_shape": list(inputs.shape),
            "scaling": training.scaling,
            "trainable_layers": training.trainable_layers,
            "frozen_parameters": frozen.count_params(),
            **read_json(weights / "weights.json"),
        }
        write_json(facts, folder / BACKBONE)
        (folder / "index.csv").write_bytes((source / "index.csv").read_bytes())


def activate(frozen: keras.Model, scaling: str, inputs: Inputs, settings: Features) -> np.ndarray:
    """The frozen part's output for every image, with batch statistics as they were trained."""
    pixels = keras.Input(inputs.shape)
    model = keras.Model(pixels, frozen(scaling_layer(scaling)(pixels), training=False))
    verbose = 1 if sys.stdout.isatty() else 2
    activations: np.ndarray = model.predict(inputs.array, batch_size=settings.batch_size, verbose=verbose)
    return activations


def main() -> None:
    """Compute the named network's activations."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", help="a transfer network of stages/models")
    parser.add_argument("source", type=Path, help="the folder of pixels")
    parser.add_argument("weights", type=Path, help="the folder of the backbone's weights")
    parser.add_argument("target", type=Path, help="the folder of activations to write")
    arguments = parser.parse_args()
    name = arguments.network
    training = params.read(models.load(name).Params, "train.common", f"train.{name}")
    settings = params.read(Features, "features")
    run(name, settings, training, arguments.source, arguments.weights, arguments.target)


if __name__ == "__main__":
    command(main)
