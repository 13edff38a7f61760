"""Explain: a model's worst mistakes, its heat maps, the filters of its first layer, and a map of its features."""

import argparse
from pathlib import Path

from stages.core import params
from stages.core.terminal import command
from stages.explain.run import Explain, run


def main() -> None:
    """Explain the predictions of a trained model."""
    parser = argparse.ArgumentParser(prog="python -m stages.explain", description=__doc__)
    parser.add_argument("source", type=Path, help="the folder of pixels or activations that the model was trained on")
    parser.add_argument("pixels", type=Path, help="the images, as an array of RGB pixels")
    parser.add_argument("trained", type=Path, help="the folder of the model")
    parser.add_argument("predictions", type=Path, help="the table that evaluate wrote")
    parser.add_argument("target", type=Path, help="the folder of figures to write")
    arguments = parser.parse_args()
    settings = params.read(Explain, "explain")
    run(settings, arguments.source, arguments.pixels, arguments.trained, arguments.predictions, arguments.target)


if __name__ == "__main__":
    command(main)
