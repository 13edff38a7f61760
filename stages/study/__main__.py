"""Study: run a document's experiments, each a plain `dvc exp run`, and judge which of its findings hold here."""

import argparse
import sys
from pathlib import Path

from stages.core import params
from stages.core.terminal import command
from stages.study.run import TARGET, Judging, command_lines, redraw_report, run
from stages.study.scale import find_source, name_images, read_scale
from stages.study.starter import write_starter
from stages.study.study_file import describe_study, read_study, study_names
from stages.tracking import places


def parse() -> argparse.Namespace:
    """Read the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m stages.study", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="list the studies and their questions")
    for name, text in (("show", "describe a study and its commands"), ("run", "run the experiments that are not done")):
        command_parser = commands.add_parser(name, help=text)
        command_parser.add_argument("study", help="the name of a file in studies/, without .yaml")
        command_parser.add_argument("--sweep", help="only this sweep")
        command_parser.add_argument("--network", help="only this network")
        command_parser.add_argument(
            "--data", help="other images: a folder, an archive, or the name of a study with the images"
        )
        command_parser.add_argument("--epochs", type=int, help="at most this number of epochs")
        command_parser.add_argument(
            "--width", type=float, help="width of the networks that learn from pixels; 1 is the document's"
        )
        command_parser.add_argument("--size", type=int, help="height and width of the images in pixels")
        command_parser.add_argument(
            "--folds", type=int, metavar="N", help="train each setting N times, so that every image tests it once"
        )
        command_parser.add_argument(
            "--seeds", type=int, default=1, help="run each setting with this number of seeds, from 0"
        )
        command_parser.add_argument("--carry", choices=["document", "measured"], default="document",
                          help="start sweeps from the document's choices, or from the best on validation")  # fmt: skip
        command_parser.add_argument("-S", "--set-param", metavar="KEY=VALUE", action="append", default=[],
                          help="any other key of params.yaml, as in `dvc exp run -S`")  # fmt: skip
        if name == "run":
            places.add_arguments(command_parser)
        command_parser.add_argument("--dry", action="store_true", help="only print the commands")
    report = commands.add_parser("report", help="write tables, figures and verdicts anew from the recorded results")
    report.add_argument("folder", type=Path, help="a folder in metrics/studies")
    new = commands.add_parser("new", help="write a first study file, ready to run")
    new.add_argument("study", help="the study's name: small letters, digits and _")
    return parser.parse_args()


def main() -> None:
    """List, show, run, report or begin a study."""
    arguments = parse()
    if arguments.command == "list":
        print("\n".join(f"{name:<18} {read_study(name).question}" for name in study_names()))
    elif arguments.command == "new":
        print(write_starter(arguments.study))
    elif arguments.command == "report":
        redraw_report(arguments.folder, params.read(Judging, "study"))
    else:
        is_shown = arguments.command == "show" or arguments.dry
        data = find_source(arguments.data, read_study(arguments.study), must_exist=not is_shown)
        limits = {key: getattr(arguments, key) for key in ("epochs", "width", "size", "folds", "seeds", "carry")}
        scale = read_scale({"data": data, "images": name_images(arguments.data), **limits}, arguments.set_param)
        part = (arguments.study, scale, arguments.sweep, arguments.network)
        if arguments.command == "show":
            print(f"{describe_study(arguments.study, read_study(arguments.study))}\n")
        if is_shown:
            print(command_lines(*part))
        elif run(*part, params.read(Judging, "study"), TARGET, places.read_where(arguments)):
            sys.exit(1)


if __name__ == "__main__":
    command(main)
