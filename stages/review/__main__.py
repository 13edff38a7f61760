"""Review: a page in the browser on which a person decides about single images; `clean` heeds it in the next run."""

import argparse
from pathlib import Path

from stages.core.terminal import command
from stages.pages.local_server import port_number, serve
from stages.review.app import create_app
from stages.review.session import Paths, Session


def main() -> None:
    """Review what was collected."""
    parser = argparse.ArgumentParser(
        prog="python -m stages.review", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--raw", type=Path, default="data/1_raw", help="the folder of raw images")
    parser.add_argument("--cleaned", type=Path, default="data/2_clean", help="the folder that clean wrote")
    suggestions = "data/5_suggestions/suggestions.csv"
    parser.add_argument("--suggestions", type=Path, default=suggestions, help="the table of suggestions, if any")
    parser.add_argument("--review", type=Path, default="data/review.csv", help="the table that decisions go to")
    parser.add_argument("--port", type=port_number, default=0, help="on 127.0.0.1; 0: any that is free")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    given = parser.parse_args()
    paths = Paths(given.raw, given.cleaned, given.suggestions, given.review)
    session = Session(paths)
    serve(create_app(session), given.port, "review", f"into {paths.reviews}", is_shown=not given.no_browser)
    session.mutex.acquire()  # A decision on its way is written to its end, and no other begins.
    print(f"{len(session.standing)} decisions stand; `dvc repro` applies them.")


if __name__ == "__main__":
    command(main)
