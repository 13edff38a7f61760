"""Predict: the classes that a trained model finds for images in files, in folders, at URLs or dropped on a page."""

import argparse
from pathlib import Path

from stages.classifier.model_facts import find_model
from stages.classifier.open_classifier import SECTIONS, Use, open_classifier
from stages.core import params
from stages.core.terminal import command, progress
from stages.pages.local_server import port_number, serve
from stages.predict.page import create_app
from stages.predict.run import TOP, list_files, positive_number, print_predictions, run


def parse_arguments() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m stages.predict", description=__doc__)
    parser.add_argument("images", nargs="*", metavar="image", help="a file, a folder of files, or a URL")
    parser.add_argument("--model", default="data/8_champion", help="a trained network's name, or the folder of a model")
    parser.add_argument("--models", type=Path, default="data/6_models", help="the folder of all models")
    parser.add_argument("--pretrained", type=Path, default="data/5_pretrained", help="the folder of backbones")
    parser.add_argument("--evaluations", type=Path, default="data/7_evaluations", help="the folder of evaluations")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", dest="form", action="store_const", const="json", help="print JSON")
    form.add_argument("--csv", dest="form", action="store_const", const="csv", help="print CSV")
    parser.add_argument(
        "--top",
        type=positive_number,
        help=f"number of classes (default: {TOP}, with --json or --csv all)",
    )
    parser.add_argument("--explain", type=Path, metavar="FOLDER", help="write a PNG that explains each prediction")
    parser.add_argument("--serve", action="store_true", help="serve a page to drop images on, for this machine alone")
    parser.add_argument("--port", type=port_number, default=0, help="port of the page on 127.0.0.1; 0: any free port")
    parser.add_argument("--no-browser", action="store_true", help="only print the page's address")
    arguments = parser.parse_args()
    if bool(arguments.images) == arguments.serve:
        parser.error("expected either images or --serve")
    return arguments


def main() -> None:
    """Predict the given images, or serve the page."""
    arguments = parse_arguments()
    folder = find_model(arguments.model, arguments.models)
    use = params.read(Use, *SECTIONS)
    classifier = open_classifier(folder, arguments.pretrained, use, arguments.evaluations)
    model = {"model": str(folder), "network": classifier.facts.network}
    if arguments.serve:
        about = f"with {model['network']} of {folder}"
        serve(create_app(classifier, model), arguments.port, "predict", about, is_shown=not arguments.no_browser)
        return
    files = list_files(arguments.images)
    top = arguments.top or (len(classifier.classes) if arguments.form else TOP)
    predictions = list(progress(run(classifier, files, top, arguments.explain), len(files), "predict"))
    print_predictions(predictions, classifier, model, arguments.form)


if __name__ == "__main__":
    command(main)
