"""Report: one page that needs no other file, and the champion's model card."""

import argparse
from pathlib import Path

from stages.core import params
from stages.core.terminal import command
from stages.report.report_data import Sources
from stages.report.run import run


def main() -> None:
    """Write the report and the model card."""
    parser = argparse.ArgumentParser(prog="python -m stages.report", description=__doc__)
    parser.add_argument("metrics", type=Path, help="the folder of metrics")
    parser.add_argument("raw", type=Path, help="the folder of raw images")
    parser.add_argument("cleaned", type=Path, help="the folder that clean wrote")
    parser.add_argument("pixels", type=Path, help="the folder of pixels")
    parser.add_argument("models", type=Path, help="the folder of all models")
    parser.add_argument("evaluations", type=Path, help="the folder of all evaluations")
    parser.add_argument("explanations", type=Path, help="the folder of all explanations")
    parser.add_argument("target", type=Path, help="the page to write, as HTML")
    parser.add_argument("card", type=Path, help="the model card to write, as Markdown")
    values = vars(parser.parse_args())
    target, card = values.pop("target"), values.pop("card")
    document = params.load()
    common = params.find_table(document, "train.common")
    training = {
        name: common | params.find_table(document, f"train.{name}") for name in params.find_table(document, "networks")
    }
    run(Sources(**values), params.find_table(document, "split"), training, target, card)


if __name__ == "__main__":
    command(main)
