"""Predict: what a trained network says of pictures in files, in folders, at URLs or dropped on a page."""

import argparse
from pathlib import Path

from stages import models
from stages.classifier.model_facts import find_model
from stages.classifier.open_classifier import SECTIONS, Use, open_classifier
from stages.core import params
from stages.core.terminal import command, progress
from stages.pages.local_server import port_number, serve
from stages.predict.page import create_app
from stages.predict.run import TOP, list_files, positive, print_all, run


def parse() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(prog="python -m stages.predict", description=__doc__)
    parser.add_argument("given", nargs="*", metavar="picture", help="a file, a folder of files, or a URL")
    parser.add_argument("--model", default="data/8_champion", help="a trained network's name, or the folder of a model")
    parser.add_argument("--models", type=Path, default="data/6_models", help="the folder of all models")
    parser.add_argument("--pretrained", type=Path, default="data/5_pretrained", help="of all backbones' weights")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", dest="form", action="store_const", const="json", help="print JSON")
    form.add_argument("--csv", dest="form", action="store_const", const="csv", help="print CSV")
    parser.add_argument("--top", type=positive, help=f"so many classes; else {TOP} in a table, and all in JSON and CSV")
    parser.add_argument("--explain", type=Path, metavar="FOLDER", help="write what explains each answer, as PNG")
    parser.add_argument("--serve", action="store_true", help="a page to drop pictures on, for this machine alone")
    parser.add_argument("--port", type=port_number, default=0, help="of the page, on 127.0.0.1; 0: any that is free")
    parser.add_argument("--no-browser", action="store_true", help="only print the page's address")
    given = parser.parse_args()
    if bool(given.given) == given.serve:
        parser.error("expected either pictures or --serve")
    return given


def main() -> None:
    """Predict, or serve the page."""
    given = parse()
    folder = find_model(given.model, given.models)
    classifier = open_classifier(folder, given.pretrained, models.load, params.read(Use, *SECTIONS))
    model = {"model": str(folder), "network": classifier.facts.network}
    if given.serve:
        about = f"with {model['network']} of {folder}"
        serve(create_app(classifier, model), given.port, "predict", about, is_shown=not given.no_browser)
        return
    files = list_files(given.given)
    top = given.top or (len(classifier.classes) if given.form else TOP)
    answers = list(progress(run(classifier, files, top, given.explain), len(files), "predict"))
    print_all(answers, classifier, model, given.form)


if __name__ == "__main__":
    command(main)
