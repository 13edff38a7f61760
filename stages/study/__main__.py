"""Study: a document's experiments, each a plain `dvc exp run`, and what of its findings holds here."""

import argparse
import sys
from pathlib import Path

from stages.core import params
from stages.core.terminal import command
from stages.study.run import TARGET, Drawing, describe, lines, report, run
from stages.study.scale import find_source, read_scale
from stages.study.starter import write_starter
from stages.study.study_file import names, read_study


def parse() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m stages.study", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the studies and what they ask")
    for name, text in (("show", "what a study does, and its lines"), ("run", "run what of it is not done")):
        each = commands.add_parser(name, help=text)
        each.add_argument("study", help="a file of studies/, without its ending")
        each.add_argument("--sweep", help="only this one")
        each.add_argument("--network", help="only this one")
        each.add_argument("--data", help="other images: a folder, an archive, or a study whose images to take")
        each.add_argument("--epochs", type=int, help="at most so many")
        each.add_argument("--width", type=float, help="of the networks that learn from pixels; 1 is the document's")
        each.add_argument("--size", type=int, help="pixels of a side")
        each.add_argument("--seeds", type=int, default=1, help="run all with this many seeds, from 0")
        each.add_argument("--carry", choices=["document", "measured"], default="document",
                          help="go on with what the document chose, or with what is best on validation")  # fmt: skip
        each.add_argument("-S", "--set-param", metavar="KEY=VALUE", action="append", default=[],
                          help="any other key of params.yaml, as in `dvc exp run -S`")  # fmt: skip
        each.add_argument("--dry", action="store_true", help="only print the lines")
    report = commands.add_parser("report", help="draw table, figures and verdicts anew from what is recorded")
    report.add_argument("folder", type=Path, help="a folder of metrics/studies")
    new = commands.add_parser("new", help="write a study file to begin with")
    new.add_argument("study", help="its name: small letters, digits and _")
    return parser.parse_args()


def main() -> None:
    """List, show, run or begin a study."""
    arguments = parse()
    if arguments.command == "list":
        print("\n".join(f"{name:<18} {read_study(name).question}" for name in names()))
    elif arguments.command == "new":
        print(write_starter(arguments.study))
    elif arguments.command == "report":
        report(arguments.folder, params.read(Drawing, "study"))
    else:
        is_shown = arguments.command == "show" or arguments.dry
        data = find_source(arguments.data, read_study(arguments.study), must_exist=not is_shown)
        limits = {key: getattr(arguments, key) for key in ("epochs", "width", "size", "seeds", "carry")}
        scale = read_scale({"data": data, **limits}, arguments.set_param)
        part = (arguments.study, scale, arguments.sweep, arguments.network)
        if arguments.command == "show":
            print(f"{describe(arguments.study, read_study(arguments.study))}\n")
        if is_shown:
            print(lines(*part))
        elif run(*part, params.read(Drawing, "study"), TARGET):
            sys.exit(1)


if __name__ == "__main__":
    command(main)
