"""Pretrained: the published weights of a backbone, checked by the hash of their tensors."""

import argparse
from pathlib import Path

from stages.core import params
from stages.core.terminal import command
from stages.pretrained.run import Pretrained, run


def main() -> None:
    """Get the weights of a network."""
    parser = argparse.ArgumentParser(prog="python -m stages.pretrained", description=__doc__)
    parser.add_argument("network", help="the network's name in pretrained.networks of params.yaml")
    parser.add_argument("target", type=Path, help="the folder of weights to write")
    arguments = parser.parse_args()
    run(arguments.network, params.read(Pretrained, "pretrained"), arguments.target)


if __name__ == "__main__":
    command(main)
