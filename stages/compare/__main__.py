"""Compare: all networks side by side, the champion, chosen without the test images, and which really differ."""

import argparse
from pathlib import Path

from stages.compare.run import Compare, run
from stages.core import params
from stages.core.terminal import command


def main() -> None:
    """Compare the networks of params.yaml."""
    parser = argparse.ArgumentParser(prog="python -m stages.compare", description=__doc__)
    parser.add_argument("source", type=Path, help="the folder of all evaluations")
    parser.add_argument("folds", type=Path, help="the folder of all cross-validations")
    parser.add_argument("target", type=Path, help="the folder of metrics to write summary.* and cost.png to")
    arguments = parser.parse_args()
    document = params.load()
    networks, tested = (params.find_table(document, name) for name in ("networks", "cross_validation.networks"))
    # A network that was cross-validated on another input than it was trained on is not the same.
    folds = {name: arguments.folds / name for name, given in networks.items() if tested.get(name) == given}
    run(params.read(Compare, "compare"), list(networks), arguments.source, folds, arguments.target)


if __name__ == "__main__":
    command(main)
