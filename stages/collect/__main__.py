"""Collect the images of a source as received, each with its provenance."""

import argparse
from pathlib import Path

from stages.collect.advice import advise
from stages.collect.folder_notes import describe_folders
from stages.collect.run import Collect, run
from stages.core import params
from stages.core.files import write_json
from stages.core.terminal import command, state_counts


def main() -> None:
    """Collect the source that params.yaml names."""
    parser = argparse.ArgumentParser(prog="python -m stages.collect", description=__doc__)
    parser.add_argument("target", type=Path, help="the folder of raw images to write")
    parser.add_argument("metrics", type=Path, help="the counts to write, as JSON")
    arguments = parser.parse_args()
    settings = params.read(Collect, "collect")
    counts = run(settings, arguments.target)
    write_json(counts, arguments.metrics)
    print(state_counts("collect", counts["listed"], {"kept": counts["kept"], **counts["failed"]}))
    for line in describe_folders(Path(settings.source), arguments.target):
        print(line)
    for line in advise(arguments.target):
        print(line)


if __name__ == "__main__":
    command(main)
