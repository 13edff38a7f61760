"""Split: which images a network trains on, which choose its best epoch, and which test it."""

import argparse
from pathlib import Path

from stages.core import params
from stages.core.files import write_json
from stages.core.tables import read_table
from stages.core.terminal import command, state_counts
from stages.split.folds import CrossValidation, describe_folds
from stages.split.ratios import describe_given
from stages.split.run import Split, run

LARGE = 0.1  # share of all images from which on a group is worth a line


def main() -> None:
    """Split the images that have pixels."""
    parser = argparse.ArgumentParser(prog="python -m stages.split", description=__doc__)
    parser.add_argument("source", type=Path, help="the table of images that have pixels")
    parser.add_argument("target", type=Path, help="the table of splits to write")
    parser.add_argument("leaks", type=Path, help="the table of look-alikes in several splits to write")
    parser.add_argument("folds", type=Path, help="the table of folds for cross-validation to write")
    parser.add_argument("metrics", type=Path, help="the counts to write, as JSON")
    arguments = parser.parse_args()
    settings = params.read(Split, "split")
    cross_validation = params.read(CrossValidation, "cross_validation")
    tables = (arguments.target, arguments.leaks, arguments.folds)
    counts = run(settings, cross_validation, arguments.source, *tables)
    write_json(counts, arguments.metrics)
    print(state_counts("split", counts["listed"], {name: sum(of.values()) for name, of in counts["classes"].items()}))
    if settings.group_by and counts["largest_group"] > LARGE * counts["listed"]:
        named = ", ".join(settings.group_by)
        print(f"split: {counts['largest_group']:,} images stay together, the largest group by {named}.")
    for line in describe_folds(counts["cross_validation"]):
        print(line)
    for line in describe_given(settings.ratios, read_table(arguments.source)):
        print(line)


if __name__ == "__main__":
    command(main)
