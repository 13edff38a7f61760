"""Features: the frozen part's activations of all images, computed once for all heads and splits."""

import argparse
from pathlib import Path

from stages.core import params
from stages.core.terminal import command
from stages.features.activations import Boundary, Features, Job
from stages.features.run import run
from stages.images.machines import machines
from stages.transforms.affine import read_augmentation


def main() -> None:
    """Compute the activations of a network."""
    parser = argparse.ArgumentParser(prog="python -m stages.features", description=__doc__)
    parser.add_argument("network", help="the network's name in pretrained.networks of params.yaml")
    parser.add_argument("source", type=Path, help="the folder of pixels")
    parser.add_argument("weights", type=Path, help="the folder of the backbone's weights")
    parser.add_argument("target", type=Path, help="the folder of activations to write")
    arguments = parser.parse_args()
    name = arguments.network
    boundary = params.read(Boundary, f"train.{name}")
    settings = params.read(Features, "features")
    amounts = read_augmentation(settings.augmentation)
    job = Job(name, settings, boundary, amounts, arguments.source, arguments.weights)
    with machines():
        run(job, arguments.target)


if __name__ == "__main__":
    command(main)
