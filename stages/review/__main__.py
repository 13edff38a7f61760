"""Review: a page in the browser for decisions about single images, which the next run of `clean` applies."""

import argparse
from pathlib import Path

from stages.core.terminal import command
from stages.pages.local_server import port_number, serve
from stages.review.app import create_app
from stages.review.session import Paths, Session


def main() -> None:
    """Serve the page of the review until Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m stages.review", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--raw", type=Path, default="data/1_raw", help="the folder of raw images")
    parser.add_argument("--cleaned", type=Path, default="data/2_clean", help="the folder that clean wrote")
    suggestions = "data/5_suggestions/suggestions.csv"
    parser.add_argument("--suggestions", type=Path, default=suggestions, help="the table of suggestions, if any")
    parser.add_argument("--review", type=Path, default="data/review.csv", help="the table to write decisions to")
    parser.add_argument("--port", type=port_number, default=0, help="port on 127.0.0.1; 0: any free port")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    arguments = parser.parse_args()
    paths = Paths(arguments.raw, arguments.cleaned, arguments.suggestions, arguments.review)
    session = Session(paths)
    serve(create_app(session), arguments.port, "review", f"into {paths.reviews}", is_shown=not arguments.no_browser)
    session.mutex.acquire()  # A decision that is being written is finished, and no other one begins.
    print(f"{len(session.standing)} decisions stand; `dvc repro` applies them.")


if __name__ == "__main__":
    command(main)
