"""Evaluate: what a trained model predicts for every image, how often it is right, and how certain its scores are."""

import argparse
from pathlib import Path

from stages.core import params
from stages.core.files import write_json
from stages.core.terminal import command
from stages.evaluate.run import Evaluate, headline, run


def main() -> None:
    """Evaluate a trained model."""
    parser = argparse.ArgumentParser(prog="python -m stages.evaluate", description=__doc__)
    parser.add_argument("source", type=Path, help="the folder of pixels or activations that the model was trained on")
    parser.add_argument("split", type=Path, help="the table of splits")
    parser.add_argument("trained", type=Path, help="the folder of the model")
    parser.add_argument("target", type=Path, help="the folder of predictions to write")
    parser.add_argument("metrics", type=Path, help="the metrics to write, as JSON")
    arguments = parser.parse_args()
    settings = params.read(Evaluate, "evaluate")
    metrics = run(settings, arguments.source, arguments.split, arguments.trained, arguments.target)
    write_json(headline(metrics), arguments.metrics)


if __name__ == "__main__":
    command(main)
