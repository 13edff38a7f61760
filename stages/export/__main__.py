"""Export: a trained model as one file for ONNX Runtime or TFLite, checked on the test images."""

import argparse
from pathlib import Path

from stages.classifier.model_facts import find_model
from stages.classifier.open_classifier import SECTIONS, Use, open_classifier
from stages.core import params
from stages.core.terminal import command
from stages.export.formats import FORMATS
from stages.export.run import check_request, describe_export, find_pixels, run

PIXELS, INPUTS = Path("data/3_pixels"), Path("data/3_inputs")


def main() -> None:
    """Export a model."""
    import tensorflow as tf  # Keras has no call to hide the GPU.

    parser = argparse.ArgumentParser(
        prog="python -m stages.export", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("network", help="a trained network's name, or the folder of a model")
    parser.add_argument("--to", required=True, choices=sorted(FORMATS), help="the format")
    parser.add_argument("--target", type=Path, help="the file to write, if not exports/<network>.<format>")
    parser.add_argument("--models", type=Path, default="data/6_models", help="the folder of all models")
    parser.add_argument("--pretrained", type=Path, default="data/5_pretrained", help="the folder of backbones")
    parser.add_argument("--evaluations", type=Path, default="data/7_evaluations", help="the folder of limits")
    parser.add_argument("--pixels", type=Path, help="the images to check with, if not those of the network's size")
    parser.add_argument("--split", type=Path, default="data/4_split/split.csv", help="the table of test images")
    arguments = parser.parse_args()
    check_request(arguments.to, arguments.target)
    tf.config.set_visible_devices([], "GPU")  # A GPU rounds to TF32, an error of about 0.001.
    use = params.read(Use, *SECTIONS)
    folder = find_model(arguments.network, arguments.models)
    classifier = open_classifier(folder, arguments.pretrained, use, arguments.evaluations)
    target = arguments.target or Path("exports") / f"{classifier.facts.network}.{arguments.to}"
    pixels = arguments.pixels or find_pixels(PIXELS, INPUTS, classifier.facts)
    parities = run(arguments.to, classifier, pixels, arguments.split, target)
    print(describe_export(target, arguments.to, classifier, *parities))


if __name__ == "__main__":
    command(main)
