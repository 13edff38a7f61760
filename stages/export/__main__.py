"""Export: a trained network as one file for ONNX Runtime or TFLite, checked on the test images."""

import argparse
from pathlib import Path

from stages import models
from stages.classifier.model_facts import find_model
from stages.classifier.open_classifier import SECTIONS, Use, open_classifier
from stages.core import params
from stages.core.terminal import command
from stages.export.formats import FORMATS
from stages.export.run import check, report, run


def main() -> None:
    """Export a network."""
    import tensorflow as tf  # Keras has no call for it.

    parser = argparse.ArgumentParser(
        prog="python -m stages.export", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("network", help="a trained network's name, or the folder of a model")
    parser.add_argument("--to", required=True, choices=sorted(FORMATS), help="the format")
    parser.add_argument("--target", type=Path, help="the file to write; else exports/<network>.<format>")
    parser.add_argument("--models", type=Path, default="data/6_models", help="the folder of all models")
    parser.add_argument("--pretrained", type=Path, default="data/5_pretrained", help="of all backbones' weights")
    parser.add_argument("--pixels", type=Path, default="data/3_pixels", help="the folder of pixels to check with")
    parser.add_argument("--split", type=Path, default="data/4_split/split.csv", help="says which are test images")
    given = parser.parse_args()
    check(given.to, given.target)
    tf.config.set_visible_devices([], "GPU")  # One rounds to TF32, and would be a thousandth off.
    use = params.read(Use, *SECTIONS)
    classifier = open_classifier(find_model(given.network, given.models), given.pretrained, models.load, use)
    target = given.target or Path("exports") / f"{classifier.facts.network}.{given.to}"
    parities = run(given.to, classifier, given.pixels, given.split, target)
    print(report(target, given.to, classifier.facts, *parities))


if __name__ == "__main__":
    command(main)
