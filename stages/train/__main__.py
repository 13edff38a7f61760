"""Train: one network on its inputs; the model of the epoch that is best on validation is kept."""

import argparse
from pathlib import Path

import keras

from stages import models
from stages.core.files import read_json, write_json
from stages.core.terminal import command
from stages.train.run import run
from stages.train.timing import speeds
from stages.training.hyperparams import read_settings
from stages.transforms.affine import read_augmentation


def main() -> None:
    """Train the network with the settings in params.yaml."""
    parser = argparse.ArgumentParser(prog="python -m stages.train", description=__doc__)
    parser.add_argument("network", help="the network's name in params.yaml")
    parser.add_argument("module", help="the network's module in stages/models")
    parser.add_argument("source", type=Path, help="the folder of pixels or activations")
    parser.add_argument("split", type=Path, help="the table of splits")
    parser.add_argument("target", type=Path, help="the folder of the model to write")
    parser.add_argument("live", type=Path, help="the folder of curves to show while it runs")
    parser.add_argument("timing", type=Path, help="the times to write, as JSON")
    arguments = parser.parse_args()
    name, module = arguments.network, arguments.module
    settings = read_settings(name, models.load(module))
    amounts = read_augmentation(settings.augmentation)
    timing = run(name, module, settings, amounts, arguments.source, arguments.split, arguments.target, arguments.live)
    model = keras.models.load_model(arguments.target / "model.keras", compile=False)
    timing["images_per_second"] = speeds(read_json(arguments.target / "network.json"), model, arguments.source)
    write_json(timing, arguments.timing)


if __name__ == "__main__":
    command(main)
