"""List the images that live sources offer, remove images that are gone, or download a data set of Kaggle."""

import argparse
from pathlib import Path

from stages.core import params
from stages.core.terminal import command
from stages.manifest import kaggle
from stages.manifest.listing import relist
from stages.manifest.purge import purge
from stages.manifest.settings import Listings


def parse() -> argparse.Namespace:
    """Read the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m stages.manifest", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="ask the sources of collect.listings, and add the images that they list")
    listing.add_argument("manifest", type=Path, help="the CSV file of listed images to write")
    purging = commands.add_parser("purge", help="remove images that are gone from their hosts")
    purging.add_argument("manifest", type=Path, help="the CSV file of listed images to change")
    archive = commands.add_parser("kaggle", help="download a version of a data set, and print where it is")
    archive.add_argument("dataset", help="owner/name/versions/3")
    return parser.parse_args()


def main() -> None:
    """Run the subcommand `list`, `purge` or `kaggle`."""
    arguments = parse()
    settings = params.read(Listings, "collect")
    if arguments.command == "list":
        print(relist(settings, arguments.manifest))
    elif arguments.command == "purge":
        print(purge(settings.fetch, arguments.manifest))
    else:
        print(kaggle.download(arguments.dataset, settings.fetch))


if __name__ == "__main__":
    command(main)
