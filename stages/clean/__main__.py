"""Clean: which collected images are fit for use, and the reason against each other image."""

import argparse
from pathlib import Path

from stages.clean.groups import describe_groups
from stages.clean.run import run
from stages.clean.settings import Clean
from stages.core import params
from stages.core.files import write_json
from stages.core.tables import read_table
from stages.core.terminal import command, state_counts
from stages.images.machines import machines


def main() -> None:
    """Clean what was collected."""
    parser = argparse.ArgumentParser(prog="python -m stages.clean", description=__doc__)
    parser.add_argument("source", type=Path, help="the folder of raw images")
    parser.add_argument("review", type=Path, help="the table of a person's decisions")
    parser.add_argument("target", type=Path, help="the folder of kept and rejected rows to write")
    parser.add_argument("metrics", type=Path, help="the counts to write, as JSON")
    arguments = parser.parse_args()
    settings = params.read(Clean, "clean")
    with machines():
        counts = run(settings, arguments.source, arguments.review, arguments.target)
    write_json(counts, arguments.metrics)
    print(state_counts("clean", counts["listed"], {"kept": counts["kept"], **counts["rejected"]}))
    if counts["waiting"]:
        waiting = "1 decision waits" if counts["waiting"] == 1 else f"{counts['waiting']:,} decisions wait"
        print(f"clean: {waiting} in {arguments.review} for images that are not among the data.")
    for line in describe_groups(read_table(arguments.target / "kept.csv")):
        print(line)


if __name__ == "__main__":
    command(main)
