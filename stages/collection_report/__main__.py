"""Collection report: how large the collected images are, and what they look like, before anything is rejected."""

import argparse
from pathlib import Path

from stages.collection_report.run import CollectionReport, run
from stages.core import params
from stages.core.terminal import command


def main() -> None:
    """Report on what collect left."""
    parser = argparse.ArgumentParser(prog="python -m stages.collection_report", description=__doc__)
    parser.add_argument("raw", type=Path, help="the folder of raw images")
    parser.add_argument("target", type=Path, help="the folder of figures to write")
    arguments = parser.parse_args()
    run(params.read(CollectionReport, "collection_report"), arguments.raw, arguments.target)


if __name__ == "__main__":
    command(main)
