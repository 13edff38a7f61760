"""Cross-validate: how often a network is right about images it did not learn from, in many trainings and divisions."""

import argparse
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from stages import models
from stages.core import params
from stages.core.files import write_json
from stages.core.terminal import command
from stages.cross_validate.run import run
from stages.training.hyperparams import read_settings
from stages.transforms.affine import read_augmentation


class LearningCurve(params.Section, extra="ignore"):
    """The keys of `cross_validation` in params.yaml that say of what shares of the training images to learn too."""

    shares: list[Annotated[float, Field(gt=0, lt=1)]]


def main() -> None:
    """Train the network on all folds with the settings in params.yaml."""
    parser = argparse.ArgumentParser(prog="python -m stages.cross_validate", description=__doc__)
    parser.add_argument("network", help="the network's name in params.yaml")
    parser.add_argument("module", help="the network's module in stages/models")
    parser.add_argument("source", type=Path, help="the folder of pixels or activations")
    parser.add_argument("folds", type=Path, help="the table of folds")
    parser.add_argument("target", type=Path, help="the folder of predictions and metrics to write")
    parser.add_argument("metrics", type=Path, help="the metrics to write, as JSON")
    arguments = parser.parse_args()
    name, module = arguments.network, arguments.module
    settings = read_settings(name, models.load(module))
    amounts = read_augmentation(settings.augmentation)
    curve = params.read(LearningCurve, "cross_validation")
    metrics = run(name, module, settings, amounts, arguments.source, arguments.folds, arguments.target, curve.shares)
    write_json(metrics, arguments.metrics)
    print(describe(name, metrics))


def describe(name: str, metrics: dict[str, Any]) -> str:
    """Return in a line how often the network is right, or that there are no folds."""
    if not metrics["deals"]:
        return f"cross_validate: no folds for {name}, see what `split` said."
    share = f"{metrics['accuracy']:.3f} ({metrics['low']:.3f} to {metrics['high']:.3f})"
    return f"cross_validate: {name} is right about {share} of {metrics['images']:,} images, in {metrics['deals']} deals"


if __name__ == "__main__":
    command(main)
