"""Search: find params with which a network does best on validation, within a budget; each trial a DVC experiment."""

import argparse
import shlex
import sys

from stages.core.params import find_table, load
from stages.core.terminal import command
from stages.search.run import TARGET, prepare_trial, run
from stages.search.space import EXPECTED, read_space
from stages.search.trials import FAILED
from stages.tracking import places
from stages.tracking.dvc_experiments import experiment_command
from stages.tracking.run import NAME


def parse() -> argparse.Namespace:
    """Read the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m stages.search", description=__doc__)
    known = sorted(find_table(load(), "train").keys() - {"common"})
    parser.add_argument("network", choices=known, metavar="network", help="a network of params.yaml train")
    parser.add_argument("-S", "--set-param", metavar="KEY=...", action="append", default=[],
                        help=f"{EXPECTED}; a key without a dot is one of train.<network>")  # fmt: skip
    parser.add_argument(
        "--trials", type=int, default=20, help="the number of trials, including trials that are already done"
    )
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="begin no trial after this number of minutes"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the suggested values")
    parser.add_argument("--name", help="name of the search; by default the network's name")
    places.add_arguments(parser)
    parser.add_argument("--dry", action="store_true", help="only print the first command")
    return parser.parse_args()


def main() -> None:
    """Search as the arguments ask."""
    arguments = parse()
    name = arguments.name or arguments.network
    if not NAME.fullmatch(name):
        raise ValueError(f"--name: expected small letters, digits and _, got {name}.")
    if arguments.trials < 1 or arguments.seed < 0:
        raise ValueError(f"expected --trials of at least 1 and --seed of at least 0, got {arguments.trials} and "
                         f"{arguments.seed}.")  # fmt: skip
    space = read_space(arguments.set_param, arguments.network)
    if arguments.dry:
        print(shlex.join(experiment_command(prepare_trial(name, arguments.network, space, [], arguments.seed)[0])))
        return
    trials = run(
        name, arguments.network, space, arguments.trials, arguments.minutes, arguments.seed, TARGET / name,
        places.read_where(arguments),
    )  # fmt: skip
    if any(trial.status == FAILED for trial in trials):
        sys.exit(1)


if __name__ == "__main__":
    command(main)
